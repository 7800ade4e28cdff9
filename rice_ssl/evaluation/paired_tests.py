"""Do two judges differ on the same pairs? Differences with intervals, and McNemar's test."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, chi2, norm

from rice_ssl.evaluation.bootstrap import Interval
from rice_ssl.evaluation.resampling import Resampled, mean_of

EXACT_BELOW = 25
"""Discordant pairs from which on the chi-squared distribution is near enough."""


@dataclass(frozen=True)
class McNemar:
    """Whether two judges are right equally often.

    Attributes:
        first_only: pairs on which only the first is right; ``second_only``: only the second.
        p: of the hypothesis that both counts are equal but for chance; two-sided.
        method: ``exact`` (binomial) or ``chi-squared`` (with continuity correction).
    """

    first_only: int
    second_only: int
    p: float
    method: str


def mcnemar(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_]) -> McNemar:
    """Test whether two judges are right equally often, from where each is right, shape (N,); exact with few pairs.

    Raises:
        ValueError: the shapes differ; the message gives them.

    Source:
        McNemar 1947; Edwards 1948 (continuity correction).
    """
    a, b = (np.asarray(values, dtype=bool) for values in (right_a, right_b))
    _same_pairs(a, b)
    first_only, second_only = int((a & ~b).sum()), int((b & ~a).sum())
    discordant = first_only + second_only
    if discordant < EXACT_BELOW:
        p = float(binomtest(first_only, discordant, 0.5).pvalue) if discordant else 1.0
        return McNemar(first_only, second_only, p, "exact")
    statistic = max(0, abs(first_only - second_only) - 1) ** 2 / discordant
    return McNemar(first_only, second_only, float(chi2.sf(statistic, 1)), "chi-squared")


def paired_difference(
    scores_a: npt.NDArray[np.generic],
    scores_b: npt.NDArray[np.generic],
    pairs: Resampled,
    confidence: float,
) -> Interval:
    """Mean of a - b over the same pairs, with interval.

    Of scores that are right or wrong (only 0 and 1) the interval is Bonett and Price's, which needs no draws and keeps
    its confidence where few pairs are judged differently, or none; of others, that of a bootstrap over pairs.

    Args:
        scores_a: of each pair, finite, shape (N,); N is 2 or more.
        scores_b: of the same pairs, shape (N,).
        pairs: drawn from the same N.
        confidence: in (0, 1).

    Raises:
        ValueError: shapes do not match, or a score is not finite.

    Source:
        Bonett and Price 2012; :func:`rice_ssl.evaluation.resampling.interval_of`.
    """
    a, b = np.asarray(scores_a, dtype=np.float64), np.asarray(scores_b, dtype=np.float64)
    _same_pairs(a, b)
    count = pairs.times.shape[1]
    if a.shape != (count,):
        raise ValueError(f"drawn is of {count} pairs, the scores are of {len(a)}: draw from the same pairs.")
    if len(a) and np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all():
        return share_difference(a > 0, b > 0, confidence)
    return mean_of(a - b, pairs, confidence)


def share_difference(right_a: npt.NDArray[np.bool_], right_b: npt.NDArray[np.bool_], confidence: float) -> Interval:
    """Difference of two shares of the same pairs, shape (N,), N at least 1, with Bonett and Price's interval."""
    gap = np.asarray(right_a, dtype=int) - np.asarray(right_b, dtype=int)
    more, less = (((gap == sign).sum() + 1) / (len(gap) + 2) for sign in (1, -1))
    reach = norm.ppf((1 + confidence) / 2) * math.sqrt((more + less - (more - less) ** 2) / (len(gap) + 2))
    value, middle = float(gap.mean()), float(more - less)
    return Interval(value, max(-1.0, min(value, middle - reach)), min(1.0, max(value, middle + reach)))


def _same_pairs(a: npt.NDArray[np.generic], b: npt.NDArray[np.generic]) -> None:
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"The two judges have shapes {a.shape} and {b.shape}: give (N,) of the same N pairs.")
