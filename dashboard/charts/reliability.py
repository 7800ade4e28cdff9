"""Confidence against accuracy, and accuracy against coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.figures import GREY, plain, sensor_colours

HEIGHT = 340


def reliability_figure(sensors: Mapping[str, Any], titles: Mapping[str, str], names: Sequence[str]) -> go.Figure:
    """A reliability diagram of each judge: accuracy by confidence, and below it how many pairs there are.

    Args:
        sensors: ``sensors`` of one split of report.json.
        titles: how judges are written.
        names: sensors of the run, for their colours.
    """
    colours, judges = sensor_colours(names), list(sensors)
    figure = make_subplots(
        rows=2, cols=len(judges), shared_xaxes=True, shared_yaxes="rows", row_heights=[0.75, 0.25],
        vertical_spacing=0.05, horizontal_spacing=0.03, subplot_titles=[titles.get(judge, judge) for judge in judges],
    )  # fmt: skip
    for column, judge in enumerate(judges, start=1):
        bins, colour = sensors[judge]["reliability"], colours.get(judge, GREY)
        figure.add_scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dot", "color": GREY, "width": 1}, hoverinfo="skip",
            row=1, col=column,
        )  # fmt: skip
        figure.add_scatter(
            x=[one["confidence"] for one in bins],
            y=[one["accuracy"] for one in bins],
            error_y={
                "type": "data", "symmetric": False, "thickness": 2,
                "array": [one["accuracy_high"] - one["accuracy"] for one in bins],
                "arrayminus": [one["accuracy"] - one["accuracy_low"] for one in bins],
            },
            mode="markers",
            marker={"size": 9, "color": colour},
            customdata=[[one["n"], one["accuracy_low"], one["accuracy_high"]] for one in bins],
            hovertemplate="confidence %{x:.2f}: %{y:.2f} right [%{customdata[1]:.2f}, %{customdata[2]:.2f}], "
            "%{customdata[0]} pairs<extra></extra>",
            row=1,
            col=column,
        )  # fmt: skip
        figure.add_bar(
            x=[(one["low"] + one["high"]) / 2 for one in bins],
            y=[one["n"] for one in bins],
            width=[0.9 * (one["high"] - one["low"]) for one in bins],
            marker_color=colour,
            hovertemplate="%{y} pairs<extra></extra>",
            row=2,
            col=column,
        )
    figure.update_xaxes(range=[0, 1.02])
    figure.update_xaxes(title="Confidence", row=2)
    figure.update_yaxes(range=[0, 1.02], row=1)
    most = max((each["n"] for one in sensors.values() for each in one["reliability"]), default=1)
    figure.update_yaxes(nticks=3, range=[0, 1.1 * most], row=2)
    figure.update_yaxes(title="Share right", row=1, col=1)
    figure.update_yaxes(title="Pairs", row=2, col=1)
    figure.update_annotations(font_size=14)
    plain(figure, height=HEIGHT, legend=False)
    return figure.update_layout(margin_t=40)


def abstention_figure(
    sensors: Mapping[str, Any], titles: Mapping[str, str], names: Sequence[str], chosen: Mapping[str, Any | None]
) -> go.Figure:
    """Accuracy of the pairs that a judge answers, by how many it answers.

    Args:
        sensors: ``sensors`` of one split of report.json.
        titles: how judges are written.
        names: sensors of the run, for their colours.
        chosen: judge -> the entry of its abstention that is marked, None where it answers nothing there.
    """
    colours, figure = sensor_colours(names), go.Figure()
    for judge, one in sensors.items():
        title, colour = titles.get(judge, judge), colours.get(judge, GREY)
        curve = sorted(answered(one["abstention"]), key=lambda entry: entry["coverage"])
        figure.add_scatter(
            x=[entry["coverage"] for entry in curve],
            y=[entry["accuracy"] for entry in curve],
            mode="lines",
            line={"color": colour, "shape": "linear"},
            name=title,
            legendgroup=judge,
            customdata=[[entry["threshold"], entry["low"], entry["high"], entry["n"]] for entry in curve],
            hovertemplate=f"{title}, confidence of %{{customdata[0]:.2f}} or more: %{{y:.3f}} right "
            "[%{customdata[1]:.3f}, %{customdata[2]:.3f}] of %{customdata[3]} pairs<extra></extra>",
        )
        mark = chosen.get(judge)
        if mark is not None:
            figure.add_scatter(
                x=[mark["coverage"]],
                y=[mark["accuracy"]],
                error_y={
                    "type": "data", "symmetric": False, "thickness": 2,
                    "array": [mark["high"] - mark["accuracy"]], "arrayminus": [mark["accuracy"] - mark["low"]],
                },
                mode="markers",
                marker={"size": 11, "color": colour},
                showlegend=False,
                legendgroup=judge,
                hoverinfo="skip",
            )  # fmt: skip
    figure.update_xaxes(title="Coverage: share of pairs that are answered", range=[0, 1.03])
    figure.update_yaxes(title="Share right of those", rangemode="normal")
    return plain(figure, height=HEIGHT)


def answered(abstention: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Entries of an abstention curve at which something is answered at all."""
    return [entry for entry in abstention if entry["n"] and entry["accuracy"] is not None]
