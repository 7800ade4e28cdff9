"""Schedule events: what the recipe changed, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SCHEDULE = "schedule artefact"
LEARNING_RATE = "learning-rate effect"
DATA = "data or resume effect"

KINDS = {
    "queue_start": ("queue start", SCHEDULE),
    "prototypes_unfrozen": ("prototypes unfrozen", SCHEDULE),
    "encoder_unfrozen": ("encoder unfrozen", SCHEDULE),
    "crop_change": ("crops changed", SCHEDULE),
    "batch_change": ("batch size changed", SCHEDULE),
    "augmentation_change": ("augmentation changed", SCHEDULE),
    "warmup_end": ("warm-up end", LEARNING_RATE),
    "lr_phase": ("learning-rate phase", LEARNING_RATE),
    "early_stop": ("early stop", SCHEDULE),
    "resume": ("resume", DATA),
    "data_change": ("data changed", DATA),
}
"""Kind of an event -> what to call it on screen, and the explanation that it stands for."""


@dataclass(frozen=True)
class Event:
    """Something that was switched at a step.

    Attributes:
        kind: a key of :data:`KINDS`; another word is kept, and stands for a change of the schedule.
        step: when, in the unit of the log that it is shown with (steps or epochs).
        detail: one sentence.
    """

    kind: str
    step: float
    detail: str = ""

    @property
    def title(self) -> str:
        """What to call it on screen."""
        return KINDS.get(self.kind, (self.kind.replace("_", " "), SCHEDULE))[0]

    @property
    def explanation(self) -> str:
        """The verdict that it speaks for."""
        return KINDS.get(self.kind, ("", SCHEDULE))[1]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        step = int(self.step) if float(self.step).is_integer() else self.step
        return {"kind": self.kind, "step": step, "detail": self.detail}


def events_of_run(entries: Iterable[Mapping[str, Any]], stage: str) -> tuple[Event, ...]:
    """Events of one stage of a run; entries without a usable step are left out."""
    found = []
    for entry in entries:
        step = entry.get("step")
        if entry.get("stage") == stage and isinstance(step, (int, float)) and not isinstance(step, bool):
            found.append(Event(str(entry.get("kind", "event")), float(step), str(entry.get("detail", ""))))
    return tuple(sorted(found, key=lambda event: event.step))
