"""The summary of replaced bands against hand-counted cases and slow loops."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta

from rice_ssl.evaluation.bootstrap import draws
from rice_ssl.evaluation.channel_summary import channel_summary

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


def test_intervals_against_a_slow_loop_and_differences_are_paired():
    (found,) = channel_summary(VAL, **SETTINGS)
    flips = [True, True, True, False, False, True]
    shares = sorted(np.mean([flips[k] for k in drawn]) for drawn in draws(6, 300, 4))
    assert found["flipped"]["low"] == pytest.approx(np.quantile(shares, 0.05))
    assert found["flipped"]["high"] == pytest.approx(np.quantile(shares, 0.95))
    gaps = [0.1 * k + 0.1 for k in range(5)]
    means = [np.mean([gaps[k] for k in drawn]) for drawn in draws(5, 300, 4)]
    difference = found["labelled"]["log_loss"]["difference"]
    assert difference["low"] == pytest.approx(np.quantile(means, 0.05))
    assert difference["high"] == pytest.approx(np.quantile(means, 0.95))


@pytest.mark.parametrize("after", ["x", "y"])
def test_where_none_or_all_flipped_the_interval_is_the_exact_one(after):
    """Of 8 pairs: Clopper-Pearson's bounds are quantiles of a beta distribution, 1 - 0.05 ** (1 / 8) = 0.312."""
    (found,) = channel_summary(rows("val", "red", *[("x", after, None, None, None)] * 8), **SETTINGS)
    share = found["flipped"]
    if after == "x":
        assert (share["value"], share["low"]) == (0, 0)
        assert share["high"] == pytest.approx(beta.ppf(0.95, 1, 8))
        assert share["high"] == pytest.approx(0.312, abs=1e-3)
    else:
        assert (share["value"], share["high"]) == (1, 1)
        assert share["low"] == pytest.approx(1 - 0.312, abs=1e-3)
    assert found["labelled"] is None
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
    assert found[1]["joint"]["flipped"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.95)}
    assert found[1]["joint"]["labelled"] is None
    assert found[2]["labelled"]["flips"] == {"right_to_wrong": 0, "wrong_to_right": 1, "wrong_to_wrong": 0}
    assert channel_summary(VAL.iloc[:0], **SETTINGS) == []
