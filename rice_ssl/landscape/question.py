"""What is asked of the checkpoints: which drop, which event, and what the log says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rice_ssl.dynamics.analysis import Dynamics
from rice_ssl.dynamics.attribution import AttributedDrop
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.errors import InputError

TESTABLE = ("queue_start", "prototypes_unfrozen", "warmup_end", "lr_phase")
"""Events that a training can go on without, the one that changes the objective first."""


@dataclass(frozen=True)
class Question:
    """A drop, and the event that may have made it.

    Attributes:
        drop: the drop; None where a step was named instead.
        event: within its interval, of a kind that can be tested; None without one.
        low: low end of the interval, a step.
        high: high end.
        falls: how far each split's loss fell, in nats; None where the log has no value on one side.
        gradient: gradient norm in the log before the drop, and its largest within; None where it was not logged.
        explanations: what the events within the interval speak for.
    """

    drop: AttributedDrop | None
    event: Event | None
    low: float
    high: float
    falls: dict[str, float | None]
    gradient: dict[str, float] | None
    explanations: tuple[str, ...]


def question_of(log: TrainingLog, found: Dynamics, *, step: int | None = None) -> Question:
    """Take the log's largest drop, in noise, or the step that is named.

    Args:
        log: of the training, by steps.
        found: its drops and events.
        step: where to look; the largest drop when None.

    Raises:
        InputError: the log has no drop, and no step is named.
    """
    if step is not None:
        here = tuple(event for event in found.events if event.step == step)
        return _question(log, None, here, float(step), float(step))
    if not found.drops:
        raise InputError(
            f"The log of {log.source} has no drop to be tested: name a step, for instance "
            f"--step {int(log.table['step'].max()) // 2}."
        )
    main = max(found.drops, key=lambda each: each.drop.size_in_noise)
    if main.joint is not None:
        return _question(log, main, main.joint.events, main.joint.step_low, main.joint.step_high)
    return _question(log, main, main.events, main.drop.step_low, main.drop.step_high)


def _question(
    log: TrainingLog, drop: AttributedDrop | None, events: Sequence[Event], low: float, high: float
) -> Question:
    ranked = [event for kind in TESTABLE for event in events if event.kind == kind]
    event = ranked[0] if ranked else None
    return Question(
        drop,
        event,
        low,
        high,
        _falls(log, low, high) if event is None else _falls(log, event.step, event.step),
        _gradient(log, low, high),
        tuple(sorted({each.explanation for each in events})),
    )


def _falls(log: TrainingLog, start: float, stop: float, rows: int = 5) -> dict[str, float | None]:
    """How far each split's loss fell from before ``start`` to ``stop`` and after.

    Of the training loss, means of a few rows on either side; of the validation loss, the two rows next to it.
    """
    found: dict[str, float | None] = {}
    for split, count in (("train", rows), ("val", 1)):
        steps, values = log.curve("loss", split)
        before, after = values[steps < start][-count:], values[steps >= stop][:count]
        found[split] = float(before.mean() - after.mean()) if len(before) and len(after) else None
    return found


def _gradient(log: TrainingLog, low: float, high: float, rows: int = 10) -> dict[str, float] | None:
    """Gradient norm before the drop, as the median of a few rows, and its largest within."""
    steps, norms = log.curve("grad_norm", "train")
    before, within = norms[steps < low][-rows:], norms[(steps >= low) & (steps <= high)]
    if len(before) < 3 or not len(within):
        return None
    return {"before": float(np.median(before)), "peak": float(within.max())}
