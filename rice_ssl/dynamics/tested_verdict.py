"""The verdict with tests on checkpoints: what they add to the log, and whether a saddle escape may be claimed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rice_ssl.dynamics.events import LEARNING_RATE, SCHEDULE
from rice_ssl.dynamics.verdict import CHECKPOINTS, SADDLE, UNDECIDED, Verdict

SMALL_GRADIENT = 0.5
"""Highest share of the largest gradient norm around it that counts as small."""
LEAST_ALONG = 0.25
"""Least share of the update's squared length along the negative directions for a step that went along them."""
TIMES_CHANCE = 10.0
"""And how many times what a random direction would have."""


@dataclass(frozen=True)
class Condition:
    """One thing that a saddle escape needs; ``holds`` is None where it could not be looked at."""

    holds: bool | None
    sentence: str


def judge_tests(base: Verdict, tests: Mapping[str, Any], explanations: Sequence[str]) -> Verdict:
    """Weigh the log's verdict again with the tests on checkpoints.

    A schedule artefact is upheld where the event explains the fall: without learning, or because training on without
    it does not fall. A saddle escape is claimed only where the objective did not change, the gradient was small, the
    curvature was negative beyond its interval, and the step went along it.

    Args:
        base: of the log and its events.
        tests: as ``dynamics_tests.json`` has them: event, changes_objective, objective, continuations, curvature,
            line, logged_gradient.
        explanations: what the events within the drop's interval speak for.
    """
    evidence = [*_objective(tests), *_continuations(tests), *_line(tests)]
    conditions = saddle_conditions(tests, explanations)
    evidence += [condition.sentence for condition in conditions]
    missing = [sentence for sentence in base.missing if sentence != CHECKPOINTS]
    word = base.word
    if all(condition.holds for condition in conditions):
        return Verdict(SADDLE, (*base.evidence, *evidence), tuple(_of_saddle(missing)))
    told = _event_explains(tests)
    if word == UNDECIDED and told is True and SCHEDULE in explanations and tests.get("changes_objective"):
        word = SCHEDULE
    elif word in {SCHEDULE, LEARNING_RATE} and told is False:
        word = UNDECIDED
        missing.append("The tests do not bear out what the log suggests: the loss falls as much without the event.")
    if word == UNDECIDED:
        failed = [condition.sentence for condition in conditions if not condition.holds]
        missing.append("For a saddle escape it lacks: " + " ".join(failed))
    return Verdict(word, (*base.evidence, *evidence), tuple(missing))


def saddle_conditions(tests: Mapping[str, Any], explanations: Sequence[str]) -> list[Condition]:
    """The four things that a saddle escape needs, each with its figures."""
    before = next((entry for entry in tests["curvature"] if entry["role"] == "before"), None)
    return [
        _same_objective(tests, explanations),
        _small_gradient(tests, before),
        _negative_curvature(before),
        _step_along(before),
    ]


def _same_objective(tests: Mapping[str, Any], explanations: Sequence[str]) -> Condition:
    event = tests.get("event")
    if tests.get("changes_objective"):
        return Condition(False, f"The objective changed across the event ({_title(event)}).")
    if explanations:
        return Condition(False, f"Something was switched within the drop's interval ({_title(event)}).")
    return Condition(True, "The objective did not change across the drop, and nothing known was switched there.")


def _small_gradient(tests: Mapping[str, Any], before: Mapping[str, Any] | None) -> Condition:
    logged = tests.get("logged_gradient")
    if logged:
        own, most, what = logged["before"], logged["peak"], "the log's largest within the drop"
    elif before is not None:
        others = [entry["gradient_norm"]["value"] for entry in tests["curvature"] if entry is not before]
        own, most = before["gradient_norm"]["value"], max(others, default=0.0)
        what = "the largest at the other checkpoints"
    else:
        return Condition(None, "The gradient norm before the drop is not known.")
    small = own <= SMALL_GRADIENT * most
    return Condition(
        small,
        f"Before the drop the gradient norm was {own:.3g}, against {most:.3g} ({what}): "
        f"{'small' if small else 'not small'} for its surroundings.",
    )


