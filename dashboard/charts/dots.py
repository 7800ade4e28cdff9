"""Figures with their intervals: a dot and whiskers each, in rows and panels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.figures import GREY, plain

ROW_HEIGHT, DOT_HEIGHT = 20, 18
"""Pixels of a row, and of each series in it."""


@dataclass(frozen=True)
class Dot:
    """One figure.

    Attributes:
        panel: title of the panel it is drawn in.
        row: title of the row it is drawn in.
        value: the figure, between ``low`` and ``high``.
        series: what its colour stands for.
        hollow: drawn as a ring: a figure of another kind than the others.
    """

    panel: str
    row: str
    value: float
    low: float
    high: float
    series: str = ""
    hollow: bool = False


def dot(panel: str, row: str, entry: Mapping[str, Any] | None, series: str = "", *, hollow: bool = False) -> Dot | None:
    """A dot of a figure with ``value``, ``low`` and ``high``; None of no figure, of too few pairs say."""
    if entry is None:
        return None
    return Dot(panel, row, float(entry["value"]), float(entry["low"]), float(entry["high"]), series, hollow)


def dots_figure(
    given: Sequence[Dot | None], colours: Mapping[str, str], *, columns: int = 3, shares: Collection[str] = ()
) -> go.Figure:
    """Panels side by side, in each a row for each row title; the series of a row lie below one another.

    Args:
        given: in the order in which panels, rows and series are to appear; None is left out.
        colours: of the series; grey where it has none.
        columns: panels side by side, at most.
        shares: titles of panels whose axis goes from 0 to 1; the others begin at 0.
    """
    dots = [one for one in given if one is not None]
    panels, rows = (list(dict.fromkeys(getattr(one, name) for one in dots)) for name in ("panel", "row"))
    columns = min(columns, max(1, len(panels)))
    lines = -(-len(panels) // columns)
    place = {row: len(rows) - 1 - number for number, row in enumerate(rows)}
    within = {panel: list(dict.fromkeys(one.series for one in dots if one.panel == panel)) for panel in panels}
    most = max((len(names) for names in within.values()), default=1)
    height = ROW_HEIGHT + DOT_HEIGHT * most
    figure = make_subplots(
        rows=lines, cols=columns, shared_yaxes=True, subplot_titles=panels, horizontal_spacing=0.03,
        vertical_spacing=min(0.3, 90 / (70 + lines * (60 + height * len(rows)))) if lines > 1 else 0,
    )  # fmt: skip
    for number, panel in enumerate(panels):
        line, column = divmod(number, columns)
        for position, name in enumerate(within[panel]):
            shift = 0.7 * (0.5 - (position + 0.5) / len(within[panel]))
            own = [one for one in dots if (one.panel, one.series) == (panel, name)]
            figure.add_scatter(
                x=[one.value for one in own],
                y=[place[one.row] + shift for one in own],
                error_x={
                    "type": "data", "symmetric": False, "thickness": 2,
                    "array": [one.high - one.value for one in own],
                    "arrayminus": [one.value - one.low for one in own],
                },
                mode="markers",
                name=name,
                legendgroup=name,
                showlegend=False,
                marker={
                    "size": 10,
                    "color": colours.get(name, GREY),
                    "symbol": ["circle-open" if one.hollow else "circle" for one in own],
                    "line": {"width": [2 if one.hollow else 0 for one in own]},
                },
                customdata=[[one.row, one.low, one.high] for one in own],
                hovertemplate=f"%{{customdata[0]}}{', ' + name if name else ''}: %{{x:.3f}} "
                "[%{customdata[1]:.3f}, %{customdata[2]:.3f}]<extra></extra>",
                row=line + 1,
                col=column + 1,
            )  # fmt: skip
        figure.update_xaxes(
            **({"range": [0, 1.03]} if panel in shares else {"rangemode": "tozero"}), row=line + 1, col=column + 1
        )
    for name in max(within.values(), key=len, default=[]):  # what is alone in its panel needs no legend
        marker = {"size": 10, "color": colours.get(name, GREY)}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, name=name, legendgroup=name)
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=rows[::-1], range=[-0.6, len(rows) - 0.4], automargin=True,
        zeroline=False, showgrid=False,
    )  # fmt: skip
    figure.update_xaxes(nticks=5, showgrid=True)
    figure.update_annotations(font_size=14)
    legend = most > 1
    plain(figure, height=80 + 30 * legend + lines * (30 + height * len(rows)) + 40 * (lines - 1), legend=legend)
    if legend:
        figure.update_layout(legend={"yanchor": "top", "y": -36 / max(60, figure.layout.height - 100)})
    return figure.update_layout(margin_t=40, margin_b=40 if legend else 10)
