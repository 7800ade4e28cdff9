"""Fit one drop locally: a line before, a line after, and the fall between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LocalFit:
    """A drop as two lines and a fall.

    Attributes:
        before: index of the last sample on the old level.
        after: index of the first sample on the new level.
        size: how far the old line lies above the new one, mid-fall; unit of the values.
        slopes: of the two lines, per step.
        noise: standard deviation of the residuals.
        low: lowest plausible ``before``.
        high: highest plausible ``after``.
        lead: how much better the drop fits than the best single change of slope, in squared noise.
    """

    before: int
    after: int
    size: float
    slopes: tuple[float, float]
    noise: float
    low: int
    high: int
    lead: float

    @property
    def middle(self) -> int:
        """First sample that lies past half of the fall."""
        return (self.before + self.after + 1) // 2


def fit_drop(
    steps: Floats,
    values: Floats,
    around: int,
    *,
    longest: int,
    reach: int,
    bootstrap: int,
    confidence: float,
    seed: int,
) -> LocalFit | None:
    """Place a drop near a candidate.

    Least squares over every pair (last sample before, first sample after); a fall that takes more than one interval
    must earn its length (a toll by its logarithm). Steps are used as they are, so a hole in the log is bridged by the
    lines on either side. The interval comes from a bootstrap of the residuals in blocks of three.

    Args:
        steps: strictly increasing, shape (N,).
        values: shape (N,).
        around: candidate index.
        longest: longest fall, in sample intervals.
        reach: samples that each line may use.
        bootstrap: resamples.
        confidence: of the interval.
        seed: of the bootstrap.

    Returns:
        The fit, or None where either side has fewer than five samples.
    """
    start, stop = max(0, around - reach - longest), min(len(values), around + reach + longest)
    t = steps[start:stop] - steps[around]
    t = t / max(float(np.abs(t).max()), 1e-12)
    y, here = values[start:stop], around - start
    shift = max(3, longest)
    pairs = [
        (before, before + length)
        for before in range(here - shift - 1, here + shift)
        for length in range(1, longest + 1)
        if before >= 4 and before + length <= len(y) - 5 and abs(before + length / 2 - here) <= shift
    ]
    if not pairs:
        return None
    bases = [np.linalg.qr(_design(t, before, after))[0] for before, after in pairs]
    lengths = np.array([after - before for before, after in pairs])
    rss = np.array([_rss(y[:, None], basis)[0] for basis in bases])
    degrees = max(len(y) - 6, 1)
    toll = 2 * np.log(len(y)) * rss.min() / degrees * np.log2(lengths)
    best = int(np.argmin(rss + toll))
    before, after = pairs[best]
    design = _design(t, before, after)
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    fitted = design @ weights
    residual = y - fitted
    noise = float(np.sqrt(rss[best] / degrees))
    mid = (t[before] + t[after]) / 2
    size = float(weights[0] + weights[1] * mid - weights[2] - weights[3] * mid)
    unit = (steps[stop - 1] - steps[start]) / (t[-1] - t[0])
    rng = np.random.default_rng(seed)
    blocks = -(-len(y) // 3)
    places = rng.integers(0, max(len(y) - 2, 1), size=(blocks, bootstrap))
    rows = (places[:, None, :] + np.arange(3)[None, :, None]).reshape(-1, bootstrap)[: len(y)]
    again = fitted[:, None] + residual[np.minimum(rows, len(y) - 1)]
    losses = np.stack([_rss(again, basis) for basis in bases])
    tolls = 2 * np.log(len(y)) * losses.min(axis=0) / degrees
    chosen = (losses + tolls * np.log2(lengths)[:, None]).argmin(axis=0)
    befores, afters = np.array(pairs)[chosen].T
    tail = (1 - confidence) / 2
    low = min(before, int(np.floor(np.quantile(befores, tail))))
    high = max(after, int(np.ceil(np.quantile(afters, 1 - tail))))
    return LocalFit(
        before + start,
        after + start,
        size,
        (float(weights[1] / unit), float(weights[3] / unit)),
        noise,
        low + start,
        high + start,
        (_hinge_rss(t, y) - float(rss[best])) / max(noise**2, 1e-24),
    )


def _hinge_rss(t: Floats, y: Floats) -> float:
    """Least residual sum of squares of a line that may change its slope once, anywhere."""
    designs = (np.stack([np.ones_like(t), t, np.maximum(t - knot, 0)], axis=1) for knot in t[1:-1])
    return min(float(_rss(y[:, None], np.linalg.qr(design)[0])[0]) for design in designs)


def _design(t: Floats, before: int, after: int) -> Floats:
    """Columns: level and slope of the line before, level and slope of the line after; a straight fall between them."""
    share = np.clip((t - t[before]) / (t[after] - t[before]), 0, 1)
    left, right = np.minimum(t, t[before]), np.maximum(t, t[after])
    return np.stack([1 - share, (1 - share) * left, share, share * right], axis=1)


def _rss(columns: Floats, basis: Floats) -> Floats:
    """Residual sums of squares of each column, given an orthonormal basis of the model."""
    rss: Floats = np.maximum((columns**2).sum(axis=0) - ((basis.T @ columns) ** 2).sum(axis=0), 0)
    return rss
