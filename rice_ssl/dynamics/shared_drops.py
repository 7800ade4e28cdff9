"""Search both splits of a log together: a drop that one curve shows is looked for at the same place in the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from rice_ssl.dynamics.change_points import LEAST_POINTS, LEAST_ROUGH, Drop, DropSearch, find_drops
from rice_ssl.dynamics.jump_scan import JumpScan

Floats = npt.NDArray[np.float64]
BEFORE = 8
"""Rows whose line is carried on beyond the place."""
AFTER = (1, 2, 4)
"""Rows after the place whose mean is compared with that line; a validation curve may rise again after few."""


def find_shared_drops(
    curves: Mapping[str, tuple[Floats, Floats]],
    *,
    confidence: float = 0.95,
    bootstrap: int = 500,
    significance: float = 0.01,
    seed: int = 0,
) -> dict[str, DropSearch]:
    """Find the drops of several curves of one log, each by itself and then where another one drops.

    A validation curve has few rows, and a dip of two of them is no drop by itself. Where the training loss drops at the
    same place, only that place is in question, and a much weaker sign will do: :func:`fall_near`.

    Args:
        curves: split -> its steps and values, as :func:`find_drops` takes them.
        confidence: of the interval of each drop's step.
        bootstrap: resamples for that interval.
        significance: of the test at the other curve's drop.
        seed: of every draw.

    Raises:
        InputError: as :func:`find_drops`.
    """
    found = {
        split: find_drops(steps, values, confidence=confidence, bootstrap=bootstrap, seed=seed)
        for split, (steps, values) in curves.items()
    }
    alone = dict(found)
    for split, (steps, values) in curves.items():
        search = found[split]
        if not search.searched:
            continue
        spacing = float(np.median(np.diff(steps)))
        drops = list(search.drops)
        for other in (drop for name, result in alone.items() if name != split for drop in result.drops):
            low, high = other.step_low - spacing, other.step_high + spacing
            if any(drop.step_low <= high and low <= drop.step_high for drop in drops):
                continue
            fall = fall_near(steps, values, low, high, significance=significance)
            if fall is not None:
                drops.append(fall)
        found[split] = replace(search, drops=tuple(sorted(drops, key=lambda drop: drop.step)))
    return found


def fall_near(
    steps: Floats, values: Floats, low: float, high: float, *, significance: float = 0.01, least_share: float = 0.02
) -> Drop | None:
    """Test whether a curve falls within a stretch that is known beforehand.

    A line through the eight rows before is carried on, and the mean of the next one, two or four rows is compared with
    it: a t-test of a prediction (Chow 1960), with the significance divided by the places and widths tried.

    Args:
        steps: increasing, shape (N,).
        values: shape (N,).
        low: first step of the stretch.
        high: last step.
        significance: of the whole test.
        least_share: least size, as a share of the range of the values.

    Returns:
        The fall, or None. Its interval reaches from the last row that is still on the line to the first that is as low
        as the lowest of the stretch, give or take twice the noise.
    """
    if len(values) < LEAST_POINTS:
        return None
    onsets = [int(k) for k in np.flatnonzero((steps >= low) & (steps < high)) if k >= 4 and k + 1 < len(values)]
    rough = LEAST_ROUGH * JumpScan(values).roughness()
    tests = []
    for onset in onsets:
        rows = np.arange(max(0, onset - BEFORE + 1), onset + 1)
        for count in (count for count in AFTER if onset + count < len(values)):
            tests.append((*_prediction(steps, values, rows, count, float(rough[onset])), int(onset)))
    if not tests:
        return None
    chance, _, noise, onset = min(tests)
    chance = min(chance * len(tests), 1.0)
    if chance > significance:
        return None
    rows = np.arange(max(0, onset - BEFORE + 1), onset + 1)
    line = np.polynomial.Polynomial.fit(steps[rows], values[rows], 1)
    inside = np.flatnonzero((steps > steps[onset]) & (steps <= high))
    inside = inside if len(inside) else np.array([onset + 1])
    lowest = int(inside[np.argmin(values[inside])])
    size = float(line(steps[onset]) - values[lowest])
    spread = float(np.ptp(np.quantile(values, [0.005, 0.995])))
    if size < max(least_share * spread, 2 * noise):
        return None
    if _goes_on(steps, values, onset, lowest):
        return None
    first = onset
    while first > 0 and first > onset - 2 and values[first] < line(steps[first]) - 2 * noise:
        first -= 1
    reached = int(inside[values[inside] <= values[lowest] + 2 * noise][-1])
    steepest = onset + 1 + int(np.argmax(-np.diff(values[onset : lowest + 1])))
    return Drop(
        step=float(steps[steepest]),
        step_low=float(steps[first]),
        step_high=float(steps[reached]),
        size=size,
        size_in_noise=size / max(noise, 1e-12),
        share=min(size / max(spread, 1e-12), 1.0),
        p_null=max(chance, 1e-4),
        guided=True,
    )


def _goes_on(steps: Floats, values: Floats, onset: int, lowest: int) -> bool:
    """Whether the curve falls on behind the place at half its pace or more: a steeper trend, then, and no drop."""
    rows = np.arange(lowest, min(lowest + 6, len(values)))
    if len(rows) < 3:
        return False
    slope = np.polynomial.Polynomial.fit(steps[rows], values[rows], 1).deriv()(steps[lowest])
    return bool(slope < (values[lowest] - values[onset]) / (steps[lowest] - steps[onset]) / 2)


def _prediction(
    steps: Floats, values: Floats, rows: npt.NDArray[np.int64], count: int, least_noise: float
) -> tuple[float, float, float]:
    """Chance of a mean of the next ``count`` rows so far below the line through ``rows``, minus the t value, the noise.

    The noise is no less than ``least_noise``: eight rows of a noise that drifts look calm.
    """
    centre = float(steps[rows].mean())
    t = steps[rows] - centre
    slope = float(t @ values[rows]) / float(t @ t)
    level = float(values[rows].mean())
    residual = values[rows] - level - slope * t
    degrees = max(len(rows) - 2, 1)
    noise = max(float(np.sqrt(residual @ residual / degrees)), least_noise, 1e-12)
    after = np.arange(rows[-1] + 1, rows[-1] + 1 + count)
    ahead = float(steps[after].mean()) - centre
    error = level + slope * ahead - float(values[after].mean())
    value = error / (noise * float(np.sqrt(1 / count + 1 / len(rows) + ahead**2 / float(t @ t))))
    return float(student.sf(value, degrees)), -value, noise
