"""Fit one drop locally: a line before, a line after, and the fall between them, with an interval for the whole fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.fit_window import FitWindow, fit_within, refined

Floats = npt.NDArray[np.float64]
HALVES = (12, 20, 34, 57, 96, 150)
"""Samples to either side of a candidate that a fit may use."""
STEADY = 60
"""Samples from which the noise of a window is known well enough to be compared with others."""
MOST_NOISE = 1.5
"""A window with this much more noise than a narrower one holds more than two lines and a fall."""
LEAST_LIMIT = 7.8
"""95% of a chi-squared with three degrees (onset, end, shape): this holds where the fit is so sure that none errs."""
SPARE = 0.15
"""Room on either side of the interval, as a share of the fall's length; a fall of up to six rows gets none."""
FAR = 60.0
"""Fits that are worse than the best by this much, in squared noise, are in no interval and win no resample."""


@dataclass(frozen=True)
class LocalFit:
    """A drop as two lines and a fall.

    Attributes:
        before: index of the last sample on the old level.
        steepest: index of the first sample past the steepest part of the fall (past the middle of a straight one).
        after: index of the first sample on the new level (95% of the fall is done).
        size: how far the old line lies above the new one, mid-fall; unit of the values.
        slopes: of the two lines, per step.
        noise: standard deviation of the residuals.
        lead: how much better the drop fits than the best curve without one, in squared noise.
        window: what the interval is computed from.
    """

    before: int
    steepest: int
    after: int
    size: float
    slopes: tuple[float, float]
    noise: float
    lead: float
    window: FitWindow


def fit_drop(
    steps: Floats, values: Floats, around: int, *, longest: int, shift: int, least_noise: float = 0.0
) -> LocalFit | None:
    """Place a drop near a candidate.

    Least squares over every fall of :func:`falls` within a window around the candidate; a longer fall must earn its
    length and a fall in two parts its second part (a toll as in the Bayesian information criterion). Of several windows
    that one holds in which a drop is most superior to a smooth curve: a wide one where the trends beside the fall are
    straight, a narrow one where they bend or the loss soon rises again. Steps are used as they are, so a hole in the
    log is bridged by the lines on either side.

    Args:
        steps: strictly increasing, shape (N,).
        values: shape (N,).
        around: candidate index.
        longest: longest fall, in sample intervals.
        shift: how far the middle of the fall may lie from the candidate, in samples.
        least_noise: standard deviation that the noise has at least: few samples of a noise that drifts look calm.

    Returns:
        The fit, or None where no fall fits near the candidate.
    """
    found = []
    for half in HALVES:
        most = min(longest, (3 * half) // 5)
        window = fit_within(
            steps, values, around, half=half, longest=most, shift=min(shift, half // 2), least_noise=least_noise
        )
        if window is not None:
            found.append((window, most))
        if half >= len(values):
            break
    if not found:
        return None
    quiet = min(window.noise for window, _ in found if window is found[-1][0] or len(window.values) >= STEADY)
    straight = [entry for entry in found if len(entry[0].values) < STEADY or entry[0].noise <= MOST_NOISE * quiet]
    window = refined(*max(straight, key=lambda entry: entry[0].lead))
    best, weights = window.best, window.weights
    return LocalFit(
        before=int(window.falls.onsets[best]) + window.start,
        steepest=_steepest(window.falls.shares[best]) + window.start,
        after=int(window.falls.ends[best]) + window.start,
        size=window.size,
        slopes=(float(weights[1] / window.unit), float(weights[3] / window.unit)),
        noise=window.noise,
        lead=window.lead,
        window=window,
    )


def _steepest(share: Floats) -> int:
    """First sample past the steepest part of a fall; past the middle of it where it is long."""
    falling = np.diff(share)
    steep = np.flatnonzero(falling >= 0.95 * falling.max())
    return int(steep[len(steep) // 2]) + 1


def interval_of(fit: LocalFit, *, bootstrap: int, confidence: float, seed: int) -> tuple[int, int]:
    """Indices between which the whole fall lies: last sample surely on the old level, first surely on the new one.

    The set of all falls that the samples do not reject is taken, whatever their shape, and the interval reaches from
    the first onset to the last end in it. What is rejected is decided by a bootstrap: the fall that fits best is drawn
    again with its residuals in blocks, and the loss of fit of the true fall against the best one is noted; the
    ``confidence`` quantile of that is the limit. A long fall is given some room, as none has just one of those shapes.

    Args:
        fit: of :func:`fit_drop`.
        bootstrap: resamples.
        confidence: of the interval.
        seed: of the resamples.

    Source:
        Likelihood-ratio set with a bootstrapped limit; blocks of residuals as in Künsch 1989.
    """
    window = fit.window
    noise = max(float(window.rss.min()) / window.degrees, 1e-24)
    loss = (window.rss - window.rss.min()) / noise
    near = loss <= FAR
    near[window.best] = True
    models, place = window.models.only(near), int(near[: window.best].sum())
    samples = len(window.values)
    fitted = window.fitted
    residual = (window.values - fitted) * np.sqrt(samples / window.degrees)
    block = max(3, round(samples ** (1 / 3)))
    rng = np.random.default_rng(seed)
    places = rng.integers(0, max(samples - block + 1, 1), size=(-(-samples // block), bootstrap))
    rows = (places[:, None, :] + np.arange(block)[None, :, None]).reshape(-1, bootstrap)[:samples]
    losses = models.rss(fitted[:, None] + residual[np.minimum(rows, samples - 1)])
    least = losses.min(axis=0)
    worse = (losses[place] - least) * window.degrees / np.maximum(least, 1e-24)
    kept = near & (loss <= max(float(np.quantile(worse, confidence)), LEAST_LIMIT))
    kept[window.best] = True
    spare = int(SPARE * (window.falls.ends[window.best] - window.falls.onsets[window.best]))
    low = max(int(window.falls.onsets[kept].min()) - spare, 0)
    high = min(int(window.falls.ends[kept].max()) + spare, samples - 1)
    return window.start + low, window.start + high
