"""Labels of events above a figure that never print over each other, also on a telephone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rice_ssl.dynamics.events import Event

LETTER = 6.6
"""Width of a letter at 12 px, in pixels."""
NARROW = 300
"""Width of the plot on a screen of 420 px, in pixels. A figure does not know its screen; on a wider one labels are only
further apart."""
GAP = 8
MOST_ROWS = 3
LONGEST = 30
"""Letters of a label, so that one anchored at its side stays within the plot: 3/2 of its width fit there."""


@dataclass(frozen=True)
class Label:
    """One label.

    Attributes:
        event: what it names.
        text: title and step, at most 30 letters.
        row: 0 is the lowest.
        anchor: which side of the label is at the event's step: ``left``, ``center`` or ``right``.
    """

    event: Event
    text: str
    row: int
    anchor: str


def place_labels(
    events: Sequence[Event], axis: tuple[float, float], first: Collection[Event] = ()
) -> tuple[list[Label], list[Event]]:
    """Give labels to as many events as fit on three rows.

    Args:
        events: within the axis.
        axis: first and last step of the axis.
        first: events that get a label before the others.

    Returns:
        The labels, by step, and the events for which there is no room.
    """
    rows: list[list[tuple[float, float]]] = [[] for _ in range(MOST_ROWS)]
    labels, left_out = [], []
    for event in sorted(events, key=lambda event: (event not in first, event.step)):
        text = _text(event)
        place, width = (event.step - axis[0]) / (axis[1] - axis[0]) * NARROW, len(text) * LETTER
        anchor = "left" if place < width / 2 else "right" if place > NARROW - width / 2 else "center"
        start = place - {"left": 0.0, "center": width / 2, "right": width}[anchor]
        box = (start - GAP, start + width + GAP)
        row = next((k for k, taken in enumerate(rows) if all(box[0] >= b or box[1] <= a for a, b in taken)), None)
        if row is None:
            left_out.append(event)
        else:
            rows[row].append((start, start + width))
            labels.append(Label(event, text, row, anchor))
    return sorted(labels, key=lambda label: label.event.step), sorted(left_out, key=lambda event: event.step)


def _text(event: Event) -> str:
    step = f" · {event.step:,g}"
    room = LONGEST - len(step)
    return (event.title if len(event.title) <= room else event.title[: room - 1] + "…") + step
