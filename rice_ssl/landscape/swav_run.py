"""A SwAV pretraining whose kept checkpoints are looked at again."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.optim import Optimizer

from rice_ssl.artifacts import RunStore
from rice_ssl.config import EncoderConfig, PretrainConfig
from rice_ssl.errors import ArtifactError
from rice_ssl.landscape.trajectory import Loss, Side
from rice_ssl.swav.loss import swapped_loss
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.training.checkpoint import load_kept, save_checkpoint
from rice_ssl.training.kept import kept_checkpoints
from rice_ssl.training.objective import Outputs
from rice_ssl.training.pretrain import PretrainData, Pretraining
from rice_ssl.training.timetable import Timetable
from rice_ssl.training.view_plan import Crops

NEVER = 1_000_000_000
_PROTOTYPES = "prototypes.weight"


@dataclass(frozen=True)
class Source:
    """What a pretraining is made of, but for its run directory."""

    data: PretrainData
    encoder: EncoderConfig
    config: PretrainConfig
    seed: int
    classes: int


@dataclass(frozen=True)
class HeldRate(Timetable):
    """A timetable whose learning rate stays at that of one step."""

    held: int = 0

    def set_rates(self, optimizer: Optimizer, step: int) -> float:
        """Give the optimizer the rate of the held step."""
        return super().set_rates(optimizer, min(step, self.held))


class SwAVTrajectory:
    """Kept checkpoints of a SwAV pretraining, on fixed batches.

    Training batches are those that came next after the event (or the checkpoint before the drop), with the crops that
    training cut; validation batches are training's own. The
    prototypes are taken as unit vectors, as every step of training makes them.

    Args:
        source: data, network, method, seed.
        folder: of the run's pretraining checkpoints.
        scratch: an empty folder for what continuations write.
        event: kind of the event under test; None for none.
        first: step whose batches and those after it are used.
        batches: how many.
        double: whether curvature is computed in float64; float32 is several times as fast on a CPU.

    Raises:
        ArtifactError: a checkpoint cannot be read.
    """

    def __init__(
        self,
        source: Source,
        folder: Path,
        scratch: Path,
        *,
        event: str | None,
        first: int,
        batches: int,
        double: bool = False,
    ) -> None:
        """Find the kept checkpoints and cut the batches."""
        self._source = dataclasses.replace(source, config=_quiet(source.config))
        self._paths = kept_checkpoints(folder)
        self._event, self._scratch = event, scratch
        self._dtype = torch.float64 if double else torch.float32
        self._training = self._begin(self._source.config, "look")
        self._queue_in_use = first >= self._training.time.queue_from
        numbers = range(first * source.config.accumulate, (first + batches) * source.config.accumulate)
        last = self._training.time.steps * source.config.accumulate
        self._crops: list[Crops] = [self._training.cut(number) for number in numbers if number < last]

    @property
    def kept(self) -> Sequence[int]:
        """See :class:`rice_ssl.landscape.trajectory.Trajectory`."""
        return list(self._paths)

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self._training.time.steps

    @property
    def changes_objective(self) -> bool:
        """Only the queue's start makes the same network's loss another one."""
        return self._event == "queue_start"

    @property
    def network(self) -> nn.Module:
        """The network at the loaded checkpoint."""
        return self._training.network

    def load(self, step: int) -> None:
        """See :class:`rice_ssl.landscape.trajectory.Trajectory`."""
        state = load_kept(self._paths[step])
        self._training.network.float().load_state_dict(state["network"])
        self._training.queue.load_state_dict(state["queue"])

    def parameters(self) -> list[Tensor]:
        """See :class:`rice_ssl.landscape.trajectory.Trajectory`."""
        return list(self.network.parameters())

    @torch.no_grad()
    def losses(self, split: str, side: Side) -> list[float]:
        """See :class:`rice_ssl.landscape.trajectory.Trajectory`."""
        training, prototypes = self._training, self._training.network.prototypes.weight
        if split == "val":
            self.network.eval()
            queue = training.queue if self._uses_queue(side) else None
            return training.validation.each(self.network, prototypes, queue)[0]
        before = copy.deepcopy(self.network.state_dict())  # training mode moves the running statistics
        self.network.train()
        found = []
        for crops in self._crops:
            outputs = training.objective.outputs(self.network, (crops.assigned, crops.local))
            loss, _ = training.objective.loss(outputs, prototypes, self._queue(side, outputs))
            found.append(float(loss.loss))
        self.network.load_state_dict(before)
        return found

    @torch.no_grad()
    def settle(self) -> None:
        """See :class:`rice_ssl.landscape.trajectory.Trajectory`."""
        norms = [module for module in self.network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over the batches
        self.network.train()
        for crops in self._crops:
            self.network(crops.assigned, crops.local)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.network.eval()

    def frozen(self, side: Side) -> list[Loss]:
        """See :class:`rice_ssl.landscape.trajectory.Trajectory`."""
        return [self._frozen(crops, side) for crops in self._crops]

    def continuation(self, step: int, steps: int, side: Side) -> pd.DataFrame | None:
        """See :class:`rice_ssl.landscape.trajectory.Trajectory`."""
        config = self._source.config
        if side == "without":
            if self._event == "queue_start":
                config = dataclasses.replace(config, queue_start=1.0)
            elif self._event == "prototypes_unfrozen":
                config = dataclasses.replace(config, freeze_prototypes_steps=NEVER)
            elif self._event not in {"warmup_end", "lr_phase"}:
                return None
        with TemporaryDirectory(dir=self._scratch) as folder:
            training = self._begin(config, folder, load_kept(self._paths[step]))
            if side == "without" and self._event in {"warmup_end", "lr_phase"}:
                training.time = HeldRate(**vars(training.time), held=step)
            end = min(step + steps, training.time.steps)
            training.run(show=False, until=end)
            if training.progress.step < end:  # it heard the signal that was meant for all tests
                raise KeyboardInterrupt
            table = training.log.frame()
        table = table[(table["split"] == "train") & (table["step"] >= step)]
        wide = table.pivot_table(index="step", columns="name", values="value").reset_index()
        if "reference_loss" not in wide:
            wide["reference_loss"] = wide["loss"]
        wide["reference_loss"] = wide["reference_loss"].fillna(wide["loss"])  # logged where the queue is used
        return wide[["step", "loss", "reference_loss"]]

    def _begin(self, config: PretrainConfig, name: str, state: dict[str, Any] | None = None) -> Pretraining:
        """A pretraining in a scratch run directory, from a checkpoint where one is given."""
        source, store = self._source, RunStore(self._scratch / name)
        store.root.mkdir(exist_ok=True)
        store.create({})

        def make() -> Pretraining:
            return Pretraining(store, source.data, source.encoder, config, seed=source.seed, classes=source.classes)

        training = make()
        if state is None:
            return training
        training.folder.mkdir(parents=True)
        save_checkpoint(training.folder, {**state, "settings": training.settings})
        return make()

    def _uses_queue(self, side: Side) -> bool:
        """Whether codes are computed with the queue; where the event is another one, as training had it."""
        wanted = side == "with" if self.changes_objective else self._queue_in_use
        return wanted and self._training.queue.is_full

    def _queue(self, side: Side, outputs: Outputs) -> ProjectionQueue | None:
        """The queue as training would have it for a batch: a copy, with the batch in it where training does so."""
        if not self._uses_queue(side):
            return None
        queue = copy.deepcopy(self._training.queue)
        if queue.before_codes:
            queue.push([projection.detach() for projection in outputs.projections])
        return queue

    def _frozen(self, crops: Crops, side: Side) -> Loss:
        network, objective = self._training.network, self._training.objective
        with torch.no_grad():
            now = objective.outputs(network, (crops.assigned, crops.local))
            codes = objective.codes(now.projections, network.prototypes.weight, self._queue(side, now))
        names = [name for name, _ in network.named_parameters()]
        exact = copy.deepcopy(network).to(self._dtype).eval()
        assigned = crops.assigned.to(self._dtype)
        local = None if crops.local is None else crops.local.to(self._dtype)

        def loss(parameters: Sequence[Tensor]) -> Tensor:
            given = {name: value.to(self._dtype) for name, value in zip(names, parameters, strict=True)}
            given[_PROTOTYPES] = functional.normalize(given[_PROTOTYPES], dim=1)
            outputs = objective.outputs(lambda *views: functional_call(exact, given, views), (assigned, local))
            found = swapped_loss(outputs.logits, codes, range(len(codes)), temperature=self._source.config.temperature)
            return found.loss

        return loss


def kept_of(folder: Path) -> list[int]:
    """Steps of the checkpoints that a training kept for good.

    Args:
        folder: of the run's pretraining checkpoints.

    Raises:
        ArtifactError: there are fewer than two.
    """
    found = list(kept_checkpoints(folder))
    if len(found) < 2:
        raise ArtifactError(
            f"{folder} holds {len(found)} kept checkpoint{'' if len(found) == 1 else 's'}, and the tests need two or "
            "more: train the run anew with pretrain.keep_checkpoints, 10 for one."
        )
    return found


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    with TemporaryDirectory(prefix="rice-ssl-") as folder:
        yield Path(folder)


def _quiet(config: PretrainConfig) -> PretrainConfig:
    """The same numbers, every step logged, and nothing written on the way."""
    return dataclasses.replace(
        config,
        checkpoint_every=NEVER,
        keep_checkpoints=0,
        log_every=1,
        knn_every=0,
        patience=0,
        keep="last",
        precision="32-true",
        compile=False,
        loggers=(),
    )
