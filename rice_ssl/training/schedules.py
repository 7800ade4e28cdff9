"""Learning-rate schedules as pure functions of the step."""

from __future__ import annotations

import math

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


def warmup_end(steps: int, warmup: float) -> int:
    """First step at the peak of the learning rate."""
    return int(warmup * steps)
