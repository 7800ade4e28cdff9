"""Figures that compare sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.figures import CORRECT, GREY, WRONG, plain, sensor_colours, whiskers


def figures_with_intervals(
    report: Mapping[str, Any], name: str, titles: Mapping[str, str], sensors: Sequence[str]
) -> go.Figure:
    """One figure (accuracy, say) of each sensor as a dot with its interval.

    Args:
        report: one split of report.json.
        name: of the figure.
        titles: how sensors are written.
        sensors: names, for their colours.
    """
    colours = sensor_colours(sensors)
    figure = go.Figure()
    for sensor, one in reversed(list(report["sensors"].items())):
        entry = one["figures"][name]
        figure.add_scatter(
            x=[entry["value"]],
            y=[titles.get(sensor, sensor)],
            error_x=whiskers(entry),
            mode="markers+text",
            text=[f"{entry['value']:.2f}"],
            textposition="top center",
            marker={"size": 11, "color": colours.get(sensor, GREY)},
            hovertemplate=f"{titles.get(sensor, sensor)}: %{{x:.3f}} "
            f"[{entry['low']:.3f}, {entry['high']:.3f}]<extra></extra>",
        )
    figure.update_yaxes(type="category", automargin=True, range=[-0.5, len(report["sensors"]) - 0.4], showgrid=False)
    if name in {"accuracy", "macro_f1"}:
        figure.update_xaxes(range=[0, 1.05])
    else:
        figure.update_xaxes(rangemode="tozero")
    return plain(figure, height=70 + 55 * len(report["sensors"]), legend=False)


def counts_matrix(table: Sequence[Sequence[int]], classes: Sequence[str], rows: str, columns: str) -> go.Figure:
    """Counts as a heat map with the numbers in the cells.

    Args:
        table: shape (C, C), rows first.
        classes: names in order.
        rows: what the rows are.
        columns: what the columns are.
    """
    counts = np.asarray(table)
    share = counts / max(1, counts.sum())
    figure = go.Figure(
        go.Heatmap(
            z=counts,
            x=list(classes),
            y=list(classes),
            customdata=100 * share,
            hovertemplate=f"{rows} %{{y}}, {columns} %{{x}}: %{{z}} pairs (%{{customdata:.1f}}%)<extra></extra>",
            colorscale=[[0, "rgba(47,138,196,0.06)"], [1, "rgba(47,138,196,0.5)"]],  # text stays readable on it
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    for row, column in np.ndindex(*counts.shape):  # annotations take the theme's colour; a heat map's own text does not
        figure.add_annotation(
            x=classes[column], y=classes[row], text=str(int(counts[row, column])), showarrow=False, font={"size": 15}
        )
    figure.update_yaxes(autorange="reversed", title=rows, automargin=True, showgrid=False)
    figure.update_xaxes(title=columns, side="bottom", showgrid=False)
    return plain(figure, height=300, legend=False)


def right_bars(counts: Mapping[str, int], titles: Mapping[str, str]) -> go.Figure:
    """How many pairs both sensors, one of them, or neither got right."""
    colours = {"both": CORRECT, "neither": WRONG}
    names = list(counts)
    figure = go.Figure(
        go.Bar(
            x=[counts[name] for name in names],
            y=[right_title(name, titles) for name in names],
            orientation="h",
            text=[counts[name] for name in names],
            textposition="outside",
            cliponaxis=False,
            marker={"color": [colours.get(name, GREY) for name in names]},
            hovertemplate="%{y}: %{x} pairs<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(title="Pairs")
    return plain(figure, height=230, legend=False)


def right_title(name: str, titles: Mapping[str, str]) -> str:
    """``rgb only`` as it is written on screen."""
    if name.endswith(" only"):
        return f"{titles.get(name.removesuffix(' only'), name.removesuffix(' only'))} only"
    return {"both": "Both right", "neither": "Neither"}.get(name, name)
