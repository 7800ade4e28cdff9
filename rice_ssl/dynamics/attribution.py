"""Which events a drop coincides with, and how likely that is by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.change_points import Drop
from rice_ssl.dynamics.events import Event


@dataclass(frozen=True)
class JointInterval:
    """Where both splits say that one drop lies.

    Attributes:
        step_low: the later of the two low ends.
        step_high: the earlier of the two high ends.
        events: inside it, widened by ``tolerance`` on either side.
        tolerance: the smaller of the two curves' row spacings.
        p_chance: probability that an interval of that width, put anywhere in the log, holds an event; None when no
            event is known.
    """

    step_low: float
    step_high: float
    events: tuple[Event, ...]
    tolerance: float
    p_chance: float | None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "step_low": _plain(self.step_low),
            "step_high": _plain(self.step_high),
            "events": [event.document() for event in self.events],
            "p_chance": None if self.p_chance is None else round(self.p_chance, 5),
        }


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
        joint: where this and a drop of the other split lie together; None without one, or where they disagree.
    """

    split: str
    drop: Drop
    events: tuple[Event, ...]
    tolerance: float
    p_chance: float | None
    joint: JointInterval | None = None

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
            "guided": self.drop.guided,
            "tolerance": _plain(self.tolerance),
            "events": [event.document() for event in self.events],
            "p_chance": None if self.p_chance is None else round(self.p_chance, 5),
            "joint": None if self.joint is None else self.joint.document(),
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
    span = (float(steps[0]), float(steps[-1]))
    inside, chance = _events_within(drop.step_low - tolerance, drop.step_high + tolerance, events, span)
    return AttributedDrop(split, drop, inside, tolerance, chance)


def with_joint_intervals(
    found: Sequence[AttributedDrop], events: Sequence[Event], span: tuple[float, float]
) -> list[AttributedDrop]:
    """Give each drop the interval that it shares with a drop of another split.

    Two drops are one where their intervals overlap, the nearest if there are several; a row of a curve speaks of the
    step at which it was logged, so the intersection of the intervals holds the drop if each of them does.

    Args:
        found: drops of all splits.
        events: all known events, in the log's unit.
        span: first and last step of the log.
    """
    joined = []
    for entry in found:
        mine, partners = entry.drop, [other for other in found if other.split != entry.split]
        shared = [
            (abs(other.drop.step - mine.step), low, high, min(entry.tolerance, other.tolerance))
            for other in partners
            if (low := max(mine.step_low, other.drop.step_low)) <= (high := min(mine.step_high, other.drop.step_high))
        ]
        if shared:
            _, low, high, tolerance = min(shared)
            inside, chance = _events_within(low - tolerance, high + tolerance, events, span)
            entry = replace(entry, joint=JointInterval(low, high, inside, tolerance, chance))
        joined.append(entry)
    return joined


def _events_within(
    low: float, high: float, events: Sequence[Event], span: tuple[float, float]
) -> tuple[tuple[Event, ...], float | None]:
    """Events in an interval, and how likely one of that width holds any by chance (None without events)."""
    inside = tuple(event for event in events if low <= event.step <= high)
    if not events:
        return inside, None
    return inside, chance_of_event([event.step for event in events], high - low, *span)


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
