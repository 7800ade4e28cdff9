"""``rice-ssl pretrain``: SwAV on the pairs of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.training.pretrain import PretrainData, Pretraining
from rice_ssl.training.run_pictures import labelled_rows, run_pictures

_FEW = 0.25


@dataclass(frozen=True)
class PretrainSummary:
    """How pretraining ended; losses in nats.

    ``data_wait`` is the share of time that the loop waited for crops, ``prototype_perplexity`` how many of the
    ``prototypes`` the last images were spread over.
    """

    step: int
    steps: int
    seconds: float
    first_loss: float
    last_loss: float
    val_loss: float | None
    images_per_second: float
    data_wait: float
    prototypes: int
    prototype_perplexity: float
    effective_views: str
    finished: bool

    def text(self) -> str:
        """Readable summary."""
        state = "done" if self.finished else f"stopped at step {self.step} of {self.steps}, the same command resumes"
        val = "" if self.val_loss is None else f", validation {self.val_loss:.3f}"
        return (
            f"{state}; views {self.effective_views}; loss {self.first_loss:.3f} -> {self.last_loss:.3f}{val} nats; "
            f"{self.images_per_second:.0f} images/s, {100 * self.data_wait:.0f}% of the time waiting for crops; "
            f"images spread over {self.prototype_perplexity:.0f} of {self.prototypes} prototypes{self._hint()}"
        )

    def _hint(self) -> str:
        """What to try where few prototypes are used.

        Measured on the demo's images (128 prototypes, batch 32, queue 256): a queue used from half of the training on
        took the perplexity from 66 to 12, as its projections grow stale at a high learning rate; from 0.7 on, 74 to 25.
        """
        if not self.finished or self.prototype_perplexity >= _FEW * self.prototypes:
            return ""
        return " (few: start the queue later, shorten or leave it out, or lower pretrain.lr or pretrain.epsilon)"


def run_pretrain(
    store: RunStore, config: RunConfig, *, progress: bool = True, max_minutes: float | None = None
) -> PretrainSummary:
    """Pretrain on the run's training pairs; see :class:`rice_ssl.training.pretrain.Pretraining`."""
    pictures, table, sensors = run_pictures(store, config, torch.device("cpu"), progress=progress)
    classes = list(store.info()["classes"])
    train, val = [labelled_rows(table[table["split"] == name], sensors, classes, pictures) for name in ("train", "val")]
    data = PretrainData(pictures, train, val, tuple(sensors), config.data.image_size)
    training = Pretraining(store, data, config.encoder, config.pretrain, seed=config.seed, classes=len(classes))
    done = training.run(show=progress, max_minutes=max_minutes)
    val_loss = done.progress.val_loss
    return PretrainSummary(
        step=done.progress.step,
        steps=done.steps,
        seconds=done.seconds,
        first_loss=done.progress.first_loss,
        last_loss=done.progress.last_loss,
        val_loss=val_loss if math.isfinite(val_loss) else None,
        images_per_second=done.images_per_second,
        data_wait=done.data_wait,
        prototypes=config.pretrain.prototypes,
        prototype_perplexity=done.prototype_perplexity,
        effective_views=done.effective_views,
        finished=done.finished,
    )
