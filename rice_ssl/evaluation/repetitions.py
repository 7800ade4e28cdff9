"""Bootstraps and nulls of prototypes: how often a second or two allows, by size, and what is told of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rice_ssl.evaluation.bootstrap import interval
from rice_ssl.evaluation.prototypes import CONFIDENCE

_DRAWN, _SHUFFLED = 20_000_000, 20_000_000
"""Binomial numbers drawn for one bootstrap, and numbers shuffled for one null, at most: a second or two."""
FEWEST, MOST = 40, 1000
"""Repetitions of a bootstrap, as many as that allows."""


def shuffles_for(count: int) -> int:
    """How often so many pairs or images are shuffled."""
    return int(np.clip(_SHUFFLED // max(1, count), 40, 200))


def repetitions_for(cells: int) -> int:
    """How often a bootstrap that draws so many counts each time is repeated."""
    return int(np.clip(_DRAWN // max(1, cells), FEWEST, MOST))


def parts_of(repetitions: int, cells: int) -> list[int]:
    """Repetitions done at once, so that no more than a few million numbers are held."""
    step = max(1, 2_000_000 // max(1, cells))
    return [min(step, repetitions - at) for at in range(0, repetitions, step)]


def ends_of(null: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The 2.5% and 97.5% quantiles of a null."""
    low, high = np.quantile(null, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def centred_interval(value: float, repeated: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Percentile interval, 95%, in [0, 1], of repetitions less what they are higher by than the value on average."""
    found = interval(value, repeated - (repeated.mean() - value), CONFIDENCE)
    return min(value, max(0.0, found.low)), max(value, min(1.0, found.high))
