"""Figures of one judge: how good, which class, how sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rice_ssl.evaluation.bootstrap import Interval
from rice_ssl.evaluation.calibration import (
    abstention,
    calibration_error,
    error_features,
    error_if_calibrated,
    reliability,
)
from rice_ssl.evaluation.judged import Judged
from rice_ssl.evaluation.metrics import (
    brier_scores,
    confusion,
    f1_features,
    hits,
    log_losses,
    macro_f1,
)
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.resampling import Bootstrap, centred_interval_of, interval_of, mean_of, share_of

Figure = dict[str, float]
FIGURES = ("accuracy", "log_loss", "macro_f1", "brier", "ece")
FEWEST = 2
"""Labelled pairs below which a judge has no figures: one pair shows no spread."""


def judge_figures(
    probabilities: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    classes: Sequence[str],
    *,
    bootstrap: int,
    confidence: float,
    seed: int,
) -> dict[str, Figure]:
    """The five figures of a judge, each with ``value``, ``low`` and ``high``.

    ``accuracy`` has Wilson's interval; ``log_loss`` (nats), ``macro_f1`` and ``brier`` (summed over classes, in [0, 2])
    have that of a bootstrap over pairs (BCa, expanded for few pairs). ``ece``, in [0, 1], is too high on few pairs; its
    interval is of what as many other pairs would show, and not of the error that infinitely many would.

    None of them knows how much another training would differ, nor that pairs of one site resemble each other.

    Args:
        probabilities: shape (N, C), finite; N is 2 or more.
        labels: class numbers, in [0, C), shape (N,).
        classes: C names.
        bootstrap: repetitions.
        confidence: of the intervals, in (0, 1).
        seed: of the draws; the same seed and N give the same draws.

    Raises:
        ValueError: fewer than 2 pairs, shapes that do not match, or a label out of range; the message gives the value.
    """
    values, truth = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if len(values) < FEWEST or values.shape != (len(truth), len(classes)):
        raise ValueError(
            f"probabilities has shape {values.shape}, with {len(truth)} labels and {len(classes)} classes: "
            f"give (N, C), N labels and C classes, N of {FEWEST} or more."
        )
    if truth.min() < 0 or truth.max() >= len(classes):
        raise ValueError(f"labels run from {truth.min()} to {truth.max()}: give numbers below {len(classes)}, from 0.")
    how = Bootstrap(bootstrap, confidence, seed)
    pairs, right = how.pairs(len(truth)), hits(values, truth)
    accuracy = share_of(right, confidence)
    assert accuracy is not None
    features = error_features(values.max(axis=1), right > 0)
    found = {
        "accuracy": accuracy,
        "log_loss": mean_of(log_losses(values, truth), pairs, confidence),
        "macro_f1": _macro_f1(values.argmax(axis=1), truth, how),
        "brier": mean_of(brier_scores(values, truth), pairs, confidence),
        "ece": centred_interval_of(calibration_error, features, pairs, confidence),
    }
    return {name: figure.as_dict() for name, figure in found.items()}


def judge_report(judged: Judged, classes: Sequence[str], bootstrap: Bootstrap) -> dict[str, Any] | None:
    """All that ``report.json`` says of a judge, over its labelled pairs; None of fewer than 2 such pairs.

    Returns:
        ``n``, ``figures``, ``confusion`` (rows are labels), ``by_class``, ``reliability``, ``abstention``, and
        ``ece_if_calibrated``: the calibration error that chance gives a calibrated judge as sure as this one.
    """
    known = judged.labelled()
    if len(known.pairs) < FEWEST:
        return None
    sure, counts = known.probabilities.max(axis=1), confusion(known.labels, known.predicted, len(classes))
    return {
        "n": len(known.pairs),
        "figures": judge_figures(
            known.probabilities,
            known.labels,
            classes,
            bootstrap=bootstrap.repetitions,
            confidence=bootstrap.confidence,
            seed=bootstrap.seed,
        ),
        "ece_if_calibrated": error_if_calibrated(sure, bootstrap).as_dict(),
        "confusion": counts.tolist(),
        "by_class": by_class(counts, classes, bootstrap.confidence),
        "reliability": reliability(sure, known.right, bootstrap.confidence),
        "abstention": abstention(sure, known.right, bootstrap.confidence),
    }


def by_class(counts: npt.NDArray[np.integer], classes: Sequence[str], confidence: float) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class, with Wilson's intervals; None where a figure is undefined.

    F1 is 2 J / (1 + J) of the share J = true / (true + missed + false), and so are the ends of its interval.

    Args:
        counts: confusion, rows are labels, shape (C, C).
        classes: C names.
        confidence: of the intervals, in (0, 1).

    Returns:
        ``name``, ``n`` (pairs of the class), ``precision``, ``recall``, ``f1``.
    """
    found = []
    for number, name in enumerate(classes):
        true, of_class, said = int(counts[number, number]), int(counts[number].sum()), int(counts[:, number].sum())
        shared = _share(true, of_class + said - true, confidence)
        found.append(
            {
                "name": name,
                "n": of_class,
                "precision": _share(true, said, confidence),
                "recall": _share(true, of_class, confidence),
                "f1": None if shared is None else {end: 2 * j / (1 + j) for end, j in shared.items()},
            }
        )
    return found


def _share(successes: int, count: int, confidence: float) -> Figure | None:
    if count == 0:
        return None
    return Interval(successes / count, *wilson_interval(successes, count, confidence)).as_dict()


def _macro_f1(predicted: npt.NDArray[np.integer], labels: npt.NDArray[np.integer], how: Bootstrap) -> Interval:
    """Macro F1; where all pairs are right, the low end is the mean of those of the classes, which is cautious."""
    classes = int(max(predicted.max(), labels.max())) + 1
    features = f1_features(labels, predicted, classes)
    found = interval_of(macro_f1, features, how.pairs(len(labels)), how.confidence)
    assert found is not None  # it has a value of any pairs
    if (predicted != labels).any():
        return found
    names = [str(number) for number in range(classes)]
    each = by_class(confusion(labels, predicted, classes), names, how.confidence)
    return Interval(found.value, float(np.mean([one["f1"]["low"] for one in each if one["f1"]])), found.high)
