"""Where one loss lies below the other: stretches, and the point from which on it no longer does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
MOST_DRAWN = 1_000_000
"""Values that are resampled at once, which bounds the memory."""
LEAST_ROWS = 4
"""Rows from which a mean gets an interval; fewer cannot be resampled in blocks."""


@dataclass(frozen=True)
class Resampling:
    """How intervals are drawn: their confidence in (0, 1), the number of resamples, >= 1, and the seed."""

    confidence: float = 0.95
    times: int = 1000
    seed: int = 0

    def interval(self, values: Floats) -> tuple[float, float]:
        """Percentiles of what was resampled."""
        low, high = np.quantile(values, [(1 - self.confidence) / 2, (1 + self.confidence) / 2])
        return float(low), float(high)


@dataclass(frozen=True)
class Estimate:
    """A mean with its bootstrap interval, None where there were too few rows for one."""

    value: float
    low: float | None
    high: float | None

    def document(self) -> dict[str, float | None]:
        """As JSON."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Stretch:
    """Rows in a sequence in which validation loss lies below training loss.

    Attributes:
        start: step of the first row.
        stop: step of the last row.
        rows: how many.
        mean_gap: training less validation loss, mean over the rows.
        largest_gap: likewise, the largest.
    """

    start: float
    stop: float
    rows: int
    mean_gap: Estimate
    largest_gap: float

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "start": self.start,
            "stop": self.stop,
            "rows": self.rows,
            "mean_gap": self.mean_gap.document(),
            "largest_gap": self.largest_gap,
        }


@dataclass(frozen=True)
class Crossing:
    """The step that best parts rows below from rows above.

    Attributes:
        step: middle between the last row before it and the first after it.
        low: end of its interval.
        high: likewise.
        wrong_rows: rows on the wrong side: above before it, or below after it.
        last_below: step of the last row that lies below.
        p_chance: how often as good a parting is found when the blocks of rows are put in random order.
    """

    step: float
    low: float
    high: float
    wrong_rows: int
    last_below: float
    p_chance: float

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def stretches_below(steps: Floats, gaps: Floats, draws: Resampling) -> tuple[Stretch, ...]:
    """All stretches with a gap above 0, in order.

    The ends of a stretch are chosen by the gap's sign, so its interval says how much the gap varies within it, and not
    whether there is one.

    Args:
        steps: of the rows, shape (N,).
        gaps: training less validation loss, shape (N,); NaN ends a stretch.
        draws: for the intervals of mean gaps.
    """
    below = gaps > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], below, [False]]).astype(np.int8)))
    found = []
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        part = gaps[first:end]
        mean = block_mean(part, draws)
        found.append(Stretch(float(steps[first]), float(steps[end - 1]), len(part), mean, float(part.max())))
    return tuple(found)


def block_mean(values: Floats, draws: Resampling) -> Estimate:
    """Mean of neighbouring rows with a percentile interval from a circular block bootstrap (blocks of N^(1/3) rows).

    Rows near each other are alike, so whole blocks are drawn.

    Args:
        values: shape (N,), N >= 1, finite.
        draws: for the interval.

    Source:
        Politis and Romano 1992.
    """
    count = len(values)
    mean = float(values.mean())
    if count < LEAST_ROWS:
        return Estimate(mean, None, None)
    rng = np.random.default_rng(draws.seed)
    at_once = max(1, MOST_DRAWN // count)
    parts = [min(at_once, draws.times - done) for done in range(0, draws.times, at_once)]
    means = np.concatenate([values[_drawn_blocks(count, rng, part)].mean(axis=1) for part in parts])
    return Estimate(mean, *draws.interval(means))


def crossing_of(steps: Floats, below: Flags, draws: Resampling) -> Crossing | None:
    """The step before which validation lies below training and after which it lies above, with fewest exceptions.

    Only signs count, so one wild value moves nothing. The interval is that of a bootstrap over blocks of rows.

    Args:
        steps: of the rows, shape (N,).
        below: whether a row lies below, shape (N,).
        draws: for the interval, and as many random orders.

    Returns:
        The crossing, or None with fewer than four rows, or where it would lie before the first or behind the last row.
    """
    count = len(steps)
    if count < LEAST_ROWS:
        return None
    before, right = _parting(below)
    if before in {0, count}:
        return None
    rng = np.random.default_rng(draws.seed)
    places = []
    for _ in range(draws.times):
        chosen = np.sort(_drawn_blocks(count, rng, 1)[0])
        cut, _right = _parting(below[chosen])
        inner = steps[chosen[[max(cut - 1, 0), min(cut, count - 1)]]]
        places.append(float(inner.mean()))
    block = _block(count)
    blocks = [np.arange(start, min(start + block, count)) for start in range(0, count, block)]
    as_good = 0
    for _ in range(draws.times):
        order = np.concatenate([blocks[k] for k in rng.permutation(len(blocks))])
        as_good += _parting(below[order])[1] >= right
    low, high = draws.interval(np.array(places))
    step = float(steps[before - 1 : before + 1].mean())
    return Crossing(
        step=step,
        low=min(low, step),
        high=max(high, step),
        wrong_rows=count - right,
        last_below=float(steps[np.flatnonzero(below)[-1]]),
        p_chance=(as_good + 1) / (draws.times + 1),
    )


def _parting(below: Flags) -> tuple[int, int]:
    """Number of rows before the best parting (the earliest of equals), and of rows on their right side."""
    right = np.concatenate([[0], np.cumsum(below)]) + np.concatenate([np.cumsum(~below[::-1])[::-1], [0]])
    return int(right.argmax()), int(right.max())


def _block(count: int) -> int:
    return max(1, round(float(np.cbrt(count))))


def _drawn_blocks(count: int, rng: np.random.Generator, times: int) -> npt.NDArray[np.intp]:
    """Indices of whole blocks drawn from a circle of rows, shape (times, count)."""
    block = _block(count)
    starts = rng.integers(0, count, size=(times, -(-count // block), 1))
    return np.asarray((starts + np.arange(block)).reshape(times, -1)[:, :count] % count, np.intp)
