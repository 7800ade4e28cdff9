"""Learning-rate schedules as pure functions of the step."""

from __future__ import annotations

import math
from typing import Any

from rice_ssl.errors import InputError


def learning_rate(step: int, steps: int, *, peak: float, warmup: float, schedule: str) -> float:
    """Learning rate at a step.

    Args:
        step: from 0 to ``steps`` - 1.
        steps: of the whole training, >= 1.
        peak: highest learning rate, > 0.
        warmup: share of the steps over which the rate rises, in [0, 1].
        schedule: ``cosine`` (linear rise, cosine fall to 0) or ``one-cycle`` (cosine rise from peak / 25, cosine fall
            to peak / 25e4; Smith and Topin 2018 in PyTorch's version).

    Raises:
        InputError: an unknown schedule.
    """
    rise = int(warmup * steps)
    if schedule == "cosine":
        if step < rise:
            return peak * (step + 1) / rise
        return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
    if schedule == "one-cycle":
        low, end = peak / 25, peak / 25e4
        if step < rise:
            return low + (peak - low) * 0.5 * (1 - math.cos(math.pi * step / rise))
        return end + (peak - end) * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
    raise InputError(f"Schedule {schedule!r} is unknown: take cosine or one-cycle.")


def momentum(step: int, steps: int, *, between: tuple[float, float], warmup: float) -> float:
    """Momentum of a one-cycle schedule: it falls while the learning rate rises, and rises while that falls.

    Args:
        step: from 0 to ``steps`` - 1.
        steps: of the whole training, >= 1.
        between: momentum at both ends, and at the learning rate's peak.
        warmup: share of the steps over which the rate rises, in [0, 1].

    Source:
        Smith and Topin 2018 (arXiv 1708.07120), with cosine slopes as PyTorch and fastai have it.
    """
    ends, peak = between
    rise = int(warmup * steps)
    share = step / rise if step < rise else 1 - (step - rise) / max(1, steps - rise)
    return ends + (peak - ends) * 0.5 * (1 - math.cos(math.pi * share))


def set_momentum(group: dict[str, Any], value: float) -> None:
    """Give an optimizer's parameter group its momentum: Adam's first beta, or SGD's."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


def queue_start_step(setting: float | str, steps: int, per_epoch: int) -> int:
    """First step whose codes may use the queue; ``steps`` for never.

    Args:
        setting: a fraction of all steps in [0, 1], where 1 is never; or ``"step N"`` or ``"epoch N"``, counted from 0.
        steps: of the whole training.
        per_epoch: steps of an epoch.

    Raises:
        InputError: the step or epoch named lies beyond the end of the training.
    """
    if not isinstance(setting, str):
        return min(steps, math.ceil(setting * steps))
    unit, number = setting.split()
    start = int(number) * (per_epoch if unit == "epoch" else 1)
    if start >= steps:
        raise InputError(
            f"pretrain.queue_start is {setting!r}, but the training ends after {steps} steps "
            f"({steps // per_epoch} epochs): name an earlier {unit}, or 1.0 for never."
        )
    return start


def warmup_end(steps: int, warmup: float) -> int:
    """First step at the peak of the learning rate."""
    return int(warmup * steps)
