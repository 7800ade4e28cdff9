"""Figures of report.json in words, with their intervals; where an interval holds 0, no difference is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard.components.words import plain
from rice_ssl.sensors import BOTH

FIGURES = {
    "accuracy": "Accuracy",
    "log_loss": "Log loss (nats)",
    "macro_f1": "Macro F1",
    "brier": "Brier score",
    "ece": "Calibration error",
}
"""Name of a figure -> how it is written."""
SHARES = ("Accuracy", "Macro F1")
"""Those that are shares: from 0 to 1, and more is better."""
COLOURS_AND_RINGS = (
    "Colours: which images a pair is judged from. Rings: with images of a sensor that the classifier never saw in "
    "fine-tuning."
)
"""What the dots of several classifiers' figures are."""
NOT_SHOWN = "no difference shown (the interval holds 0)"
FOLLOWS = (
    "Which is better is said where the difference's interval leaves out 0. McNemar's test asks the same in another "
    "way; near the limit its p may say otherwise."
)
"""How verdicts come about, to be said once below them."""


def percent(entry: Mapping[str, float]) -> str:
    """``80% [75%, 85%]``."""
    return f"{100 * entry['value']:.0f}% [{100 * entry['low']:.0f}%, {100 * entry['high']:.0f}%]"


def decimal(entry: Mapping[str, float], digits: int = 2) -> str:
    """``0.80 [0.75, 0.85]``."""
    value, low, high = (f"{entry[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def points(entry: Mapping[str, float]) -> str:
    """A difference of shares: ``+5.0 points [+1.0, +9.0]``."""
    value, low, high = (f"{100 * entry[key]:+.1f}" for key in ("value", "low", "high"))
    return f"{value} points [{low}, {high}]"


def p_value(p: float) -> str:
    """``p = 0.013``, or ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def verdict(gap: Mapping[str, Any], a: str, b: str, *, lower_is_better: bool) -> str:
    """Which of two predictors is better by a paired difference ``a - b``, or that none is shown to be.

    Args:
        gap: ``value``, ``low``, ``high``.
        a: title of the first.
        b: title of the second.
        lower_is_better: as for a loss.
    """
    if gap["low"] <= 0 <= gap["high"]:
        return NOT_SHOWN
    return f"**{a if (gap['low'] > 0) != lower_is_better else b} is better**"


def differences(part: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """Paired differences of accuracy and log loss, a sentence for every two predictors.

    Args:
        part: one split of report.json.
        titles: how judges are written.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for gap in part["differences"]:
        a, b = (plain(titles.get(name, name)) for name in (gap["a"], gap["b"]))
        if gap["name"] == "accuracy":
            told = f"accuracy {points(gap)}: {verdict(gap, a, b, lower_is_better=False)}"
        elif gap["name"] == "log_loss":
            told = f"log loss {gap['value']:+.2f} nats [{gap['low']:+.2f}, {gap['high']:+.2f}]"
            told += f": {verdict(gap, a, b, lower_is_better=True)}"
        else:
            continue
        found.setdefault((a, b), []).append(told)
    return [f"{a} against {b}: {'; '.join(sentences)}." for (a, b), sentences in found.items()]


def mcnemar(agreement: Mapping[str, Any], titles: Mapping[str, str]) -> str | None:
    """Counts and p of McNemar's test of the two sensors; None where it was not made, for want of labels.

    No verdict: that follows the interval of the difference, see :func:`differences`.

    Args:
        agreement: of one split of report.json.
        titles: how judges are written.
    """
    test = agreement.get("mcnemar")
    if not test:
        return None
    first, second = (plain(titles.get(name, name)) for name in agreement["sensors"])
    only_first, only_second, p = int(test["first_only"]), int(test["second_only"]), float(test["p"])
    told = (
        f"{first} is right on {_pairs(only_first)} where {second} is wrong, and wrong on {_pairs(only_second)} where "
        f"{second} is right"
    )
    kind = "exact" if test["method"] == "exact" else "chi-squared"
    return f"{told} (McNemar's test, {kind}, {p_value(p)})."


def _pairs(count: int) -> str:
    return f"{count:,} pair{'' if count == 1 else 's'}"


def complementarity(found: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """What knowing the right one of two sensors would bring, and what of it their joint prediction brings.

    Args:
        found: ``complementarity`` of one split of report.json.
        titles: how judges are written.
    """
    best, oracle = found["best_single"], found["oracle"]
    single = plain(titles.get(best["sensor"], best["sensor"]))
    told = [
        f"Were the right one of the two sensors known for each pair, {percent(oracle)} of {found['pairs']:,} pairs "
        f"would be right (the oracle); {single} alone, the better one on these pairs, has {percent(best)}."
    ]
    joint, gain = found.get("joint"), found.get("gain_of_fusion")
    if joint and gain:
        name = titles.get(BOTH, BOTH)
        if gain["low"] > 0:
            said = "**judging from both sensors helps**"
        elif gain["high"] < 0:
            said = "**judging from both sensors harms**"
        else:
            said = NOT_SHOWN
        sentence = f"{name} has {percent(joint)}, {points(gain)} against {single} alone: {said}."
        share = found.get("of_oracle_gain")
        if share is not None and gain["low"] > 0:
            sentence += f" That is {100 * share:.0f}% of what the oracle would gain."
        told.append(sentence)
    return told
