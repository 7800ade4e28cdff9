"""Whether a classifier is as sure as it is right, and what it gains by keeping silent where it is not sure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from dashboard.charts.reliability import abstention_figure, answered, reliability_figure
from dashboard.components import reported
from dashboard.components.figure_words import FIGURES, decimal, percent
from dashboard.components.notice import explain, reading
from dashboard.components.words import plain
from rice_ssl.errors import ArtifactError

TOLD = ("ece", "brier", "log_loss")
MEANING = (
    "Calibration error (ECE, expected calibration error): how far confidence and share right lie apart, mean over bins "
    "of confidence weighted by their pairs. Of few pairs it is never near 0, so beside it stands what a well "
    "calibrated classifier would show on as many. Brier score: mean squared distance of the probabilities to the "
    "label, 0 to 2. Lower is better for all three."
)


def draw(run: RunKey, split: str) -> None:
    """Reliability diagrams, calibration error, and abstention.

    Raises:
        ArtifactError: the report is not there, or cannot be read.
    """
    report, part = reported.split_report(run, split)
    with reading("report.json", reported.command(run)):
        sensors, titles = part["sensors"], access.titles(run)
        if not sensors:
            st.info("These pairs have no labels, so nobody can say how often a confidence is right.")
            return
        figure = reliability_figure(sensors, titles, access.sensors(run))
        table = _table(run, sensors, titles, calibrated=access.is_calibrated(run, split))
    st.subheader("Is it as sure as it is right?")
    st.plotly_chart(
        figure, config={"displayModeBar": False}, key="reliability", alt="Share right by confidence, for each judge"
    )
    st.caption(
        "Below the dotted line a classifier is too sure of itself, above it too modest. Whiskers: Wilson's intervals "
        "of the pairs in a bin; few pairs tell little."
    )
    st.dataframe(table, hide_index=True, key="calibration", alt="Calibration of each judge")
    st.caption(f"{MEANING} Intervals: {100 * report['confidence']:g}%, over pairs.")
    st.subheader("What if it kept silent where it is not sure?")
    _abstention(run, sensors)


def _table(run: RunKey, sensors: Mapping[str, Any], titles: Mapping[str, str], *, calibrated: bool) -> pd.DataFrame:
    """A row for each judge; of calibrated probabilities the temperature, too."""
    temperatures = access.info(run).get("temperatures") or {}
    rows = []
    for judge, one in sensors.items():
        row = {"Judge": titles.get(judge, judge), "Pairs": one["n"]}
        row |= {FIGURES[name]: decimal(one["figures"][name], 3) for name in TOLD}
        if one.get("ece_if_calibrated"):
            row["Error if calibrated"] = decimal(one["ece_if_calibrated"], 3)
        if calibrated and judge in temperatures:
            row["Temperature"] = f"{float(temperatures[judge]):.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


@st.fragment
def _abstention(run: RunKey, sensors: Mapping[str, Any]) -> None:
    """The curve, and coverage and accuracy at a confidence that the user chooses; drawn alone at every choice."""
    titles = access.titles(run)
    try:
        with reading("report.json", reported.command(run)):
            thresholds = sorted({float(each["threshold"]) for one in sensors.values() for each in one["abstention"]})
            least = st.select_slider(
                "Answer only where the confidence is at least", thresholds, value=thresholds[0],
                format_func="{:.2f}".format, key="abstain", persist_state="session",
            )  # fmt: skip
            at = {judge: _at(one["abstention"], least) for judge, one in sensors.items()}
            figure = abstention_figure(sensors, titles, access.sensors(run), at)
            sentences = [_told(titles.get(judge, judge), each) for judge, each in at.items()]
    except ArtifactError as error:
        explain(error)
        return
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        st.plotly_chart(
            figure, config={"displayModeBar": False}, key="abstention", alt="Accuracy by the share of pairs answered"
        )
    with right:
        for sentence in sentences:
            st.markdown(f"- {sentence}")
        st.caption("The whiskers are at the confidence chosen. Its choice on these pairs flatters a little.")


def _at(abstention: Sequence[Mapping[str, Any]], least: float) -> Mapping[str, Any] | None:
    """The entry of a confidence; None where no pair is answered there."""
    below = [each for each in answered(abstention) if each["threshold"] <= least]
    above = any(each["threshold"] >= least for each in answered(abstention))
    return max(below, key=lambda each: each["threshold"]) if below and above else None


def _told(title: str, entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return f"**{plain(title)}** answers no pair."
    right = percent({"value": entry["accuracy"], "low": entry["low"], "high": entry["high"]})
    return f"**{plain(title)}** answers {100 * entry['coverage']:.0f}% of the pairs ({entry['n']:,}): {right} right."
