"""From a log and its events to drops, verdict and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rice_ssl.dynamics.attribution import AttributedDrop, attribute, with_joint_intervals
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.dynamics.shared_drops import find_shared_drops
from rice_ssl.dynamics.verdict import Verdict, judge
from rice_ssl.errors import InputError


@dataclass(frozen=True)
class Dynamics:
    """Drops of one metric in a log, what they coincide with, and the verdict.

    Attributes:
        source: the log.
        metric: searched.
        unit: of the steps.
        drops: of all splits, by split and step.
        verdict: with evidence and what is missing.
        events: all known events in the log's unit.
        notes: sentences on the quality of the log and what was done to it.
    """

    source: str
    metric: str
    unit: str
    drops: tuple[AttributedDrop, ...]
    verdict: Verdict
    events: tuple[Event, ...]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON: what dynamics.json holds."""
        return {
            "source": self.source,
            "metric": self.metric,
            "unit": self.unit,
            "drops": [found.document() for found in self.drops],
            "verdict": self.verdict.word,
            "evidence": list(self.verdict.evidence),
            "missing": list(self.verdict.missing),
            "events": [event.document() for event in self.events],
            "notes": list(self.notes),
        }


def analyse(
    log: TrainingLog,
    *,
    metric: str = "loss",
    events: Sequence[Event] = (),
    floors: tuple[float, float] | None = None,
    source: str | None = None,
    confidence: float = 0.95,
    bootstrap: int = 500,
    seed: int = 0,
) -> Dynamics:
    """Find the drops of a metric in train and val, match them with the events and judge.

    Args:
        log: to search.
        metric: a name in the log; lower is better.
        events: known events in the log's unit; those that the log itself tells (resumes, jumps of a logged learning
            rate) are added.
        floors: entropy floor of the codes without and with the queue, in nats.
        source: what to call the log in the result; the log's own name when left out.
        confidence: of the drops' intervals.
        bootstrap: resamples for the intervals.
        seed: of every draw.

    Raises:
        InputError: the log has no such metric.
    """
    splits = log.splits(metric)
    if not splits:
        raise InputError(f"{log.source} has no metric {metric!r}; it has {', '.join(log.metrics())}.")
    known = _merge([*events, *log.events, *learning_rate_events(log)])
    found: list[AttributedDrop] = []
    searched: list[str] = []
    notes = list(log.notes)
    curves = {split: log.curve(metric, split) for split in splits}
    searches = find_shared_drops(curves, confidence=confidence, bootstrap=bootstrap, seed=seed)
    for split, search in searches.items():
        steps, _ = curves[split]
        notes += [f"{split.capitalize()} {metric}: {note}" for note in search.notes]
        if not search.searched:
            many = f"{search.points} value{'' if search.points == 1 else 's'}"
            notes.append(f"{split.capitalize()} {metric} was not searched: it has {many}, and the search needs 16.")
            continue
        searched.append(split)
        found += [attribute(split, drop, known, steps) for drop in search.drops]
    ends = [float(steps[end]) for steps, _ in curves.values() if len(steps) for end in (0, -1)]
    found = with_joint_intervals(found, known, (min(ends), max(ends)))
    measured = _measured(log, metric, found)
    verdict = judge(found, known, unit=log.unit, searched=searched, floors=floors, measured=measured)
    return Dynamics(source or log.source, metric, log.unit, tuple(found), verdict, tuple(known), tuple(notes))


def learning_rate_events(log: TrainingLog, factor: float = 1.5, most: int = 12) -> list[Event]:
    """Jumps of a logged learning rate: by ``factor`` or more from row to row, far more than beside them."""
    steps, rates = log.curve("lr", "train")
    if len(rates) < 3 or (rates <= 0).any():
        return []
    change = np.abs(np.diff(np.log(rates)))
    beside = np.maximum(np.append(change[1:], 0), np.insert(change[:-1], 0, 0))
    places = np.flatnonzero((change > np.log(factor)) & (change > 3 * beside))
    if len(places) > most:
        return []
    return [
        Event("lr_phase", float(steps[k + 1]), f"The learning rate goes from {rates[k]:.3g} to {rates[k + 1]:.3g}.")
        for k in places
    ]


def _merge(events: Sequence[Event]) -> list[Event]:
    """Events by step, each kind once a step."""
    kept = {(event.kind, event.step): event for event in reversed(events)}
    return sorted(kept.values(), key=lambda event: (event.step, event.kind))


def _measured(log: TrainingLog, metric: str, drops: Sequence[AttributedDrop]) -> list[str]:
    """What else the log measured across the drop: the loss without the queue, and the code entropy."""
    if metric != "loss" or not drops:
        return []
    largest = max(drops, key=lambda entry: entry.drop.size_in_noise)
    main = largest.drop
    sentences = []
    if any(event.kind == "queue_start" for event in largest.events):
        shares = (_share_of_switch(log, found) for found in (largest, *(drop for drop in drops if drop is not largest)))
        sentences += next((share for share in shares if share), [])
    steps, entropy = log.curve("code_entropy", "train")
    before, after = entropy[steps <= main.step_low][-10:], entropy[steps >= main.step_high][:10]
    if len(before) >= 3 and len(after) >= 3:
        sentences.append(
            f"The entropy of the codes went from {before.mean():.2f} to {after.mean():.2f} nats across the drop "
            f"(means of {len(before)} and {len(after)} rows)."
        )
    return sentences


def _share_of_switch(log: TrainingLog, found: AttributedDrop, rows: int = 10, reach: float = 0.02) -> list[str]:
    """How much of a drop at a queue start is the switch itself: what the same batches cost without the queue.

    Weighed only where a queue start lies within the drop's interval, and on the rows close behind it: at most ``rows``,
    within the share ``reach`` of the log (in a short log: the next three). Later the two losses drift apart for other
    reasons.
    """
    if not any(event.kind == "queue_start" for event in found.events):
        return []
    drop, (steps, loss) = found.drop, log.curve("loss", found.split)
    at, reference = log.curve("reference_loss", found.split)
    far = drop.step + max(reach * float(steps[-1] - steps[0]), 3 * found.tolerance)
    close = (at >= drop.step) & (at <= far) & np.isin(at, steps)
    gaps = (reference[close] - loss[np.searchsorted(steps, at[close])])[:rows]
    if len(gaps) < 3:
        return []
    gap = float(gaps.mean())
    if gap <= 0:
        return [
            f"Right after the {found.split} drop the same batches cost no more without the queue than with it "
            f"(difference {gap:.3g}, mean of {len(gaps)} rows): the switch itself explains none of the fall."
        ]
    return [
        f"Right after the {found.split} drop the same batches cost {gap:.3g} more without the queue than with it "
        f"(mean of {len(gaps)} rows): {min(gap / drop.size, 1):.0%} of the fall may be the switch itself."
    ]
