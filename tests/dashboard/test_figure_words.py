"""Figures in words: intervals, p-values, and no more than they show."""

import pytest

from dashboard.components.figure_words import (
    complementarity,
    decimal,
    differences,
    mcnemar,
    p_value,
    percent,
    points,
    verdict,
)
from dashboard.components.words import plain
from tests.dashboard.judged import split_report, spread

TITLES = {"rgb": "RGB", "rgnir": "RGNIR", "both": "Joint"}


def test_a_figure_has_its_interval():
    assert percent(spread(0.8)) == "80% [75%, 85%]"
    assert decimal(spread(0.081, 0.03), 3) == "0.081 [0.051, 0.111]"
    assert points({"value": -0.051, "low": -0.1, "high": 0.02}) == "-5.1 points [-10.0, +2.0]"


@pytest.mark.parametrize(
    ("p", "said"),
    [(0.0, "p < 0.001"), (0.00099, "p < 0.001"), (0.0654, "p = 0.065"), (0.013, "p = 0.013"), (0.5, "p = 0.50"),
     (1.0, "p = 1.00")],
)  # fmt: skip
def test_p_values(p, said):
    assert p_value(p) == said


def test_an_interval_that_holds_0_shows_no_difference():
    not_shown = "no difference shown (the interval holds 0)"
    assert verdict({"low": -0.1, "high": 0.1}, "A", "B", lower_is_better=False) == not_shown
    assert verdict({"low": 0.0, "high": 0.1}, "A", "B", lower_is_better=False) == not_shown
    assert verdict({"low": 0.01, "high": 0.1}, "A", "B", lower_is_better=False) == "**A is better**"
    assert verdict({"low": 0.01, "high": 0.1}, "A", "B", lower_is_better=True) == "**B is better**"
    assert verdict({"low": -0.1, "high": -0.01}, "A", "B", lower_is_better=True) == "**A is better**"


def test_mcnemar_says_who_is_right_alone_and_leaves_the_verdict_to_the_interval():
    agreement = split_report()["agreement"]
    assert mcnemar(agreement, TITLES) == (
        "RGB is right on 2 pairs where RGNIR is wrong, and wrong on 9 pairs where RGNIR is right (McNemar's test, "
        "exact, p = 0.065)."
    )
    agreement["mcnemar"] = {"first_only": 40, "second_only": 1, "p": 1e-9, "method": "chi-squared"}
    assert mcnemar(agreement, TITLES) == (
        "RGB is right on 40 pairs where RGNIR is wrong, and wrong on 1 pair where RGNIR is right (McNemar's test, "
        "chi-squared, p < 0.001)."
    )
    assert mcnemar({**agreement, "mcnemar": None}, TITLES) is None


def test_names_out_of_files_are_text_to_markdown():
    assert plain("id_0001 (cosine 0.99), 5% of 3.") == "id_0001 (cosine 0.99), 5% of 3."
    assert plain("a $x$ *b*\n_c_ `d` :red[e] <b>") == "a \\$x\\$ \\*b\\* \\_c\\_ \\`d\\` \\:red\\[e\\] \\<b\\>"
    said = differences(split_report(), {**TITLES, "both": "*all*"})[0]
    assert said.startswith("\\*all\\* against RGB: ")
    assert "**\\*all\\* is better**" in said


def test_complementarity_tells_oracle_and_gain():
    oracle, gain = complementarity(split_report()["complementarity"], TITLES)
    assert "90% [85%, 95%] of 20 pairs would be right (the oracle)" in oracle
    assert oracle.endswith("RGNIR alone, the better one on these pairs, has 80% [75%, 85%].")
    assert gain == (
        "Joint has 85% [80%, 90%], +5.0 points [+1.0, +9.0] against RGNIR alone: **judging from both sensors helps**. "
        "That is 50% of what the oracle would gain."
    )


@pytest.mark.parametrize(
    ("gain", "share", "said"),
    [
        ({"value": 0.01, "low": -0.03, "high": 0.05}, 0.1, "no difference shown (the interval holds 0)"),
        ({"value": -0.1, "low": -0.2, "high": -0.05}, -1.0, "**judging from both sensors harms**."),
    ],
)
def test_a_gain_that_is_none_is_not_called_one(gain, share, said):
    found = {**split_report()["complementarity"], "gain_of_fusion": gain, "of_oracle_gain": share}
    sentence = complementarity(found, TITLES)[1]
    assert said in sentence
    assert "what the oracle would gain" not in sentence


def test_without_a_joint_prediction_there_is_no_gain():
    found = {**split_report()["complementarity"], "joint": None, "gain_of_fusion": None, "of_oracle_gain": None}
    assert len(complementarity(found, TITLES)) == 1


def test_differences_are_of_accuracy_and_log_loss():
    assert differences(split_report(), TITLES) == [
        "Joint against RGB: accuracy +20.0 points [+15.0, +25.0]: **Joint is better**; "
        "log loss -0.20 nats [-0.25, -0.15]: **Joint is better**.",
        "RGB against RGNIR: accuracy -10.0 points [-25.0, +5.0]: no difference shown (the interval holds 0).",
    ]
