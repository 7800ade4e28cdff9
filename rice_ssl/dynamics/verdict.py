"""One sentence on what made the loss drop, the numbers behind it, and what would settle the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rice_ssl.dynamics.attribution import AttributedDrop
from rice_ssl.dynamics.events import Event

NO_DROP = "no drop"
UNDECIDED = "undecided"
TOO_SHORT = "too short"
SADDLE = "consistent with a saddle escape"
"""Needs tests on checkpoints on both sides of the drop (:mod:`rice_ssl.dynamics.tested_verdict`); the log alone never
gives it."""
LIKELY_CHANCE = 0.2
SENTENCES = {
    NO_DROP: "The loss has no sudden drop.",
    "schedule artefact": "The loss dropped where the schedule switched something: a schedule artefact.",
    "learning-rate effect": "The loss dropped where the learning rate changed: a learning-rate effect.",
    "data or resume effect": "The loss dropped where training resumed or its data changed: a data or resume effect.",
    SADDLE: "The loss dropped as it does when training leaves a saddle: nothing was switched, and the step went along "
    "negative curvature.",
    UNDECIDED: "The loss dropped, but what made it drop is undecided.",
    TOO_SHORT: "The log is too short to be searched for drops.",
}
"""Verdict -> how it is said on screen."""

CHECKPOINTS = (
    "Checkpoints on both sides of the drop: the objective with and without the event on the same batches, the gradient "
    "norm and the smallest Hessian eigenvalue. Without them a saddle escape can be neither claimed nor ruled out."
)


@dataclass(frozen=True)
class Verdict:
    """What the log and its events say.

    Attributes:
        word: ``schedule artefact``, ``learning-rate effect``, ``data or resume effect``, ``consistent with a saddle
            escape``, ``undecided``, ``no drop`` or, where nothing was searched, ``too short``.
        evidence: sentences with the numbers.
        missing: what would decide it, or make it surer.
    """

    word: str
    evidence: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The verdict as one sentence."""
        return SENTENCES.get(self.word, self.word)


def judge(
    drops: Sequence[AttributedDrop],
    events: Sequence[Event],
    *,
    unit: str = "step",
    searched: Sequence[str] = ("train", "val"),
    floors: tuple[float, float] | None = None,
    measured: Sequence[str] = (),
) -> Verdict:
    """Weigh the drops of a log against its events. The largest drop, in noise, decides the word.

    Args:
        drops: of all splits, with their events.
        events: all known events.
        unit: of the steps.
        searched: splits that were long enough to be searched.
        floors: entropy floor of the codes without and with the queue, in nats.
        measured: sentences on what the log measured across the drop besides the loss.
    """
    if not searched:
        return Verdict(TOO_SHORT, (), ("A log of at least 16 values: a shorter one cannot tell a drop from noise.",))
    if not drops:
        curves = " and ".join(searched)
        return Verdict(NO_DROP, (f"No level drop stands out of the noise of the {curves} loss.",), ())
    evidence: list[str] = []
    for found in sorted(drops, key=lambda entry: entry.drop.step):
        evidence += _describe(found, unit, known=bool(events))
    evidence += _agreement(drops, unit)
    main = max(drops, key=lambda entry: entry.drop.size_in_noise)
    within = main.joint or main  # what both curves say is narrower
    words = {event.explanation for event in within.events}
    missing: list[str] = []
    word = UNDECIDED
    if not events:
        missing.append(
            "The schedule's events: give the recipe (queue_start_pct, epochs, steps_per_epoch, warm-up, "
            "learning-rate steps)."
        )
    elif not words:
        missing.append(
            "No known event lies within the interval of the largest drop: name what else changed in training."
        )
    elif len(words) > 1:
        titles = ", ".join(event.title for event in within.events)
        missing.append(f"Events of different kinds fall together ({titles}): repeat the run with one of them moved.")
    elif within.p_chance is not None and within.p_chance > LIKELY_CHANCE:
        missing.append(
            f"An interval this wide holds an event by chance with probability {within.p_chance:.2f}: "
            "log more often around it."
        )
    else:
        word = words.pop()
    if any(event.kind == "queue_start" for event in within.events):
        evidence += _floor_sentence(main, floors)
        if floors is None:
            missing.append(
                "Prototypes, batch size and queue length, to compare the fall with that of the entropy floor."
            )
    evidence += measured
    missing.append(CHECKPOINTS)
    return Verdict(word, tuple(evidence), tuple(missing))


def _describe(found: AttributedDrop, unit: str, *, known: bool) -> list[str]:
    drop = found.drop
    sentences = [
        f"The {found.split} loss fell by {drop.size:.3g} ({drop.size_in_noise:.0f} times its noise, {drop.share:.0%} "
        f"of its range) at {unit} {drop.step:,g}, between {drop.step_low:,g} and {drop.step_high:,g}; in such logs "
        f"without a drop one as clear is found with probability {_at_most(drop.p_null)}."
    ]
    if found.events:
        named = ", ".join(f"{event.title} ({unit} {event.step:,g})" for event in found.events)
        chance = (
            ""
            if found.p_chance is None
            else f" An interval put at random would hold one with probability {found.p_chance:.3f}."
        )
        sentences.append(
            f"Within the interval of the {found.split} drop, give or take one row of the log ({found.tolerance:,g} "
            f"{unit}{'' if found.tolerance == 1 else 's'}): {named}.{chance}"
        )
    elif known:
        sentences.append(f"No known event lies within the interval of the {found.split} drop at {unit} {drop.step:,g}.")
    return sentences


def _at_most(p_null: float) -> str:
    return f"at most {p_null:.2g}"


def _agreement(drops: Sequence[AttributedDrop], unit: str) -> list[str]:
    """Say which drops the two splits share."""
    sentences = []
    for train in (entry for entry in drops if entry.split == "train"):
        for val in (entry for entry in drops if entry.split == "val"):
            slack = train.tolerance + val.tolerance
            if train.drop.step_low - slack <= val.drop.step_high and val.drop.step_low - slack <= train.drop.step_high:
                sentences.append(
                    f"Train and val drop together ({unit}s {train.drop.step:,g} and {val.drop.step:,g}), so it is no "
                    "fluke of one curve."
                )
    return sentences


def _floor_sentence(main: AttributedDrop, floors: tuple[float, float] | None) -> list[str]:
    if floors is None:
        return []
    before, after = floors
    room = before - after
    weighed = (
        "so the switch alone leaves room for all of it" if room >= main.drop.size else "more than the floor explains"
    )
    return [
        f"The queue lowers the entropy floor of the codes from {before:.2f} to {after:.2f} nats, by {room:.2f}; the "
        f"{main.split} loss fell by {main.drop.size:.2f} at once, {weighed}."
    ]
