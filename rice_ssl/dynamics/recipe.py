"""Events and entropy floors that follow from a training recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import Unit
from rice_ssl.errors import InputError

FRACTIONS = ("queue_start_pct", "warmup_pct", "warmup")
COUNTS = ("epochs", "steps_per_epoch", "batch_size", "queue_length", "queue_batches", "prototypes")
OTHERS = ("queue_start", "frozen_epochs", "freeze_prototypes_steps", "events")
SETTINGS = (*FRACTIONS, *COUNTS, *OTHERS)


@dataclass(frozen=True)
class Recipe:
    """What of a recipe tells when something was switched.

    Attributes:
        epochs: scheduled epochs (not those reached before an early stop).
        steps_per_epoch: batches an epoch.
        queue_start_pct: fraction of the scheduled epochs after which the queue is used, in [0, 1]; 1 is never.
        queue_start_step: the same as a step, when the recipe says it so.
        batch_size: samples B whose codes are computed together, without the queue.
        queue_length: samples K that the queue adds.
        prototypes: number P of prototypes.
        warmup_pct: fraction of all steps during which the learning rate rises.
        frozen_epochs: epochs before the encoder is unfrozen.
        freeze_prototypes_steps: steps before the prototypes are unfrozen.
        events: further events, with their steps in ``unit_of_events``.
        unit_of_events: what the steps of ``events`` count.
    """

    epochs: int | None = None
    steps_per_epoch: int | None = None
    queue_start_pct: float | None = None
    queue_start_step: float | None = None
    batch_size: int | None = None
    queue_length: int | None = None
    prototypes: int | None = None
    warmup_pct: float | None = None
    frozen_epochs: int | None = None
    freeze_prototypes_steps: int | None = None
    events: tuple[Event, ...] = ()
    unit_of_events: Unit = "step"

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            InputError: the message names the setting and its value.
        """
        for name in ("epochs", "steps_per_epoch", "batch_size", "prototypes"):
            _check(name, getattr(self, name), 1, math.inf, "a whole number of at least 1", whole=True)
        for name in ("queue_length", "frozen_epochs", "freeze_prototypes_steps"):
            _check(name, getattr(self, name), 0, math.inf, "a whole number of at least 0", whole=True)
        for name in ("queue_start_pct", "warmup_pct"):
            _check(name, getattr(self, name), 0, 1, "a fraction between 0 and 1")
        _check("queue_start", self.queue_start_step, 0, math.inf, "a fraction between 0 and 1, or a step")

    def schedule(self, unit: Unit) -> tuple[Event, ...]:
        """Events in the unit of a log, by step; those whose place cannot be computed are left out."""
        found: list[Event] = []
        queue = f"Queue of {self.queue_length:,}." if self.queue_length else "The queue is switched on."
        if self.queue_start_step is not None:
            found += self._at(self.queue_start_step, unit, "queue_start", queue)
        elif self.queue_start_pct is not None and self.queue_start_pct < 1 and self.epochs is not None:
            epoch = math.floor(self.queue_start_pct * self.epochs + 1e-9)
            found += self._at_epoch(epoch, unit, "queue_start", queue)
        if self.warmup_pct and self.epochs is not None:
            rise = self.warmup_pct * self.epochs
            step = None if self.steps_per_epoch is None else rise * self.steps_per_epoch
            where = rise if unit == "epoch" else step
            if where is not None:
                found.append(Event("warmup_end", round(where, 3), "The learning rate is at its peak."))
        if self.frozen_epochs:
            found += self._at_epoch(self.frozen_epochs, unit, "encoder_unfrozen", "The encoder is trained from here.")
        if self.freeze_prototypes_steps:
            detail = "The prototypes are trained from here."
            found += self._at(self.freeze_prototypes_steps, unit, "prototypes_unfrozen", detail)
        for event in self.events:
            if self.unit_of_events == unit:
                found.append(event)
            elif unit == "step":
                found += self._at_epoch(event.step, unit, event.kind, event.detail)
            else:
                found += self._at(event.step, unit, event.kind, event.detail)
        return tuple(sorted(found, key=lambda event: event.step))

    def entropy_floors(self) -> tuple[float, float] | None:
        """Least code entropy without and with the queue, in nats; None when P, B or K is not given."""
        if self.prototypes is None or self.batch_size is None or not self.queue_length:
            return None
        return (
            entropy_floor(self.prototypes, self.batch_size),
            entropy_floor(self.prototypes, self.batch_size + self.queue_length),
        )

    def _at(self, step: float, unit: Unit, kind: str, detail: str) -> list[Event]:
        if unit == "step":
            return [Event(kind, step, detail)]
        return [] if self.steps_per_epoch is None else [Event(kind, step / self.steps_per_epoch, detail)]

    def _at_epoch(self, epoch: float, unit: Unit, kind: str, detail: str) -> list[Event]:
        if unit == "epoch":
            return [Event(kind, epoch, detail)]
        return [] if self.steps_per_epoch is None else [Event(kind, epoch * self.steps_per_epoch, detail)]


