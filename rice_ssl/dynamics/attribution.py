"""Which events a drop coincides with, and how likely that is by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.change_points import Drop
from rice_ssl.dynamics.events import Event


@dataclass(frozen=True)
class AttributedDrop:
    """A drop of one split with the events inside its interval.

    Attributes:
        split: ``train`` or ``val``.
        drop: the drop.
        events: events inside the interval, widened by ``tolerance`` on either side.
        tolerance: median spacing of the curve's rows, in the log's unit.
        p_chance: probability that an interval of that width, put anywhere in the log, holds at least one of the known
            events; None when no event is known.
    """

    split: str
    drop: Drop
    events: tuple[Event, ...]
    tolerance: float
    p_chance: float | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "split": self.split,
            "step": _plain(self.drop.step),
            "step_low": _plain(self.drop.step_low),
            "step_high": _plain(self.drop.step_high),
            "size": round(self.drop.size, 6),
            "size_in_noise": round(self.drop.size_in_noise, 2),
            "share": round(self.drop.share, 4),
            "p_null": round(self.drop.p_null, 5),
            "tolerance": _plain(self.tolerance),
            "events": [event.document() for event in self.events],
            "p_chance": None if self.p_chance is None else round(self.p_chance, 5),
        }


def attribute(split: str, drop: Drop, events: Sequence[Event], steps: npt.NDArray[np.float64]) -> AttributedDrop:
    """Match a drop with the events of its log.

    Args:
        split: of the curve.
        drop: found in that curve.
        events: all known events, in the log's unit.
        steps: the curve's steps, increasing, shape (N,), N >= 2.
    """
    tolerance = float(np.median(np.diff(steps)))
    low, high = drop.step_low - tolerance, drop.step_high + tolerance
    inside = tuple(event for event in events if low <= event.step <= high)
    chance = None
    if events:
        chance = chance_of_event([event.step for event in events], high - low, float(steps[0]), float(steps[-1]))
    return AttributedDrop(split, drop, inside, tolerance, chance)


def chance_of_event(places: Sequence[float], width: float, first: float, last: float) -> float:
    """Probability that an interval put uniformly within [first, last] holds at least one of ``places``.

    Its start is uniform over [first, last - width]; it holds a place p when the start lies in [p - width, p], so the
    probability is the length of the union of those stretches over last - first - width.

    Args:
        places: of the events.
        width: of the interval, >= 0.
        first: first step of the log.
        last: last step of the log.
    """
    room = last - first - width
    if room <= 0:
        return 1.0 if any(first <= place <= last for place in places) else 0.0
    covered, reached = 0.0, first
    for place in sorted(places):
        start, stop = max(place - width, reached), min(place, last - width)
        if stop > start:
            covered += stop - start
            reached = stop
    return covered / room


def _plain(value: float) -> int | float:
    return int(value) if float(value).is_integer() else round(value, 4)
