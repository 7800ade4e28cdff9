"""How far two sensors agree on each class, and on images of each kind: bright or dark, sharp or not, much leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.dots import Dot, dot, dots_figure
from dashboard.charts.figures import CLASS_COLOURS, sensor_colours
from dashboard.components import reported
from dashboard.components.figure_words import decimal, percent
from dashboard.components.notice import reading
from rice_ssl.evaluation.strata import FEWEST

AGREEMENT, DIVERGENCE, ACCURACY = "Agreement", "Divergence (bits)", "Accuracy"
BETWEEN, SAME = "between the sensors", CLASS_COLOURS[2]
MEASURES = {
    "brightness": ("Brightness", "mean of the image's values, 0 to 1"),
    "sharpness": ("Sharpness", "a logarithm (base 10), higher is sharper"),
    "leaf_area": ("Leaf area", "share of the image that is leaf"),
}


def draw(run: RunKey, split: str) -> None:
    """Agreement, divergence and accuracy by class and by thirds of the images.

    Raises:
        ArtifactError: the report is not there, or cannot be read.
    """
    report, part = reported.split_report(run, split)
    with reading("report.json", reported.command(run)):
        agreement = part["agreement"]
        if not agreement:
            st.info("No pair of this split has images of two sensors, so there is nothing to compare.")
            return
        interval = f"Intervals: {100 * report['confidence']:g}%, over pairs."
        st.subheader("On which classes do the sensors agree?")
        _by_class(agreement["by_class"], interval)
        st.subheader("On which images?")
        _by_image(run, agreement, interval)


def _by_class(classes: Sequence[Mapping[str, Any]], interval: str) -> None:
    if not any(one["pairs"] for one in classes):
        st.info("These pairs have no labels, so they cannot be told apart by class.")
        return
    dots = [dot(AGREEMENT, one["name"], one["rate"]) for one in classes]
    dots += [dot(DIVERGENCE, one["name"], one["divergence"]) for one in classes]
    figure = dots_figure(dots, {"": SAME}, columns=2, shares=(AGREEMENT, DIVERGENCE))
    rated = [one for one in classes if one["rate"]]
    least = min(rated, key=lambda one: one["rate"]["value"])["name"] if rated else "none"
    st.plotly_chart(
        figure, config={"displayModeBar": False}, key="by-class",
        alt=f"Agreement and divergence by class; least agreement on {least}",
    )  # fmt: skip
    st.caption(f"Divergence: Jensen-Shannon, 0 bits where the sensors' probabilities are the same. {interval}")
    with st.expander("As a table", icon=":material/table_rows:"):
        rows = [
            {
                "Class": one["name"],
                "Pairs": one["pairs"],
                AGREEMENT: percent(one["rate"]) if one["rate"] else "",
                DIVERGENCE: decimal(one["divergence"]) if one["divergence"] else "",
            }
            for one in classes
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="by-class-table", alt="Agreement by class")


def _by_image(run: RunKey, agreement: Mapping[str, Any], interval: str) -> None:
    strata = agreement["strata"]
    there = [name for name in MEASURES if any(one["measure"] == name for one in strata)]
    if not there:
        if access.has(run, "quality"):
            count = int(agreement["pairs"])
            few = f"{count:,} pairs here have images of two sensors: fewer than {FEWEST} pairs are too few for thirds."
            late = (
                "report.json holds no thirds: it may be older than the measures of the images. Make it anew with "
                f"`{reported.command(run)}`."
            )
            st.info(few if count < FEWEST else late)
            return
        st.info(
            "The images' brightness, sharpness and leaf area have not been measured: "
            f"`rice-ssl audit {run.path}`, then `{reported.command(run)}`."
        )
        return
    words = [MEASURES[name][0] for name in there]
    state.say_unknown("measure", words, words[0])
    measure = st.segmented_control(
        "Images by", there, default=there[0], required=True, key="measure", bind="query-params",
        format_func=lambda name: MEASURES[name][0],
    )  # fmt: skip
    own = [one for one in strata if one["measure"] == measure]
    titles, names = access.titles(run), access.sensors(run)
    colours = {titles[name]: colour for name, colour in sensor_colours(names).items()} | {BETWEEN: SAME}
    dots: list[Dot | None] = []
    for one in own:
        for third, each in zip(thirds(len(one["bins"])), one["bins"], strict=True):
            edges = f"{each['low']:.3g} to {each['high']:.3g}"
            row = f"{titles.get(one['sensor'], one['sensor'])} {third}{edges}"
            dots.append(dot(AGREEMENT, row, each["rate"], BETWEEN))
            dots.append(dot(DIVERGENCE, row, each["divergence"], BETWEEN))
            dots += [dot(ACCURACY, row, value, titles.get(name, name)) for name, value in each["accuracy"].items()]
    figure = dots_figure(dots, colours, shares=(AGREEMENT, DIVERGENCE, ACCURACY))
    st.plotly_chart(
        figure, config={"displayModeBar": False}, key="by-image",
        alt=f"Agreement, divergence and accuracy by {MEASURES[str(measure)][0].lower()} of the images",
    )  # fmt: skip
    counts = sorted({int(each["pairs"]) for one in own for each in one["bins"]})
    st.caption(
        f"{MEASURES[str(measure)][0]}: {MEASURES[str(measure)][1]}; thirds of each sensor's images, "
        f"{counts[0]:,}{f' to {counts[-1]:,}' if counts[-1] > counts[0] else ''} pairs each. {interval}"
    )


def thirds(count: int) -> tuple[str, ...]:
    """How parts are called from the least to the most; of fewer than three, which ties make, no third is told."""
    return ("lowest third, ", "middle third, ", "highest third, ") if count == 3 else ("",) * count
