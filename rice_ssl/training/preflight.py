"""What is refused before a pretraining begins, and how many steps it has."""

from __future__ import annotations

from dataclasses import dataclass

from rice_ssl.config import PretrainConfig
from rice_ssl.errors import InputError
from rice_ssl.swav.ranks import Ranks
from rice_ssl.training.schedules import queue_start_step


@dataclass(frozen=True)
class Timetable:
    """Steps of an epoch, of the whole training, and the first one whose codes may use the queue (``steps``: never)."""

    per_epoch: int
    steps: int
    queue_from: int


def plan_steps(config: PretrainConfig, *, samples: int, val_samples: int, classes: int, ranks: Ranks) -> Timetable:
    """Count the steps, and refuse settings that do not fit the data.

    Args:
        config: the method.
        samples: of the training split.
        val_samples: of the validation split.
        classes: of the data; 0 when unknown.
        ranks: processes that share each batch.

    Raises:
        InputError: the message names the setting, its value and what to take instead.
    """
    used = config.batch_size * config.accumulate
    if samples < used:
        detail = "" if config.accumulate == 1 else f" times pretrain.accumulate {config.accumulate}"
        raise InputError(
            f"pretrain.batch_size is {config.batch_size}{detail}, but the training split has {samples} samples: "
            f"take at most {samples // config.accumulate}."
        )
    if config.batch_size % ranks.world or config.batch_size < 2 * ranks.world:
        fitting = max(2, round(config.batch_size / ranks.world)) * ranks.world
        raise InputError(
            f"pretrain.batch_size is {config.batch_size}, which {ranks.world} processes cannot share evenly, two "
            f"samples or more each: take {fitting}."
        )
    if config.prototypes < classes:
        raise InputError(
            f"pretrain.prototypes is {config.prototypes}, but there are {classes} classes: take at least {classes}."
        )
    if val_samples < 2:
        for name, asked in (("patience", config.patience > 0), ("keep", config.keep == "best")):
            if asked:
                raise InputError(
                    f"pretrain.{name} is {getattr(config, name)!r}, which is judged on validation pairs, and there are "
                    "none: leave it out, or give data.validation_fold pairs."
                )
    per_epoch = samples // used
    steps = per_epoch * config.epochs
    queue_from = queue_start_step(config.queue_start, steps, per_epoch) if config.queue_length else steps
    return Timetable(per_epoch, steps, queue_from)
