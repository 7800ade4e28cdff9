"""A recipe from plain settings, as YAML or a form gives them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from rice_ssl.config import PretrainConfig
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import Unit
from rice_ssl.dynamics.recipe import Recipe, check_setting
from rice_ssl.errors import InputError

FRACTIONS = ("queue_start_pct", "warmup_pct", "warmup")
COUNTS = ("epochs", "steps_per_epoch", "batch_size", "queue_length", "prototypes")
OTHERS = ("queue_start", "frozen_epochs", "freeze_prototypes_steps", "lr_steps", "events")
LOSS = ("dropout", "label_smoothing", "mixup", "classes", "val_smoothed", "train_average")
"""Say how training and validation loss compare; they tell no event."""
SETTINGS = (*FRACTIONS, *COUNTS, *OTHERS, *LOSS)
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(PretrainConfig) if field.name in SETTINGS}
"""What our trainer does where a run's YAML says nothing."""


def recipe_from_mapping(content: Mapping[str, Any], source: str = "The recipe") -> tuple[Recipe, tuple[str, ...]]:
    """Recipe from plain settings, as YAML or a form gives them.

    Args:
        content: setting -> value, see :data:`SETTINGS`; a run's YAML may be given too (its ``pretrain`` section is
            used, with the trainer's defaults for what it leaves out, and ``steps_per_epoch`` beside or in it).
            ``queue_start_pct`` counts as the original does, ``queue_start`` as our trainer does: a fraction of all
            steps up to 1, a step beyond, or ``"step N"`` or ``"epoch N"``; ``lr_steps`` is a list of epochs, as a step
            schedule's milestones are (or one epoch); ``events`` is a list of {kind, step or
            epoch, detail}.
        source: what to call it in messages.

    Returns:
        The recipe, and sentences on settings that were not used.

    Raises:
        InputError: not a mapping, nothing known in it, or a value out of range.
    """
    if not isinstance(content, Mapping):
        raise InputError(f"{source} must hold settings such as queue_start_pct: 0.5, not {type(content).__name__}.")
    section = content.get("pretrain")
    given = dict(content)
    if isinstance(section, Mapping):
        beside = {key: content[key] for key in ("steps_per_epoch", "lr_steps", "events") if key in content}
        given = {**_DEFAULTS, **beside, **section}
    known = {key: value for key, value in given.items() if key in SETTINGS and value is not None}
    if not known:
        raise InputError(f"{source} has none of the settings that tell an event: {', '.join(SETTINGS)}.")
    unused = sorted(str(key) for key in given if key not in SETTINGS)
    notes = (f"{source}: not used: {', '.join(unused)}.",) if unused and section is None else ()
    for name in (*COUNTS, "frozen_epochs", "freeze_prototypes_steps"):
        check_setting(name, known.get(name), 0, math.inf, "a whole number", whole=True)
    for name in FRACTIONS:
        check_setting(name, known.get(name), 0, math.inf, "a number")
    fraction, step = _start(known.get("queue_start"), known.get("steps_per_epoch"))
    length = known.get("queue_length")
    events, unit = _events(known.get("events", []), source)
    recipe = Recipe(
        epochs=_whole(known.get("epochs")),
        steps_per_epoch=_whole(known.get("steps_per_epoch")),
        queue_start_pct=None if length == 0 else known.get("queue_start_pct"),
        queue_start=None if length == 0 or "queue_start_pct" in known else fraction,
        queue_start_step=float(step) if step is not None and length != 0 else None,
        batch_size=_whole(known.get("batch_size")),
        queue_length=_whole(length),
        prototypes=_whole(known.get("prototypes")),
        warmup_pct=known.get("warmup_pct", known.get("warmup")),
        frozen_epochs=_whole(known.get("frozen_epochs")),
        freeze_prototypes_steps=_whole(known.get("freeze_prototypes_steps")),
        lr_steps=_milestones(known.get("lr_steps", [])),
        events=events,
        unit_of_events=unit,
        **{name: known[name] for name in LOSS if name in known},
    )
    return recipe, notes


def _start(setting: Any, per_epoch: int | None) -> tuple[float | None, float | None]:
    """``queue_start`` as a fraction of all steps, or as a step: one of the two, or neither."""
    if not isinstance(setting, str):
        check_setting("queue_start", setting, 0, math.inf, "a number")
        return (None, setting) if setting is not None and setting > 1 else (setting, None)
    unit, _, number = setting.partition(" ")
    if unit not in {"step", "epoch"} or not number.isdecimal():
        raise InputError(f"queue_start is {setting!r}: give a fraction, 'step N' or 'epoch N'.")
    if unit == "epoch" and per_epoch is None:
        raise InputError(f"queue_start is {setting!r}: give steps_per_epoch too, to know the step.")
    return None, float(number) * (1 if per_epoch is None or unit == "step" else per_epoch)


def _milestones(setting: Any) -> tuple[float, ...]:
    """``lr_steps`` as epochs; the recipe checks their range."""
    epochs = setting if isinstance(setting, (list, tuple)) else [setting]
    for epoch in epochs:
        check_setting("an epoch of lr_steps", math.nan if epoch is None else epoch, 0, math.inf, "a number")
    return tuple(float(epoch) for epoch in epochs)


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


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
        check_setting(
            f"{unit} of the event {entry.get('kind')!r}", math.nan if where is None else where, 0, math.inf, "a number"
        )
        found.append(Event(str(entry.get("kind", "event")), float(where), str(entry.get("detail", ""))))
    return tuple(found), unit
