"""Bootstrap of figures that are functions of means over pairs, with intervals right for skew, bias and few pairs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from rice_ssl.evaluation.bootstrap import Interval, interval
from rice_ssl.evaluation.prototypes import wilson_interval

Values = npt.NDArray[np.float64]
Statistic = Callable[[Values], Values]
"""From means of features over pairs, shape (M, K), to M figures, shape (M,); NaN where a figure is undefined."""
_CELLS = 4_000_000
"""Numbers held at once as float64: 32 MB."""


@dataclass(frozen=True)
class Resampled:
    """How often each repetition of a bootstrap drew each pair.

    Attributes:
        times: shape (repetitions, pairs); each row sums to the number of pairs.
    """

    times: npt.NDArray[np.uint8]

    def means(self, features: npt.NDArray[np.floating]) -> Values:
        """Means of features, shape (N, K), over the pairs of each repetition, shape (repetitions, K)."""
        step = max(1, _CELLS // max(1, self.times.shape[1]))
        parts = [self.times[at : at + step].astype(np.float64) @ features for at in range(0, len(self.times), step)]
        found: Values = np.concatenate(parts) / self.times.shape[1]
        return found


def resampled(drawn: npt.NDArray[np.integer]) -> Resampled:
    """Count pairs drawn, shape (repetitions, N), as :func:`rice_ssl.evaluation.bootstrap.draws` gives them."""
    repetitions, count = drawn.shape
    times = np.zeros((repetitions, count), dtype=np.uint8)
    step = max(1, _CELLS // max(1, count))
    for at in range(0, repetitions, step):
        part = np.asarray(drawn[at : at + step])
        cells = (part + count * np.arange(len(part))[:, None]).ravel()
        times[at : at + step] = np.bincount(cells, minlength=part.size).reshape(part.shape)
    return Resampled(times)


@lru_cache(maxsize=2)
def draw(count: int, repetitions: int, seed: int) -> Resampled:
    """The draws of :func:`rice_ssl.evaluation.bootstrap.draws`, without ever holding their numbers all at once."""
    rng, step = np.random.default_rng([seed, 7]), max(1, _CELLS // count)
    sizes = [min(step, repetitions - at) for at in range(0, repetitions, step)]
    return Resampled(np.concatenate([resampled(rng.integers(0, count, (size, count))).times for size in sizes]))


def interval_of(
    statistic: Statistic, features: npt.NDArray[np.floating], pairs: Resampled, confidence: float
) -> Interval | None:
    """Bias-corrected and accelerated interval of a figure, expanded for few pairs.

    A percentile interval is too narrow with few pairs, by sqrt((n - 1) / n) and the normal for a t quantile, and lies
    wrongly where the figure is skewed or biased; this one makes up for all of these. It cannot see spread that the
    pairs do not show: where all are alike, it is a point.

    Args:
        statistic: the figure from means of features.
        features: of each pair, shape (N, K).
        pairs: drawn from the same N.
        confidence: in (0, 1).

    Returns:
        None where the figure is undefined for these pairs. Repetitions in which it is undefined are left out.

    Source:
        Efron 1987 (BCa; acceleration by the jackknife); Hesterberg 2015 (expansion).
    """
    values, count = np.asarray(features, dtype=np.float64), len(features)
    middle = values.mean(axis=0, keepdims=True)
    value = float(statistic(middle)[0])
    if not np.isfinite(value):
        return None
    repeated = statistic(pairs.means(values))
    repeated = np.sort(repeated[np.isfinite(repeated)])
    if count < 2 or len(repeated) == 0 or math.isclose(repeated[0], repeated[-1], rel_tol=1e-12, abs_tol=1e-15):
        return Interval(value, value, value)
    without = statistic((count * middle - values) / (count - 1))
    without = without[np.isfinite(without)]
    off = without.mean() - without if len(without) else np.zeros(1)
    spread = float((off**2).sum())
    acceleration = float((off**3).sum()) / (6 * spread**1.5) if spread > 0 else 0.0
    tie = 1e-9 * (repeated[-1] - repeated[0])
    below = (np.searchsorted(repeated, value - tie) + np.searchsorted(repeated, value + tie)) / 2
    bias = float(norm.ppf(np.clip(below / len(repeated), 0.5 / len(repeated), 1 - 0.5 / len(repeated))))
    reach = bias + np.array([-1, 1]) * t.ppf((1 + confidence) / 2, count - 1) * math.sqrt(count / (count - 1))
    shares = norm.cdf(bias + reach / np.maximum(1 - acceleration * reach, 1e-9))
    low, high = np.quantile(repeated, shares)
    return Interval(value, min(value, float(low)), max(value, float(high)))


def centred_interval_of(
    statistic: Statistic, features: npt.NDArray[np.floating], pairs: Resampled, confidence: float
) -> Interval:
    """Percentile interval of a figure that is never below 0 and grows with noise, such as a calibration error.

    Such a figure is too high on few pairs, and higher still on pairs drawn with replacement: what the repetitions are
    higher by on average is taken off. The interval is of the figure as it is measured on this number of pairs, its
    bias included.

    Args:
        statistic: the figure from means of features; always defined.
        features: of each pair, shape (N, K).
        pairs: drawn from the same N.
        confidence: in (0, 1).

    Source:
        Efron and Tibshirani 1993, section 10.6.
    """
    value = float(statistic(np.mean(features, axis=0, keepdims=True))[0])
    repeated = statistic(pairs.means(features))
    found = interval(value, repeated - (repeated.mean() - value), confidence)
    return Interval(value, min(value, max(0.0, found.low)), max(value, found.high))


def mean_of(scores: npt.NDArray[np.floating], pairs: Resampled, confidence: float) -> Interval:
    """Interval of the mean of per-pair scores, shape (N,).

    Raises:
        ValueError: a score is not finite, or there is none.
    """
    values = np.asarray(scores, dtype=np.float64)
    found = interval_of(lambda means: means[:, 0], values[:, None], pairs, confidence) if len(values) else None
    if found is None:
        bad = int((~np.isfinite(values)).sum())
        raise ValueError(f"{bad} of {len(values)} scores are not finite: give one finite score or more, and only such.")
    return found


def share_of(right: npt.NDArray[np.generic], confidence: float) -> Interval | None:
    """Share of pairs, shape (N,), that are true, with Wilson's interval; None of no pair.

    A share needs no bootstrap, and where all pairs are right a bootstrap knows no doubt.
    """
    count, successes = len(right), int(np.sum(right))
    return Interval(successes / count, *wilson_interval(successes, count, confidence)) if count else None


@dataclass(frozen=True)
class Bootstrap:
    """How intervals of a report are made.

    Attributes:
        repetitions: at least 1.
        confidence: in (0, 1).
        seed: of the draws; the same number of pairs has the same draws, so that differences are paired.
    """

    repetitions: int
    confidence: float
    seed: int

    def pairs(self, count: int) -> Resampled:
        """Draws of so many pairs."""
        return draw(count, self.repetitions, self.seed)

    def mean(self, scores: npt.NDArray[np.floating]) -> dict[str, float] | None:
        """Mean of per-pair scores, shape (N,), with interval; None of fewer than 2, which show no spread."""
        if len(scores) < 2:
            return None
        return mean_of(scores, self.pairs(len(scores)), self.confidence).as_dict()

    def share(self, right: npt.NDArray[np.generic]) -> dict[str, float] | None:
        """Share of pairs, shape (N,), with Wilson's interval; None of no pair."""
        found = share_of(right, self.confidence)
        return None if found is None else found.as_dict()
