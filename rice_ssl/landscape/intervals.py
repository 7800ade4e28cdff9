"""Intervals over a few batches, and over a series whose neighbours are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from rice_ssl.evaluation.bootstrap import Interval


def batch_interval(values: Sequence[float], *, spread: float = 0.0, confidence: float = 0.95) -> Interval:
    """Mean of batches with Student's interval, of no width where one batch only is there to judge by.

    Args:
        values: one of each batch, at least one.
        spread: half-width that is added on either side, e.g. what the starts of Lanczos differ by.
        confidence: in (0, 1).
    """
    mean, count = float(np.mean(values)), len(values)
    half = spread
    if count > 1:
        error = float(np.std(values, ddof=1)) / math.sqrt(count)
        half += float(stats.t.ppf((1 + confidence) / 2, count - 1)) * error
    return Interval(mean, mean - half, mean + half)


def series_interval(values: Sequence[float], *, block: int = 5, repeats: int = 1000, seed: int = 0) -> Interval:
    """Mean of a series with a 95 % interval from a bootstrap of blocks, as neighbours of a series are alike.

    Args:
        values: in their order, at least one.
        block: neighbours that are drawn together.
        repeats: of the bootstrap.
        seed: of the draws.
    """
    series = np.asarray(values, np.float64)
    block = max(1, min(block, len(series) // 2))
    starts = np.random.default_rng(seed).integers(0, len(series) - block + 1, (repeats, -(-len(series) // block)))
    drawn = series[(starts[:, :, None] + np.arange(block)).reshape(repeats, -1)[:, : len(series)]].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(float(series.mean()), float(low), float(high))
