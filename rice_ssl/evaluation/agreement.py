"""How far two sensors agree about the same pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rice_ssl.evaluation.bootstrap import Interval
from rice_ssl.evaluation.resampling import Bootstrap, interval_of, share_of

Classes = npt.NDArray[np.integer]
_ROUNDING = 1e-12


def cohen_kappa(table: npt.NDArray[np.number]) -> float:
    """Agreement beyond chance of two raters, from their joint counts (C, C); NaN where chance agreement is complete.

    Source: Cohen 1960.
    """
    counts = np.asarray(table, dtype=np.float64)
    total = counts.sum()
    if total == 0:
        return float("nan")
    seen = np.trace(counts) / total
    chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum() / total**2)
    return float("nan") if chance >= 1 else float((seen - chance) / (1 - chance))


def kappa_features(first: Classes, second: Classes, classes: int) -> npt.NDArray[np.float64]:
    """What :func:`kappa_of_means` needs of each pair, shape (N, 1 + 2 * classes): agreement, and both predictions."""
    one, a, b = np.eye(classes), np.asarray(first), np.asarray(second)
    return np.hstack([(a == b).astype(np.float64)[:, None], one[a], one[b]])


def kappa_of_means(means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cohen's kappa of means of :func:`kappa_features`, shape (M, 1 + 2 * classes); NaN as :func:`cohen_kappa`."""
    first, second = np.split(means[:, 1:], 2, axis=1)
    chance = (first * second).sum(axis=1)
    some = chance < 1 - _ROUNDING
    found: npt.NDArray[np.float64] = np.divide(
        means[:, 0] - chance, 1 - chance, out=np.full(len(means), np.nan), where=some
    )
    return found


def kappa_interval(first: Classes, second: Classes, classes: int, bootstrap: Bootstrap) -> Interval | None:
    """Cohen's kappa of two raters of the same pairs, shape (N,), with interval.

    Where they always agree, a bootstrap knows no doubt: the low end is then the kappa of Wilson's low end of the rate
    of agreement, with chance agreement as seen.

    Returns:
        None where chance agreement is complete, or of fewer than 2 pairs.
    """
    if len(first) < 2:
        return None
    features = kappa_features(first, second, classes)
    found = interval_of(kappa_of_means, features, bootstrap.pairs(len(features)), bootstrap.confidence)
    rate = share_of(features[:, 0], bootstrap.confidence)
    if found is None or rate is None or rate.value < 1:
        return found
    lowest = features.mean(axis=0, keepdims=True)
    lowest[0, 0] = rate.low
    return Interval(found.value, float(kappa_of_means(lowest)[0]), found.high)


def jensen_shannon(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Jensen-Shannon divergence in bits, in [0, 1], of each row of two tables of probabilities (N, C).

    Source: Lin 1991, with logarithms to base 2.
    """
    p, q = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    middle = (p + q) / 2

    def to_middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ratio = np.divide(values, middle, out=np.ones_like(values), where=values > 0)
        return np.asarray((values * np.log2(ratio)).sum(axis=1))

    return np.clip((to_middle(p) + to_middle(q)) / 2, 0.0, 1.0)


BOTH_RIGHT, NEITHER = "both", "neither"


def who_is_right(
    first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], names: tuple[str, str]
) -> npt.NDArray[np.object_]:
    """``both``, ``NAME only`` or ``neither`` for each pair, shape (N,), from whether each sensor is right there."""
    words = np.array([NEITHER, f"{names[1]} only", f"{names[0]} only", BOTH_RIGHT], dtype=object)
    found: npt.NDArray[np.object_] = words[2 * np.asarray(first, dtype=int) + np.asarray(second, dtype=int)]
    return found
