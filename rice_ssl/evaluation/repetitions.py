"""How often what is drawn or shuffled can be repeated in a second or two, by its size."""

from __future__ import annotations

import numpy as np

_DRAWN, _SHUFFLED = 20_000_000, 20_000_000
"""Binomial numbers drawn for one bootstrap, and numbers shuffled for one null, at most: a second or two."""
FEWEST, MOST = 40, 1000
"""Repetitions of a bootstrap, as many as that allows."""


def shuffles_for(count: int) -> int:
    """How often so many pairs or images are shuffled."""
    return int(np.clip(_SHUFFLED // max(1, count), 40, 200))


def repetitions_for(cells: int) -> int:
    """How often a bootstrap that draws so many counts each time is repeated."""
    return int(np.clip(_DRAWN // max(1, cells), FEWEST, MOST))


def parts_of(repetitions: int, cells: int) -> list[int]:
    """Repetitions done at once, so that no more than a few million numbers are held."""
    step = max(1, 2_000_000 // max(1, cells))
    return [min(step, repetitions - at) for at in range(0, repetitions, step)]
