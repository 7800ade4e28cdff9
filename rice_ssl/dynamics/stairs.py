"""Tell a single drop from one of many equal ones, as where a training loss is reset or remembered each epoch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
LEAST_OTHERS = 4
"""Other falls that make stairs of a log; a learning rate that is lowered a few times makes fewer, or ever smaller."""
ALIKE = 0.4
"""A fall is like another from this share of its size."""
MOST = 0.8
"""Share of the places a period away at which a like fall must be."""


def repeats_every(steps: Floats, values: Floats, place: int, length: int) -> float | None:
    """Period at which falls like the one at a sample recur through the whole log.

    The fall between the means of the quarters of a period before and after a place, less its median over the log (the
    trend's), is compared with those whole periods away.

    Args:
        steps: strictly increasing, shape (N,).
        values: shape (N,).
        place: index of the first sample after the fall.
        length: of the fall, in sample intervals; a period is at least four times as long.

    Returns:
        The shortest such period in the unit of the steps, or None.
    """
    spacing = float(np.median(np.diff(steps)))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    samples = len(values)
    period = float(max(8, 4 * length))
    while period < samples / LEAST_OTHERS:
        half = max(2, int(period) // 4)
        middle = np.arange(half, samples - half + 1)
        falls = (2 * sums[middle] - sums[middle - half] - sums[middle + half]) / half
        falls = falls - np.median(falls)
        first = place - half
        away = np.arange(-int(samples / period) - 1, int(samples / period) + 2)
        at = np.searchsorted(steps, steps[place] + away[away != 0] * period * spacing) - half
        at = at[(at >= 0) & (at < len(falls))]
        known = len(at) >= LEAST_OTHERS and 0 <= first < len(falls) and falls[first] > 0
        if known and (falls[at] >= ALIKE * falls[first]).mean() >= MOST:
            return period * spacing
        period += max(period * half / samples / 2, 0.02)  # so that the last fall is missed by less than half a quarter
    return None