def entropy_floor(prototypes: int, samples: int) -> float:
    """Least mean entropy of codes that use all prototypes equally: max(0, ln(prototypes / samples)), in nats.

    Each of N samples gives one unit of mass and each of P prototypes must receive N / P; with P > N a code must spread
    over P / N prototypes at least.
    """
    return max(0.0, math.log(prototypes / samples))


def recipe_from_mapping(content: Mapping[str, Any], source: str = "The recipe") -> tuple[Recipe, tuple[str, ...]]:
    """Recipe from plain settings, as YAML or a form gives them.

    Args:
        content: setting -> value, see :data:`SETTINGS`; a run's YAML may be given too (its ``pretrain`` section is
            used). ``queue_start`` is a fraction up to 1, a step beyond; ``queue_batches`` times ``batch_size`` is
            ``queue_length``; ``events`` is a list of {kind, step or epoch, detail}.
        source: what to call it in messages.

    Returns:
        The recipe, and sentences on settings that were not used.

    Raises:
        InputError: not a mapping, nothing known in it, or a value out of range.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{source} must hold settings such as queue_start_pct: 0.5, not {type(content).__name__}.")
    section = content.get("pretrain")
    given = dict(section) if isinstance(section, Mapping) else dict(content)
    known = {key: value for key, value in given.items() if key in SETTINGS and value is not None}
    if not known:
        raise InputError(f"{source} has none of the settings that tell an event: {', '.join(SETTINGS)}.")
    unused = sorted(str(key) for key in given if key not in SETTINGS)
    notes = (f"{source}: not used: {', '.join(unused)}.",) if unused and section is None else ()
    for name in (*COUNTS, "frozen_epochs", "freeze_prototypes_steps"):
        _check(name, known.get(name), 0, math.inf, "a whole number", whole=True)
    for name in (*FRACTIONS, "queue_start"):
        _check(name, known.get(name), 0, math.inf, "a number")
    start = known.get("queue_start")
    batches, batch = known.get("queue_batches"), known.get("batch_size")
    length = known.get("queue_length", batches * batch if batches is not None and batch is not None else None)
    events, unit = _events(known.get("events", []), source)
    fraction = known.get("queue_start_pct", start if start is not None and start <= 1 else None)
    recipe = Recipe(
        epochs=_whole(known.get("epochs")),
        steps_per_epoch=_whole(known.get("steps_per_epoch")),
        queue_start_pct=None if length == 0 else fraction,
        queue_start_step=float(start) if start is not None and start > 1 else None,
        batch_size=_whole(batch),
        queue_length=_whole(length),
        prototypes=_whole(known.get("prototypes")),
        warmup_pct=known.get("warmup_pct", known.get("warmup")),
        frozen_epochs=_whole(known.get("frozen_epochs")),
        freeze_prototypes_steps=_whole(known.get("freeze_prototypes_steps")),
        events=events,
        unit_of_events=unit,
    )
    return recipe, notes


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _check(name: str, value: Any, low: float, high: float, expected: str, *, whole: bool = False) -> None:
    if value is None:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high or (whole and int(value) != value):
        raise InputError(f"{name} is {value!r}: give {expected}.")


def _events(entries: Any, source: str) -> tuple[tuple[Event, ...], Unit]:
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise InputError(f"events of {source} must be a list of entries such as {{kind: lr_phase, step: 1000}}.")
    units: set[Unit] = {"step" if "step" in entry else "epoch" for entry in entries}
    if len(units) > 1:
        raise InputError(f"events of {source} are given partly by step and partly by epoch: use one of the two.")
    unit: Unit = units.pop() if units else "step"
    found = []
    for entry in entries:
        where = entry.get(unit)
        _check(
            f"{unit} of the event {entry.get('kind')!r}", math.nan if where is None else where, 0, math.inf, "a number"
        )
        found.append(Event(str(entry.get("kind", "event")), float(where), str(entry.get("detail", ""))))
    return tuple(found), unit