def _negative_curvature(before: Mapping[str, Any] | None) -> Condition:
    if before is None:
        return Condition(None, "The curvature before the drop is not known.")
    smallest, held = before["smallest"], before.get("held_out") or before["smallest"]
    negative = smallest["high"] < 0 and held["high"] < 0
    text = f"The smallest Hessian eigenvalue at step {before['step']:,} is {with_interval(smallest)}"
    if before.get("held_out"):
        text += f", and the curvature along its direction on batches that it was not found on {with_interval(held)}"
    return Condition(
        negative, f"{text}: {'negative beyond its interval' if negative else 'not negative beyond its interval'}."
    )


def _step_along(before: Mapping[str, Any] | None) -> Condition:
    alignment = None if before is None else before.get("alignment")
    if alignment is None:
        return Condition(None, "Whether the step went along the negative directions is not known.")
    share, chance = alignment["share"], alignment["chance"]
    along = share >= LEAST_ALONG and share >= TIMES_CHANCE * chance
    return Condition(
        along,
        f"Of the squared length of the update across the drop {share:.2g} lies along the negative ones of the "
        f"{alignment['directions']} lowest directions (a random direction: {chance:.1g}): the step "
        f"{'went' if along else 'did not go'} along them.",
    )


def _event_explains(tests: Mapping[str, Any]) -> bool | None:
    """Whether the loss falls because of the event: True, False, or None where no continuation tells."""
    continuations = tests.get("continuations")
    if not continuations:
        return None
    difference = continuations["difference"]["loss"]
    return True if difference["high"] < 0 else False if difference["low"] > 0 else None


def _objective(tests: Mapping[str, Any]) -> list[str]:
    if not tests.get("changes_objective"):
        return []
    found = []
    for entry in tests["objective"]:
        text = (
            f"One frozen checkpoint, the same {entry['batches']} {entry['split']} batches: the loss is "
            f"{entry['without']:.2f} without the event and {entry['with']:.2f} with it, "
            f"a difference of {with_interval(entry['difference'])} nats without any learning"
        )
        if entry.get("share") is not None:
            text += f": {max(0.0, entry['share']):.0%} of the fall of {entry['fall_seen']:.2f} that was seen at once"
        found.append(text + ".")
    return found


def _continuations(tests: Mapping[str, Any]) -> list[str]:
    continuations = tests.get("continuations")
    if not continuations:
        return []
    loss, reference = (continuations["difference"][name] for name in ("loss", "reference_loss"))
    count = len(continuations["steps"])
    text = f"Trained on for {count} steps from one checkpoint, with the event minus without: {with_interval(loss)} nats"
    if tests.get("changes_objective"):
        text += f" in the loss, and {with_interval(reference)} in the reference loss, which the event leaves as it is"
    return [text + " (second half)."]


def _line(tests: Mapping[str, Any]) -> list[str]:
    line = tests.get("line")
    if not line:
        return []
    found = []
    sides = ("without", "with") if tests.get("changes_objective") else ("without",)
    for side in sides:
        values = line[side]
        objective = f" {side} the event" if len(sides) > 1 else ""
        found.append(
            f"Along the straight line from step {line['before']:,} to {line['after']:,} the loss{objective} goes from "
            f"{values[0]:.2f} to {values[-1]:.2f}, {hump_between(values)}."
        )
    return found


def hump_between(values: Sequence[float]) -> str:
    """How far the loss rises above both ends of a line, in words; less than a hundredth of its range is no hump."""
    hump = max(values) - max(values[0], values[-1])
    return f"over a hump of {hump:.2g}" if hump > 0.01 * (max(values) - min(values)) else "without a hump"


def with_interval(figure: Mapping[str, float]) -> str:
    """A figure of the tests with its interval, two digits each."""
    return f"{figure['value']:.2g} [{figure['low']:.2g}, {figure['high']:.2g}]"


def _of_saddle(missing: Sequence[str]) -> list[str]:
    kept = [sentence for sentence in missing if "known event" not in sentence]
    return [
        *kept,
        "What would refute it: an event at that step that is not in the list; another seed without the drop.",
    ]


def _title(event: Mapping[str, Any] | None) -> str:
    return "an event" if not event else str(event["kind"]).replace("_", " ")
