"""The samples near a possible drop and the falls that were tried on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.fall_shapes import Falls, Models, falls

Floats = npt.NDArray[np.float64]
PARAMETERS = 6
"""Two lines, an onset and a length."""
LENGTHS = (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64)
ROOM = 4
"""Samples that each line has at least, beside the fall's own ends."""


@dataclass(frozen=True)
class FitWindow:
    """The samples near a drop and the falls that were tried there.

    Attributes:
        start: index of the first sample.
        t: time, scaled to about [-1, 1], shape (N,).
        unit: steps in one unit of ``t``.
        values: shape (N,).
        falls: tried.
        models: theirs.
        rss: theirs, infinite for a rise, shape (F,).
        best: index of the fall that is taken.
        smooth: least residual sum of squares without a drop.
        least_noise: standard deviation that the noise has at least.
    """

    start: int
    t: Floats
    unit: float
    values: Floats
    falls: Falls
    models: Models
    rss: Floats
    best: int
    smooth: float
    least_noise: float

    @property
    def degrees(self) -> int:
        """Degrees of freedom of the noise."""
        return max(len(self.values) - PARAMETERS, 1)

    @property
    def noise(self) -> float:
        """Standard deviation of the residuals, but no less than ``least_noise``."""
        return max(float(np.sqrt(self.rss[self.best] / self.degrees)), self.least_noise)

    @property
    def fitted(self) -> Floats:
        """What the best fall gives for the values."""
        share, weights = self.falls.shares[self.best], self.weights
        found: Floats = (1 - share) * (weights[0] + weights[1] * self.t) + share * (weights[2] + weights[3] * self.t)
        return found

    @property
    def weights(self) -> Floats:
        """Level and slope of the line before and of the line after, in units of ``t``."""
        which = np.arange(len(self.rss)) == self.best
        found: Floats = self.models.only(which).weights(self.values)[0]
        return found

    @property
    def size(self) -> float:
        """How far the old line lies above the new one, mid-fall."""
        which = np.arange(len(self.rss)) == self.best
        return float(self.models.only(which).sizes(self.values)[0])

    @property
    def lead(self) -> float:
        """How much better the drop fits than the best curve without one, in squared noise.

        Over the variance of a mean of many residuals, if that is more than of one: residuals that follow each other
        make a drop, too, without one.
        """
        residual = self.values - self.fitted
        follow = float(residual[1:] @ residual[:-1]) / max(float(residual @ residual), 1e-24)
        follow = min(max(follow, 0.0), 0.9)
        return (self.smooth - float(self.rss[self.best])) / max(self.noise**2, 1e-24) * (1 - follow) / (1 + follow)


def fit_within(
    steps: Floats, values: Floats, around: int, *, half: int, longest: int, shift: int, least_noise: float
) -> FitWindow | None:
    """The best fall, by a coarse search, within ``half`` samples to either side of a candidate."""
    start, stop = max(0, around - half), min(len(values), around + half)
    unit = max(float(np.abs(steps[[start, stop - 1]] - steps[around]).max()), 1e-12)
    t, y, here = (steps[start:stop] - steps[around]) / unit, values[start:stop], around - start
    tried = falls(
        t,
        [length for length in LENGTHS if length <= longest],
        (here - shift - longest // 2, here + shift),
        at_once=(0.5,),
        fineness=4,
        room=ROOM,
    )
    if tried is None:
        return None
    models = Models.of(tried.shares, t)
    rss, best = _least(tried, models, y)
    return (
        None if best is None else FitWindow(start, t, unit, y, tried, models, rss, best, _smooth_rss(t, y), least_noise)
    )


def refined(window: FitWindow, longest: int) -> FitWindow:
    """The same with more lengths, onsets and shapes near the best fall."""
    onset, length = int(window.falls.onsets[window.best]), int(window.falls.lengths[window.best])
    finer = falls(
        window.t,
        range(max(1, length // 2), min(length + length // 2 + 2, longest + 1), max(1, length // 12)),
        (onset - 2 - length // 4, onset + 2 + length // 4),
        at_once=(0.2, 0.35, 0.65, 0.8),
        fineness=12,
        room=ROOM,
    )
    if finer is None:
        return window
    tried = window.falls.and_also(finer)
    models = window.models.and_also(Models.of(finer.shares, window.t))
    rss, best = _least(tried, models, window.values)
    return window if best is None else replace(window, falls=tried, models=models, rss=rss, best=best)


def _least(tried: Falls, models: Models, y: Floats) -> tuple[Floats, int | None]:
    """Residual sum of squares of each fall (infinite for a rise), and the index of the best; None if all are rises."""
    rss = np.where(models.sizes(y) > 0, models.rss(y[:, None])[:, 0], np.inf)
    if not np.isfinite(rss).any():
        return rss, None
    variance = max(float(rss.min()) / max(len(y) - PARAMETERS, 1), 1e-24)
    toll = np.log(len(y)) * variance * (np.log2(tried.lengths) + tried.parts)
    return rss, int(np.argmin(rss + toll))


def _smooth_rss(t: Floats, y: Floats) -> float:
    """Least residual sum of squares without a drop: a line that changes its slope once, or a smooth curve.

    The curve is a polynomial with as many parameters as a drop has.
    """
    knots = t[1 : -1 : max(1, len(t) // 60)]
    hinges = np.stack([np.stack([np.ones_like(t), t, np.maximum(t - knot, 0)], axis=1) for knot in knots])
    curve = np.polynomial.chebyshev.chebvander(t, min(PARAMETERS, len(t) // 4) - 1)
    found = []
    for designs in (hinges, curve[None]):
        bases = np.linalg.qr(designs)[0]
        residual = y - (bases @ (y @ bases)[:, :, None])[:, :, 0]
        found.append(float((residual**2).sum(axis=1).min()))
    return min(found)
