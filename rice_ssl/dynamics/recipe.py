"""Events and entropy floors that follow from a training recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import Unit
from rice_ssl.errors import InputError

TrainAverage = Literal["batch", "epoch mean", "fastai"]


@dataclass(frozen=True)
class Recipe:
    """What of a recipe tells when something was switched.

    Attributes:
        epochs: scheduled epochs (not those reached before an early stop).
        steps_per_epoch: batches an epoch.
        queue_start_pct: fraction of the scheduled epochs after which the queue is used, in [0, 1]; 1 is never. Counted
            as the original counts it (``self-supervised`` 1.0.4): from epoch floor(fraction * epochs) on.
        queue_start: the same as a fraction of all steps, as this project's trainer counts it: from step
            ceil(fraction * steps) on, but not before the queue is full.
        queue_start_step: the same as a step, when the recipe says it so.
        batch_size: samples B whose codes are computed together, without the queue.
        queue_length: samples K that the queue adds.
        prototypes: number P of prototypes.
        warmup_pct: fraction of all steps during which the learning rate rises.
        frozen_epochs: epochs before the encoder is unfrozen.
        freeze_prototypes_steps: steps before the prototypes are unfrozen.
        lr_steps: epochs from which the learning rate is another one (a step schedule's milestones).
        events: further events, with their steps in ``unit_of_events``.
        unit_of_events: what the steps of ``events`` count.
        dropout: probability, in [0, 1).
        label_smoothing: epsilon of the training loss, in [0, 1).
        mixup: alpha of MixUp's Beta distribution; 0 is no MixUp.
        classes: number of classes.
        val_smoothed: whether the validation loss has the label smoothing too, as in fastai.
        train_average: what a logged training loss is; see :class:`rice_ssl.dynamics.loss_settings.LossSettings`.
    """

    epochs: int | None = None
    steps_per_epoch: int | None = None
    queue_start_pct: float | None = None
    queue_start: float | None = None
    queue_start_step: float | None = None
    batch_size: int | None = None
    queue_length: int | None = None
    prototypes: int | None = None
    warmup_pct: float | None = None
    frozen_epochs: int | None = None
    freeze_prototypes_steps: int | None = None
    lr_steps: tuple[float, ...] = ()
    events: tuple[Event, ...] = ()
    unit_of_events: Unit = "step"
    dropout: float | None = None
    label_smoothing: float | None = None
    mixup: float | None = None
    classes: int | None = None
    val_smoothed: bool | None = None
    train_average: TrainAverage | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of range.

        Raises:
            InputError: the message names the setting and its value.
        """
        for name in ("epochs", "steps_per_epoch", "batch_size", "prototypes"):
            check_setting(name, getattr(self, name), 1, math.inf, "a whole number of at least 1", whole=True)
        for name in ("queue_length", "frozen_epochs", "freeze_prototypes_steps"):
            check_setting(name, getattr(self, name), 0, math.inf, "a whole number of at least 0", whole=True)
        for epoch in self.lr_steps:
            check_setting("an epoch of lr_steps", epoch, 0, math.inf, "a number of at least 0")
        for name in ("queue_start_pct", "queue_start", "warmup_pct"):
            check_setting(name, getattr(self, name), 0, 1, "a fraction between 0 and 1")
        for name in ("dropout", "label_smoothing"):
            check_setting(name, getattr(self, name), 0, math.nextafter(1, 0), "a number of at least 0 and below 1")
        check_setting("mixup", self.mixup, 0, math.inf, "the alpha of its Beta distribution, a number of at least 0")
        check_setting("classes", self.classes, 2, math.inf, "a whole number of at least 2", whole=True)
        if self.val_smoothed not in (None, True, False):
            raise InputError(f"val_smoothed is {self.val_smoothed!r}: give true or false.")
        if self.train_average not in (None, *get_args(TrainAverage)):
            raise InputError(
                f"train_average is {self.train_average!r}: give one of {', '.join(get_args(TrainAverage))}."
            )
        check_setting("queue_start", self.queue_start_step, 0, math.inf, "a fraction between 0 and 1, or a step")

    def schedule(self, unit: Unit) -> tuple[Event, ...]:
        """Events in the unit of a log, by step; for those whose place cannot be computed see :meth:`unplaced`."""
        placed = [(kind, step if unit == "step" else epoch, detail) for kind, detail, step, epoch in self._plan()]
        found = [Event(kind, round(place, 3), detail) for kind, place, detail in placed if place is not None]
        return tuple(sorted(found, key=lambda event: event.step))

    def unplaced(self, unit: Unit) -> tuple[str, ...]:
        """A sentence on the events that cannot be placed in a log of that unit, and on what is lacking; or none."""
        titles, needed = [], set()
        for kind, _, step, epoch in self._plan():
            if (step if unit == "step" else epoch) is not None:
                continue
            titles.append(Event(kind, 0).title)
            if step is epoch is None:
                needed.add("epochs")
            if self.steps_per_epoch is None and (unit == "step" or step is not None):
                needed.add("steps_per_epoch")
        if not titles:
            return ()
        named = ", ".join(dict.fromkeys(titles))
        return (f"Not placed in this log of {unit}s: {named}. Give {' and '.join(sorted(needed))} too.",)

    def _plan(self) -> list[tuple[str, str, float | None, float | None]]:
        """Kind and detail of each event, and its place in steps and in epochs, None where it is not known."""
        per = self.steps_per_epoch
        plan: list[tuple[str, str, float | None, float | None]] = []

        def by_epoch(kind: str, detail: str, epoch: float) -> None:
            plan.append((kind, detail, None if per is None else epoch * per, epoch))

        def by_step(kind: str, detail: str, step: float) -> None:
            plan.append((kind, detail, step, None if per is None else step / per))

        queue = f"Queue of {self.queue_length:,}." if self.queue_length else "The queue is switched on."
        fraction = self.queue_start if self.queue_start is not None else self.queue_start_pct
        if self.queue_start_step is not None:
            by_step("queue_start", queue, self.queue_start_step)
        elif fraction is not None and fraction < 1:
            if self.epochs is None:
                plan.append(("queue_start", queue, None, None))
            elif self.queue_start is None:
                by_epoch("queue_start", queue, math.floor(fraction * self.epochs + 1e-9))
            elif per is None:  # known to the length of a step
                by_epoch("queue_start", queue, fraction * self.epochs)
            elif (step := self._queue_step(fraction, self.epochs * per)) < self.epochs * per:
                by_step("queue_start", queue, step)
        if self.warmup_pct:
            rise = None if self.epochs is None else self.warmup_pct * self.epochs
            step_of_peak = None if rise is None or per is None else math.floor(rise * per + 1e-9)
            plan.append(("warmup_end", "The learning rate is at its peak.", step_of_peak, rise))
        if self.frozen_epochs:
            by_epoch("encoder_unfrozen", "The encoder is trained from here.", self.frozen_epochs)
        if self.freeze_prototypes_steps:
            by_step("prototypes_unfrozen", "The prototypes are trained from here.", self.freeze_prototypes_steps)
        for epoch in self.lr_steps:
            by_epoch("lr_phase", "The learning rate changes here.", epoch)
        for event in self.events:
            (by_step if self.unit_of_events == "step" else by_epoch)(event.kind, event.detail, event.step)
        return plan

    def _queue_step(self, fraction: float, steps: int) -> int:
        """First step at which our trainer uses the queue: after that share of the steps, once the queue is full."""
        filled = math.ceil(self.queue_length / self.batch_size) if self.queue_length and self.batch_size else 0
        return max(math.ceil(fraction * steps), filled)

    def entropy_floors(self) -> tuple[float, float] | None:
        """Least code entropy without and with the queue, in nats; None when P, B or K is not given."""
        if self.prototypes is None or self.batch_size is None or not self.queue_length:
            return None
        return (
            entropy_floor(self.prototypes, self.batch_size),
            entropy_floor(self.prototypes, self.batch_size + self.queue_length),
        )


def entropy_floor(prototypes: int, samples: int) -> float:
    """Least mean entropy of codes that use all prototypes equally: max(0, ln(prototypes / samples)), in nats.

    Each of N samples gives one unit of mass and each of P prototypes must receive N / P; with P > N a code must spread
    over P / N prototypes at least.
    """
    return max(0.0, math.log(prototypes / samples))


def check_setting(name: str, value: Any, low: float, high: float, expected: str, *, whole: bool = False) -> None:
    """Refuse a setting that is not a number in the range, or not whole where it should be; None passes.

    Raises:
        InputError: the message gives the name, the value and what is expected.
    """
    if value is None:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not low <= value <= high or (whole and int(value) != value):
        raise InputError(f"{name} is {value!r}: give {expected}.")
