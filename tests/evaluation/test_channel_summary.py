"""The summary of replaced bands against hand-counted cases and slow loops."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from rice_ssl.evaluation.bootstrap import draws
from rice_ssl.evaluation.channel_summary import channel_summary
from rice_ssl.evaluation.resampling import mean_of, resampled

SETTINGS = {"bootstrap": 300, "confidence": 0.9, "seed": 4}


def rows(split, band, *pairs):
    """One row a pair: (original, prediction, label, joint original, joint prediction)."""
    found = []
    for number, (original, prediction, label, joint, joint_after) in enumerate(pairs):
        known, alone = label is not None, joint is None
        found.append(
            {
                "pair_id": f"{split}{number}",
                "sensor": "rgnir",
                "band": band,
                "replacement": "mean",
                "original": original,
                "prediction": prediction,
                "flipped": original != prediction,
                "joint_original": joint,
                "joint_prediction": joint_after,
                "joint_flipped": None if alone else joint != joint_after,
                "divergence": 0.1 * number,
                "label": label,
                "split": split,
                "log_loss_before": 0.2 * number if known else np.nan,
                "log_loss_after": 0.3 * number + 0.1 if known else np.nan,
                "joint_log_loss_before": 0.1 if known and not alone else np.nan,
                "joint_log_loss_after": 0.1 + number if known and not alone else np.nan,
            }
        )
    return pd.DataFrame(found)


VAL = rows(
    "val",
    "red",
    ("x", "y", "x", "x", "x"),  # right to wrong
    ("y", "x", "x", "y", "x"),  # wrong to right
    ("y", "z", "x", "y", "y"),  # wrong to wrong
    ("x", "x", "x", None, None),
    ("y", "y", "x", "x", "x"),
    ("x", "z", None, "x", "z"),
)


def test_counts_and_means_by_hand():
    (found,) = channel_summary(VAL, **SETTINGS)
    assert (found["split"], found["sensor"], found["band"], found["replacement"]) == ("val", "rgnir", "red", "mean")
    assert found["pairs"] == 6
    assert found["flipped"]["value"] == pytest.approx(4 / 6)
    assert found["divergence"]["value"] == pytest.approx(0.25)
    labelled = found["labelled"]
    assert labelled["n"] == 5
    assert labelled["flips"] == {"right_to_wrong": 1, "wrong_to_right": 1, "wrong_to_wrong": 1}
    assert labelled["accuracy"]["before"]["value"] == pytest.approx(2 / 5)
    assert labelled["accuracy"]["after"]["value"] == pytest.approx(2 / 5)
    assert labelled["accuracy"]["difference"]["value"] == pytest.approx(0)
    assert labelled["log_loss"]["before"]["value"] == pytest.approx(0.4)
    assert labelled["log_loss"]["after"]["value"] == pytest.approx(0.7)
    assert labelled["log_loss"]["difference"]["value"] == pytest.approx(0.3)
    joint = found["joint"]
    assert joint["pairs"] == 5
    assert joint["flipped"]["value"] == pytest.approx(2 / 5)
    assert joint["labelled"]["n"] == 4
    assert joint["labelled"]["flips"] == {"right_to_wrong": 0, "wrong_to_right": 1, "wrong_to_wrong": 0}
    assert joint["labelled"]["log_loss"]["difference"]["value"] == pytest.approx((0 + 1 + 2 + 4) / 4)


def wilson(successes, count):
    found = binomtest(successes, count).proportion_ci(SETTINGS["confidence"], method="wilson")
    return {"value": successes / count, "low": pytest.approx(found.low), "high": pytest.approx(found.high)}


def test_shares_have_wilsons_interval_as_scipy_has_it():
    (found,) = channel_summary(VAL, **SETTINGS)
    assert found["flipped"] == wilson(4, 6)
    assert found["labelled"]["accuracy"]["before"] == wilson(2, 5)
    assert found["joint"]["flipped"] == wilson(2, 5)


def test_the_difference_of_accuracy_has_bonett_and_prices_interval():
    """One pair right to wrong, one wrong to right, of 5: shares (1 + 1) / 7 each; 1.645 * sqrt(4 / 7 / 7) = 0.470."""
    (found,) = channel_summary(VAL, **SETTINGS)
    difference = found["labelled"]["accuracy"]["difference"]
    reach = norm.ppf(0.95) * np.sqrt(4 / 7 / 7)
    assert reach == pytest.approx(0.470, abs=1e-3)
    assert difference == {"value": 0.0, "low": pytest.approx(-reach), "high": pytest.approx(reach)}


def test_log_loss_and_divergence_have_the_bootstraps_interval_and_differences_are_paired():
    (found,) = channel_summary(VAL, **SETTINGS)
    gaps = np.array([0.1 * k + 0.1 for k in range(5)])
    labelled = resampled(draws(5, 300, 4))
    expected = mean_of(gaps, labelled, 0.9).as_dict()
    assert found["labelled"]["log_loss"]["difference"] == {name: pytest.approx(v) for name, v in expected.items()}
    expected = mean_of(0.1 * np.arange(6), resampled(draws(6, 300, 4)), 0.9).as_dict()
    assert found["divergence"] == {name: pytest.approx(v) for name, v in expected.items()}
    assert found["divergence"]["low"] < 0.25 < found["divergence"]["high"]


@pytest.mark.parametrize("after", ["x", "y"])
def test_where_none_or_all_flipped_the_interval_is_no_point(after):
    """Of 8 pairs, z = 1.645: Wilson's bound is z^2 / (8 + z^2) = 0.253."""
    (found,) = channel_summary(rows("val", "red", *[("x", after, "x", None, None)] * 8), **SETTINGS)
    share, accuracy = found["flipped"], found["labelled"]["accuracy"]
    if after == "x":
        assert share == {"value": 0.0, "low": pytest.approx(0, abs=1e-12), "high": pytest.approx(0.253, abs=1e-3)}
        assert accuracy["difference"]["low"] < 0 < accuracy["difference"]["high"]
    else:
        assert share == {"value": 1.0, "low": pytest.approx(0.747, abs=1e-3), "high": pytest.approx(1)}
        assert accuracy["difference"]["value"] == -1
        assert accuracy["difference"]["high"] > -1
    assert accuracy["after"]["low"] < accuracy["after"]["high"]
    assert found["joint"] is None


def test_every_question_by_itself_in_the_tables_order():
    test = rows("test", "red", ("x", "y", None, "x", "x"))
    green = rows("val", "green", ("x", "x", "x", "x", "y"), ("x", "y", "y", "x", "y"))
    found = channel_summary(pd.concat([VAL, test, green], ignore_index=True), **SETTINGS)
    assert [(one["split"], one["band"], one["pairs"]) for one in found] == [
        ("val", "red", 6),
        ("test", "red", 1),
        ("val", "green", 2),
    ]
    assert found[1]["joint"]["flipped"] == wilson(0, 1)
    assert found[1]["divergence"] is None  # one pair shows no spread
    assert found[1]["joint"]["labelled"] is None
    assert found[2]["labelled"]["flips"] == {"right_to_wrong": 0, "wrong_to_right": 1, "wrong_to_wrong": 0}
    assert channel_summary(VAL.iloc[:0], **SETTINGS) == []
