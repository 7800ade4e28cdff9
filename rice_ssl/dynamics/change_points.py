"""Find sudden level drops in the raw values of a loss curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.jump_scan import JumpScan, clip_spikes
from rice_ssl.dynamics.local_fit import LocalFit, fit_drop, interval_of
from rice_ssl.dynamics.stairs import repeats_every
from rice_ssl.errors import InputError

Floats = npt.NDArray[np.float64]
LEAST_POINTS = 16
MOST_POINTS = 3000
LEAST_LEAD = 22.0
"""How much better a drop must fit than a curve without one, in squared noise; the best of many falls is compared."""
LEAST_ROUGH = 0.75
"""Least noise of a local fit, as a share of how far the log strays from its trend around it."""
LEAST_SCORE = 3.0
"""Jump in units of its spread from which a place is looked at more closely."""


@dataclass(frozen=True)
class Drop:
    """A level drop on top of a smooth trend.

    Attributes:
        step: first step past the steepest part of the fall.
        step_low: low end of the interval: the last step that may still be on the old level.
        step_high: high end of the interval: the first step that is surely on the new level.
        size: fall of the level, > 0, in the unit of the values (nats for these losses).
        size_in_noise: ``size`` over the standard deviation of the noise around it.
        share: ``size`` over the range of the curve's values, in (0, 1].
        p_null: share of surrogate logs without a drop in which one as clear was found (at least 1 / (surrogates + 1));
            of a guided drop, the significance of the test.
        guided: found only because another curve of the log drops there.
    """

    step: float
    step_low: float
    step_high: float
    size: float
    size_in_noise: float
    share: float
    p_null: float
    guided: bool = False


@dataclass(frozen=True)
class DropSearch:
    """What the search of one curve gave.

    Attributes:
        drops: by step.
        points: values searched.
        noise: standard deviation of the noise, median over the curve.
        searched: whether the curve was long enough.
        notes: sentences on what was done to the values.
    """

    drops: tuple[Drop, ...]
    points: int
    noise: float
    searched: bool
    notes: tuple[str, ...] = ()


def find_drops(
    steps: Floats,
    values: Floats,
    *,
    confidence: float = 0.95,
    bootstrap: int = 500,
    surrogates: int = 400,
    significance: float = 0.005,
    least_noise: float = 2.0,
    least_share: float = 0.02,
    seed: int = 0,
) -> DropSearch:
    """Find drops: where the level falls within few samples by more than the trends on either side would have it.

    A candidate must (1) stand out of surrogates of the log without a drop, over all places and widths at once; (2) be
    at least ``least_noise`` times the noise and ``least_share`` of the curve's range; (3) fall at least twice as fast
    as the steeper of the two trends beside it, and be a better fit than one change of slope.

    Args:
        steps: strictly increasing, shape (N,).
        values: raw values, finite, shape (N,).
        confidence: of the interval of each drop's step.
        bootstrap: resamples for that interval.
        surrogates: logs without a drop that the search is compared with.
        significance: highest ``p_null``.
        least_noise: least size, in standard deviations of the noise.
        least_share: least size, as a share of the range of the values.
        seed: of the surrogates and the bootstrap.

    Returns:
        The drops. Beyond 3,000 values, means of neighbours are searched; the notes say so.

    Raises:
        InputError: shapes differ, a value is not finite, or the steps do not increase.

    Source:
        Own. The two-line statistic is the local linear jump estimate (Loader 1996); the null is a sieve bootstrap
        (Bühlmann 1997).
    """
    steps, values = np.asarray(steps, np.float64), np.asarray(values, np.float64)
    if steps.ndim != 1 or steps.shape != values.shape:
        raise InputError(
            f"Steps of shape {steps.shape} and values of shape {values.shape} are no curve: give two equal lists."
        )
    if not (np.isfinite(steps).all() and np.isfinite(values).all()):
        raise InputError("A curve holds values that are not finite: leave them out first.")
    if (np.diff(steps) <= 0).any():
        raise InputError("The steps of a curve do not increase: put its rows in order first.")
    if len(values) < LEAST_POINTS:
        return DropSearch((), len(values), 0.0, False)
    notes: list[str] = []
    given = len(values)
    steps, values, low_ends, high_ends = _thin(steps, values)
    if len(values) < given:
        notes.append(f"{given:,} values were searched as {len(values):,} means of neighbours.")
    clean, spikes = clip_spikes(values)
    if spikes:
        notes.append(f"{spikes:,} isolated spike{'' if spikes == 1 else 's'} did not count in the search.")
    if np.ptp(clean) == 0:
        return DropSearch((), given, 0.0, True, tuple(notes))
    scan = JumpScan(clean)
    fits = _candidates(scan, steps, clean)
    spread = float(np.ptp(np.quantile(clean, [0.005, 0.995])))
    worthy = [fit for fit in fits if _is_drop(fit, steps, spread, least_noise, least_share)]
    periods = [repeats_every(steps, clean, fit.steepest, fit.after - fit.before) for fit in worthy]
    period = next((period for period in periods if period is not None), None)
    if period is not None:
        notes.append(f"The level falls alike every {period:,g} steps or so: taken as the log's epochs, not as drops.")
    worthy = [fit for fit, period in zip(worthy, periods, strict=True) if period is None]
    level, left_out = clean.copy(), np.zeros(len(clean), dtype=bool)
    for fit in worthy:
        _take_out(level, left_out, steps, fit)
    drops = []
    if worthy:
        heights, maxima = scan.against_null(level, left_out, surrogates, seed)
        for fit in worthy:
            height = float(heights[fit.before : fit.after + 2].max())
            p_null = (1 + int((maxima >= height).sum())) / (surrogates + 1)
            if p_null > significance:
                continue
            low, high = interval_of(fit, bootstrap=bootstrap, confidence=confidence, seed=seed)
            drops.append(
                Drop(
                    step=float(high_ends[fit.steepest] if fit.after - fit.before > 1 else low_ends[fit.steepest]),
                    step_low=float(low_ends[low]),
                    step_high=float(high_ends[high]),
                    size=fit.size,
                    size_in_noise=fit.size / max(fit.noise, 1e-12),
                    share=min(fit.size / spread, 1.0),
                    p_null=p_null,
                )
            )
    drops.sort(key=lambda drop: drop.step)
    return DropSearch(tuple(drops), given, float(np.median(scan.noise)), True, tuple(notes))


def _candidates(scan: JumpScan, steps: Floats, values: Floats, *, most: int = 10) -> list[LocalFit]:
    """Local fits at the highest places of the scan, the clearest first, no two of the same fall."""
    best, longest = scan.best(), max(6, len(values) // 20)
    shift, rough = max(6, longest // 2), LEAST_ROUGH * scan.roughness()
    closed = np.zeros(len(values), dtype=bool)
    fits: list[LocalFit] = []
    tries = 0
    for place in np.argsort(-best):
        if best[place] < LEAST_SCORE or tries >= most:
            break
        if closed[place]:
            continue
        tries += 1
        closed[max(0, place - shift) : place + shift + 1] = True
        fit = fit_drop(steps, values, int(place), longest=longest, shift=shift, least_noise=float(rough[place]))
        if fit is not None:
            fits.append(fit)
    taken: list[LocalFit] = []
    for fit in sorted(fits, key=lambda fit: -fit.lead):
        if not any(fit.before <= other.after + shift and other.before <= fit.after + shift for other in taken):
            taken.append(fit)
    return taken


def _take_out(level: Floats, left_out: npt.NDArray[np.bool_], steps: Floats, fit: LocalFit) -> None:
    """Lift what comes after a candidate by its size, in place, and note the samples of its fall."""
    share = np.clip((steps - steps[fit.before]) / (steps[fit.after] - steps[fit.before]), 0, 1)
    level += fit.size * share
    left_out[max(0, fit.before - 1) : fit.after + 3] = True


def _is_drop(fit: LocalFit, steps: Floats, spread: float, least_noise: float, least_share: float) -> bool:
    """Whether a fit is a drop that matters: large enough, and steeper than the falls that lie beside it."""
    trend = max(0.0, *(-slope for slope in fit.slopes)) * (steps[fit.after] - steps[fit.before])
    return fit.lead >= LEAST_LEAD and bool(fit.size >= max(least_noise * fit.noise, least_share * spread, 2 * trend))


def _thin(steps: Floats, values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Means over blocks of neighbours when there are too many values; also each block's first and last step."""
    if len(values) <= MOST_POINTS:
        return steps, values, steps, steps
    starts = np.unique(np.linspace(0, len(values), MOST_POINTS, endpoint=False).astype(np.int64))
    counts = np.diff(np.append(starts, len(values)))
    ends = np.append(starts[1:], len(values)) - 1
    return (
        np.add.reduceat(steps, starts) / counts,
        np.add.reduceat(values, starts) / counts,
        steps[starts],
        steps[ends],
    )
