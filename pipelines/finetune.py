"""``rice-ssl finetune``: the classifier of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from rice_ssl.artifacts import RunStore
from rice_ssl.config import FinetuneConfig, RunConfig
from rice_ssl.training.finetune import Task, fine_tune
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
            f"{state}; epoch {self.best_epoch} is the best: validation log loss {self.val_log_loss:.3f} nats, "
            f"accuracy {self.val_accuracy:.3f} (each pair from all its images)"
        )


def run_finetune(store: RunStore, config: RunConfig, *, progress: bool = True) -> FinetuneSummary:
    """Fine-tune on the run's labelled training pairs; see :func:`rice_ssl.training.finetune.fine_tune`."""
    pictures, table, sensors = run_pictures(store, config, torch.device("cpu"), progress=progress)
    classes = tuple(store.info()["classes"])
    labelled = table[table["label"].isin(classes)]
    train, val = (
        labelled_rows(labelled[labelled["split"] == split], sensors, classes, pictures) for split in ("train", "val")
    )
    done = fine_tune(
        store,
        Task(pictures, train, val, classes, tuple(sensors)),
        config.encoder,
        config.finetune,
        seed=config.seed,
        source=swav_source(store, config.finetune),
        show=progress,
    )
    found = done.progress
    judged = math.isfinite(found.best_log_loss)
    return FinetuneSummary(
        step=found.step,
        steps=done.steps,
        seconds=done.seconds,
        last_loss=found.last_loss,
        best_epoch=found.best_epoch,
        val_log_loss=found.best_log_loss if judged else None,
        val_accuracy=found.best_accuracy if judged else None,
        finished=done.finished,
    )


def swav_source(store: RunStore, config: FinetuneConfig) -> RunStore:
    """The run whose SwAV weights a classifier starts from."""
    return store if config.swav_run is None else RunStore(Path(config.swav_run))
