"""What a pretraining does at which step, and what is refused before it begins."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch.optim import Optimizer

from rice_ssl.config import PretrainConfig
from rice_ssl.errors import InputError
from rice_ssl.swav.ranks import Ranks
from rice_ssl.training.schedules import learning_rate, momentum, queue_start_step, set_momentum, warmup_end


@dataclass(frozen=True)
class Timetable:
    """The recipe's schedule.

    Attributes:
        config: the method.
        per_epoch: steps of an epoch.
        steps: of the whole training.
        queue_from: the first step whose codes may use the queue; ``steps`` for never.
    """

    config: PretrainConfig
    per_epoch: int
    steps: int
    queue_from: int

    def set_rates(self, optimizer: Optimizer, step: int) -> float:
        """Give the optimizer a step's learning rate, and its momentum where that moves; return the former."""
        config = self.config
        rate = learning_rate(step, self.steps, peak=config.lr, warmup=config.warmup, schedule=config.schedule)
        for group in optimizer.param_groups:
            group["lr"] = rate
            if config.momentum is None:
                continue
            set_momentum(group, momentum(step, self.steps, between=config.momentum, warmup=config.warmup))
        return rate

    def switches(self, step: int) -> list[tuple[str, str]]:
        """Kind and detail of what the recipe switches at a step, but for the queue, which must be full, too."""
        config = self.config
        found = []
        if step and step == warmup_end(self.steps, config.warmup):
            found.append(("warmup_end", f"Learning rate at its peak of {config.lr:g}."))
        if step and step == config.freeze_prototypes_steps:
            found.append(("prototypes_unfrozen", "The prototypes learn from here on."))
        return found

    def kept_steps(self) -> frozenset[int]:
        """Steps before which a checkpoint is kept for good: the end of training counts as one, too.

        The loss can only be compared with and without a switch where the network before it is at hand; the controls
        away from it come from the equal distances.
        """
        config = self.config
        if not config.keep_checkpoints:
            return frozenset()
        found = {round(self.steps * k / config.keep_checkpoints) for k in range(config.keep_checkpoints + 1)}
        filled = math.ceil(config.queue_length / (config.batch_size * config.accumulate))
        queue = self.queue_from if config.queue == "original" else max(self.queue_from, filled)
        for step in (warmup_end(self.steps, config.warmup), config.freeze_prototypes_steps, queue):
            if 0 < step < self.steps:
                found |= {step, min(step + self.per_epoch, self.steps)}
        return frozenset(found)


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
            f"take at most {max(2, samples // config.accumulate)}{' and less to accumulate' if detail else ''}."
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
    return Timetable(config, per_epoch, steps, queue_from)
