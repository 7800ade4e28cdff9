"""``rice-ssl finetune``: the classifier of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.training.finetune import Finetuning
from rice_ssl.training.run_pictures import labelled_rows, run_pictures


@dataclass(frozen=True)
class FinetuneSummary:
    """How fine-tuning ended; the validation figures are of pairs judged from all their sensors, at the epoch kept."""

    step: int
    steps: int
    seconds: float
    last_loss: float
    best_epoch: int
    val_log_loss: float | None
    val_accuracy: float | None
    finished: bool

    def text(self) -> str:
        """Readable summary."""
        state = "done" if self.finished else f"stopped at step {self.step} of {self.steps}, the same command resumes"
        if self.val_log_loss is None:
            return f"{state}; last loss {self.last_loss:.3f} nats; no validation pairs"
        return (
            f"{state}; epoch {self.best_epoch} kept: validation log loss {self.val_log_loss:.3f} nats, "
            f"accuracy {self.val_accuracy:.3f} (each pair from all its images)"
        )


def run_finetune(store: RunStore, config: RunConfig, *, progress: bool = True) -> FinetuneSummary:
    """Fine-tune on the run's labelled training pairs; see :class:`rice_ssl.training.finetune.Finetuning`."""
    pictures, table, sensors = run_pictures(store, config, torch.device("cpu"), progress=progress)
    classes = tuple(store.info()["classes"])
    known = table[table["label"].isin(classes)]
    training = Finetuning(
        store,
        pictures,
        labelled_rows(known[known["split"] == "train"], sensors, classes, pictures),
        labelled_rows(known[known["split"] == "val"], sensors, classes, pictures),
        classes,
        config.data.image_size,
        config.encoder,
        config.finetune,
        seed=config.seed,
    )
    done = training.run(show=progress)
    judged = math.isfinite(done.progress.best_log_loss)
    return FinetuneSummary(
        step=done.progress.step,
        steps=done.steps,
        seconds=done.seconds,
        last_loss=done.progress.last_loss,
        best_epoch=done.progress.best_epoch,
        val_log_loss=done.progress.best_log_loss if judged else None,
        val_accuracy=done.progress.best_accuracy if judged else None,
        finished=done.finished,
    )
