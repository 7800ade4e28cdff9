"""Other programs that a training may log to, besides its run directory."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rice_ssl.artifacts import RunStore
from rice_ssl.errors import InputError

PACKAGES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}


class Logger(Protocol):
    """Takes numbers by name and step."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log finite values."""
        ...

    def close(self) -> None:
        """Write what is not written yet."""
        ...


class TensorBoardLogger:
    """Event files in ``tensorboard/`` of the run; steps that are done again after a resume replace the former."""

    def __init__(self, module: Any, store: RunStore, resume_step: int) -> None:
        """Open an event file."""
        self.writer = module.SummaryWriter((store.root / "tensorboard").as_posix(), purge_step=resume_step)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log finite values."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is not written yet."""
        self.writer.close()


class WandbLogger:
    """A Weights & Biases run of the project ``rice_ssl``, taken up on resume; ``WANDB_MODE=offline`` keeps it here.

    Its id is the hash of the run directory's path, as its name may hold what an id may not.
    """

    def __init__(self, module: Any, store: RunStore, settings: Mapping[str, Any]) -> None:
        """Begin or take up the run."""
        name = hashlib.sha256(store.root.resolve().as_posix().encode()).hexdigest()[:16]
        try:
            self.run = module.init(
                project="rice_ssl",
                id=name,
                name=store.root.name,
                dir=store.root.as_posix(),
                config=dict(settings),
                resume="allow",
            )
        except Exception as error:  # whatever keeps it from its server
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(
                f"pretrain.loggers names 'wandb', which does not start ({problem}): log in with `wandb login`, set "
                "WANDB_MODE=offline, or leave it out."
            ) from None

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log finite values."""
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        """Write what is not written yet."""
        self.run.finish()


def open_loggers(names: Sequence[str], store: RunStore, settings: Mapping[str, Any], resume_step: int) -> list[Logger]:
    """Open the loggers that are asked for.

    Args:
        names: of ``tensorboard`` and ``wandb``.
        store: the run.
        settings: of the training, for those that show them.
        resume_step: the first step that will be logged.

    Raises:
        InputError: the package of one is not installed.
    """
    found: list[Logger] = []
    for name in names:
        try:
            module = importlib.import_module(PACKAGES[name])
        except ImportError:
            raise InputError(
                f"pretrain.loggers names {name!r}, but that package is not installed: run `pip install {name}`, or "
                "leave it out."
            ) from None
        found.append(
            TensorBoardLogger(module, store, resume_step)
            if name == "tensorboard"
            else WandbLogger(module, store, settings)
        )
    return found
