import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss, precision_recall_fscore_support

from rice_ssl.evaluation.calibration import calibration_error, error_features
from rice_ssl.evaluation.judge import FIGURES, by_class, judge_figures, judge_report
from rice_ssl.evaluation.judged import Judged
from rice_ssl.evaluation.metrics import confusion
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.resampling import Bootstrap

CLASSES = ["blast", "brown", "healthy"]
SETTINGS = {"bootstrap": 300, "confidence": 0.95, "seed": 0}


def judgements(count, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    probabilities = rng.dirichlet(np.ones(classes), count) + 0.5 * np.eye(classes)[labels]
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


def test_figures_equal_scikit_learn():
    probabilities, labels = judgements(150)
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    found = judge_figures(probabilities, labels, CLASSES, **SETTINGS)
    assert list(found) == list(FIGURES)
    features = error_features(sure, predicted == labels).mean(axis=0, keepdims=True)
    expected = {
        "accuracy": accuracy_score(labels, predicted),
        "log_loss": log_loss(labels, probabilities),
        "macro_f1": f1_score(labels, predicted, average="macro"),
        "brier": ((probabilities - np.eye(3)[labels]) ** 2).sum(axis=1).mean(),
        "ece": calibration_error(features)[0],
    }
    assert {name: one["value"] for name, one in found.items()} == pytest.approx(expected)
    assert all(one["low"] < one["value"] < one["high"] for one in found.values())
    assert found == judge_figures(probabilities, labels, CLASSES, **SETTINGS)


def test_figures_of_each_class_equal_scikit_learn():
    probabilities, labels = judgements(150)
    counts = confusion(labels, probabilities.argmax(axis=1), 3)
    found = by_class(counts, CLASSES, 0.95)
    peers = precision_recall_fscore_support(labels, probabilities.argmax(axis=1))
    for name, peer in zip(("precision", "recall", "f1"), peers[:3], strict=True):
        assert [one[name]["value"] for one in found] == pytest.approx(peer)
    assert [one["n"] for one in found] == peers[3].tolist()
    low, high = wilson_interval(int(counts[0, 0]), int(counts[:, 0].sum()))
    assert (found[0]["precision"]["low"], found[0]["precision"]["high"]) == (low, high)


def test_a_class_by_hand_and_classes_that_are_absent():
    """Class a: 2 of 3 found, 1 of b called a. Class c is never a label, d neither label nor prediction."""
    counts = np.array([[2, 0, 1, 0], [1, 4, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    a, b, c, d = by_class(counts, list("abcd"), 0.95)
    assert (a["n"], a["precision"]["value"], a["recall"]["value"]) == (3, 2 / 3, 2 / 3)
    low, high = wilson_interval(2, 4)  # true, of true, missed and false
    assert a["f1"] == pytest.approx({"value": 2 / 3, "low": 2 * low / (1 + low), "high": 2 * high / (1 + high)})
    assert b["precision"]["value"] == 1
    assert (c["n"], c["precision"]["value"], c["recall"], c["f1"]["value"]) == (0, 0, None, 0)
    assert (d["precision"], d["recall"], d["f1"]) == (None, None, None)


def test_a_judge_that_is_always_right_is_not_beyond_doubt():
    labels = np.array([0, 0, 0, 1, 1])
    found = judge_figures(np.eye(3)[labels] * 0.7 + 0.1, labels, CLASSES, **SETTINGS)
    assert (found["accuracy"]["value"], found["accuracy"]["low"]) == (1, wilson_interval(5, 5)[0])
    low = [2 * end / (1 + end) for end in (wilson_interval(3, 3)[0], wilson_interval(2, 2)[0])]
    assert found["macro_f1"] == pytest.approx({"value": 1, "low": sum(low) / 2, "high": 1})


def test_a_report_of_a_judge_is_over_labelled_pairs():
    probabilities, labels = judgements(40)
    known = Judged(pd.Index([f"p{k}" for k in range(40)]), probabilities, labels)
    more = Judged(
        pd.Index([f"p{k}" for k in range(60)]),
        np.concatenate([probabilities, probabilities[:20]]),
        np.concatenate([labels, np.full(20, -1)]),
    )
    how = Bootstrap(100, 0.95, 0)
    found = judge_report(more, CLASSES, how)
    assert found == judge_report(known, CLASSES, how)
    assert (found["n"], found["confusion"]) == (40, confusion(labels, known.predicted, 3).tolist())
    assert found["figures"] == judge_figures(probabilities, labels, CLASSES, bootstrap=100, confidence=0.95, seed=0)
    assert sum(one["n"] for one in found["reliability"]) == 40
    assert found["abstention"][0]["accuracy"] == found["figures"]["accuracy"]["value"]
    chance = found["ece_if_calibrated"]
    assert 0 < chance["low"] < chance["value"] < chance["high"] < 1


@pytest.mark.parametrize(("count", "classes"), [(5, 3), (2, 2), (5, 1), (120, 50), (40, 1)])
def test_few_pairs_one_class_and_many_classes(count, classes):
    probabilities, labels = judgements(count, classes)
    judged = Judged(pd.Index(range(count)), probabilities, labels)
    found = judge_report(judged, [f"class {k}" for k in range(classes)], Bootstrap(100, 0.95, 0))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for one in found["figures"].values():
        assert one["low"] <= one["value"] <= one["high"]


def test_one_labelled_pair_has_no_figures():
    judged = Judged(pd.Index(["a", "b"]), np.array([[0.4, 0.6], [0.3, 0.7]]), np.array([1, -1]))
    assert judge_report(judged, ["a", "b"], Bootstrap(100, 0.95, 0)) is None


@pytest.mark.parametrize(
    ("probabilities", "labels", "said"),
    [
        (np.ones((1, 3)), [0], r"\(1, 3\), with 1 labels and 3 classes"),
        (np.ones((4, 2)), [0, 1, 0, 1], r"\(4, 2\), with 4 labels and 3 classes"),
        (np.ones((2, 3)), [0, 3], "from 0 to 3"),
        (np.ones((2, 3)), [0, -1], "from -1 to 0"),
    ],
)
def test_what_cannot_be_judged_is_refused(probabilities, labels, said):
    with pytest.raises(ValueError, match=said):
        judge_figures(probabilities, np.array(labels), CLASSES, **SETTINGS)
