"""Percentile bootstrap over pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Interval:
    """A figure with the interval that a bootstrap over pairs gives it."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """``value``, ``low``, ``high``."""
        return {"value": self.value, "low": self.low, "high": self.high}


def draws(count: int, repetitions: int, seed: int) -> npt.NDArray[np.int64]:
    """Pairs drawn with replacement, shape (repetitions, count); the same for every figure, so differences pair up."""
    return np.random.default_rng([seed, 7]).integers(0, count, (repetitions, count))


def interval(value: float, repeated: npt.NDArray[np.floating], confidence: float) -> Interval:
    """Percentile interval of repeated figures around ``value``; repetitions that are not finite are left out."""
    finite = repeated[np.isfinite(repeated)]
    if len(finite) == 0:
        return Interval(value, value, value)
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high))
