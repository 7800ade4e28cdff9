"""Classifiers compared on the same labelled pairs: figures of each, and paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.evaluation.judge import judge_figures
from rice_ssl.evaluation.metrics import hits, log_losses
from rice_ssl.evaluation.paired_tests import mcnemar, paired_difference
from rice_ssl.evaluation.resampling import Bootstrap
from rice_ssl.sensors import BOTH, FUSED, SHARED


@dataclass(frozen=True)
class Compared:
    """A classifier's answers on pairs that it had not seen.

    Attributes:
        name: on screen.
        sensors: what it learnt from: ``shared``, ``fused`` or a sensor's name.
        start: kind of weights that it started from.
        label_fraction: share of the labels that it learnt from.
        judge: whose answers stand for it: ``both``, or its one sensor.
        answers: columns pair_id, sensor (judge), probabilities, label; labelled pairs alone.
    """

    name: str
    sensors: str
    start: str
    label_fraction: float
    judge: str
    answers: pd.DataFrame

    def of(self, judge: str) -> pd.DataFrame:
        """Answers of one judge, by pair_id."""
        return self.answers[self.answers["sensor"] == judge].set_index("pair_id")


def figures_by_judge(one: Compared, classes: Sequence[str], how: Bootstrap) -> dict[str, Any]:
    """The five figures of each judge that has labelled pairs enough; see :func:`judge_figures`."""
    found = {}
    for judge in dict.fromkeys(one.answers["sensor"]):
        probabilities, labels = _numbers(one.of(judge), classes)
        if len(labels) > 1:
            found[str(judge)] = judge_figures(
                probabilities,
                labels,
                classes,
                bootstrap=how.repetitions,
                confidence=how.confidence,
                seed=how.seed,
            )
    return found


def differences(compared: Sequence[Compared], classes: Sequence[str], how: Bootstrap) -> list[dict[str, Any]]:
    """Paired differences a - b of accuracy and log loss, over the pairs that both judged.

    Returns:
        ``question`` (``sensor``: two sensors; ``fusion``: both sensors against one, or two ways of using both;
        ``start``: two kinds of weights), ``a``, ``judge_a``, ``b``, ``judge_b``, ``name``, ``value``, ``low``,
        ``high``, ``mcnemar_p`` (of accuracy, else None) and ``pairs``.
    """
    found = []
    for question, a, judge_a, b, judge_b in _questions([one for one in compared if one.label_fraction >= 1]):
        first, second = a.of(judge_a), b.of(judge_b)
        shared = first.index.intersection(second.index)
        if len(shared) < 2:
            continue
        p, labels = _numbers(first.loc[shared], classes)
        q, _ = _numbers(second.loc[shared], classes)
        test = mcnemar(hits(p, labels) > 0, hits(q, labels) > 0)
        for name, score in (("accuracy", hits), ("log_loss", log_losses)):
            gap = paired_difference(score(p, labels), score(q, labels), how.pairs(len(labels)), how.confidence)
            found.append(
                {
                    "question": question,
                    "a": a.name,
                    "judge_a": judge_a,
                    "b": b.name,
                    "judge_b": judge_b,
                    "name": name,
                    **gap.as_dict(),
                    "mcnemar_p": test.p if name == "accuracy" else None,
                    "pairs": len(labels),
                }
            )
    return found


def _questions(compared: Sequence[Compared]) -> Iterator[tuple[str, Compared, str, Compared, str]]:
    for start in dict.fromkeys(one.start for one in compared):
        own = [one for one in compared if one.start == start]
        single = [one for one in own if one.sensors not in {SHARED, FUSED}]
        joint = [one for one in own if one.sensors in {SHARED, FUSED}]
        for place, a in enumerate(single):
            for b in single[place + 1 :]:
                yield "sensor", a, a.judge, b, b.judge
        for both in joint:
            names = [str(name) for name in dict.fromkeys(both.answers["sensor"]) if name != BOTH]
            for place, first in enumerate(names):
                for second in names[place + 1 :]:
                    yield "sensor", both, first, both, second
            for one in single:
                yield "fusion", both, both.judge, one, one.judge
        if len(joint) > 1:
            fused = sorted(joint, key=lambda one: one.sensors != FUSED)
            yield "fusion", fused[0], fused[0].judge, fused[1], fused[1].judge
    for sensors in dict.fromkeys(one.sensors for one in compared):
        own = sorted((one for one in compared if one.sensors == sensors), key=lambda one: one.start == "random")
        for place, a in enumerate(own):
            for b in own[place + 1 :]:
                yield "start", a, a.judge, b, b.judge


def label_efficiency(
    compared: Sequence[Compared], figures: Sequence[dict[str, Any]], sensors: str, labelled: Sequence[int]
) -> list[dict[str, Any]]:
    """Figures by share of the labels, of the classifiers that learnt from ``sensors``.

    Args:
        compared: the classifiers.
        figures: of each, from :func:`figures_by_judge`.
        sensors: which of them.
        labelled: labelled pairs that each learnt from, on average over the folds.
    """
    found = []
    for one, own, count in zip(compared, figures, labelled, strict=True):
        if one.sensors != sensors or one.judge not in own:
            continue
        for name in ("accuracy", "log_loss"):
            found.append(
                {
                    "method": "finetune",
                    "start": one.start,
                    "judge": one.judge,
                    "label_fraction": one.label_fraction,
                    "labelled": count,
                    "name": name,
                    **own[one.judge][name],
                }
            )
    return found


def transfer(
    compared: Sequence[Compared], figures: Sequence[dict[str, Any]], sensors: Sequence[str]
) -> list[dict[str, Any]]:
    """Accuracy of classifiers that learnt from one sensor, on the images of each; all labels alone."""
    return [
        {
            "method": "finetune",
            "start": one.start,
            "trained_on": one.sensors,
            "tested_on": tested,
            "name": "accuracy",
            **own[tested]["accuracy"],
            "pairs": len(one.of(tested)),
        }
        for one, own in zip(compared, figures, strict=True)
        if one.sensors in sensors and one.label_fraction >= 1
        for tested in sensors
        if tested in own
    ]


def _numbers(answers: pd.DataFrame, classes: Sequence[str]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    number = {name: place for place, name in enumerate(classes)}
    probabilities = np.stack([np.asarray(one, dtype=np.float64) for one in answers["probabilities"]])
    labels = np.asarray(answers["label"].map(number), dtype=np.int64)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True)), labels
