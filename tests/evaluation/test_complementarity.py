import numpy as np
import pandas as pd
import pytest

from rice_ssl.evaluation.complementarity import complementarity
from rice_ssl.evaluation.judged import Judged
from rice_ssl.evaluation.paired_tests import share_difference
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.resampling import Bootstrap

NAMES, HOW = ("rgb", "rgnir"), Bootstrap(100, 0.95, 0)


def judge(right, pairs=None, unknown=()):
    """Of two classes; every label is class 0, or unknown."""
    right = np.array(right, dtype=bool)
    chance = np.where(right, 0.9, 0.1)
    labels = np.where(np.isin(np.arange(len(right)), unknown), -1, 0)
    return Judged(pd.Index(pairs or list(range(len(right)))), np.stack([chance, 1 - chance], axis=1), labels)


def test_by_hand():
    """Both right on 3, the first alone on 2, the second alone on 1, neither on 2; jointly right on 6."""
    first, second = [1, 1, 1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 1, 0, 0]
    joint = [1, 1, 1, 1, 1, 1, 0, 0]
    found = complementarity(judge(first), judge(second), judge(joint), NAMES, HOW)
    counts = [found[name] for name in ("pairs", "both_right", "first_only", "second_only", "neither")]
    assert counts == [8, 3, 2, 1, 2]
    low, high = wilson_interval(6, 8)
    assert found["oracle"] == {"value": 0.75, "low": low, "high": high}
    assert (found["best_single"]["sensor"], found["best_single"]["value"]) == ("rgb", 5 / 8)
    assert found["joint"]["value"] == 0.75
    gain = share_difference(np.array(joint, dtype=bool), np.array(first, dtype=bool), 0.95)
    assert found["gain_of_fusion"] == gain.as_dict()
    assert found["gain_of_fusion"]["value"] == pytest.approx(1 / 8)
    assert found["of_oracle_gain"] == 1


def test_fusion_may_lose_and_the_second_may_be_the_best():
    found = complementarity(judge([1, 0, 0, 1]), judge([1, 1, 1, 0]), judge([0, 1, 0, 0]), NAMES, HOW)
    assert found["best_single"]["sensor"] == "rgnir"
    assert (found["gain_of_fusion"]["value"], found["of_oracle_gain"]) == (-0.5, -2)


def test_an_oracle_that_gains_nothing_has_nothing_to_share():
    found = complementarity(judge([1, 1, 0]), judge([1, 0, 0]), judge([1, 1, 1]), NAMES, HOW)
    assert found["oracle"]["value"] == found["best_single"]["value"]
    assert found["of_oracle_gain"] is None


def test_only_labelled_pairs_that_all_judge_count():
    first = judge([1, 0, 1, 1, 0], list("abcde"), unknown=[1])
    second, joint = judge([1, 1, 0, 1], list("edca")), judge([1, 1, 1], list("xca"))
    found = complementarity(first, second, joint, NAMES, HOW)
    assert [found[name] for name in ("pairs", "both_right", "first_only")] == [2, 1, 1]  # a and c


def test_without_a_joint_judgement_there_is_no_gain():
    found = complementarity(judge([1, 0]), judge([0, 0]), None, NAMES, HOW)
    assert found["pairs"] == 2
    assert (found["joint"], found["gain_of_fusion"], found["of_oracle_gain"]) == (None, None, None)


def test_one_pair_is_too_few():
    assert complementarity(judge([1]), judge([1]), judge([1]), NAMES, HOW) is None


def test_of_two_equally_good_sensors_the_first_is_taken():
    found = complementarity(judge([1, 0, 1]), judge([0, 1, 1]), judge([1, 1, 1]), NAMES, HOW)
    assert found["best_single"]["sensor"] == "rgb"
