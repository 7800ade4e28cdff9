"""Figures of how far maps may be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.figures import CORRECT, GREY, plain, whiskers

BASELINE = "#0072B2"
_ROW = 30
"""Pixels of a row."""


@dataclass(frozen=True)
class Trusted:
    """A figure of one kind of map.

    Attributes:
        panel: title of the panel it is drawn in.
        row: name of the kind of map.
        figure: ``value``, ``low`` and ``high``.
        kind: ``better`` than random, ``poor`` or a ``baseline``.
    """

    panel: str
    row: str
    figure: Mapping[str, float]
    kind: str


_COLOURS = {"better": CORRECT, "poor": GREY, "baseline": BASELINE}
_NAMES = {"better": "better than random maps", "poor": "not shown to be better", "baseline": "knows no image"}


def trust_figure(given: Sequence[Trusted], title: str) -> go.Figure:
    """Figures of all kinds of maps, a panel for each sensor; maps that do no better than random ones are grey rings.

    Args:
        given: in the order in which panels and rows are to appear.
        title: of the figure drawn, for the axis.
    """
    panels, rows = (list(dict.fromkeys(getattr(one, name) for one in given)) for name in ("panel", "row"))
    figure = make_subplots(
        rows=1, cols=max(1, len(panels)), shared_yaxes=True, subplot_titles=panels, horizontal_spacing=0.04
    )
    place = {row: len(rows) - 1 - number for number, row in enumerate(rows)}
    for column, panel in enumerate(panels, start=1):
        for kind, colour in _COLOURS.items():
            own = [one for one in given if (one.panel, one.kind) == (panel, kind)]
            figure.add_scatter(
                x=[one.figure["value"] for one in own],
                y=[place[one.row] for one in own],
                error_x={
                    "type": "data", "symmetric": False, "thickness": 2,
                    "array": [one.figure["high"] - one.figure["value"] for one in own],
                    "arrayminus": [one.figure["value"] - one.figure["low"] for one in own],
                },
                mode="markers",
                name=_NAMES[kind],
                legendgroup=kind,
                showlegend=column == 1,
                marker={"size": 10, "color": colour, "symbol": "circle-open" if kind == "poor" else "circle"},
                customdata=[[one.row, one.figure["low"], one.figure["high"]] for one in own],
                hovertemplate="%{customdata[0]}: %{x:.3f} [%{customdata[1]:.3f}, %{customdata[2]:.3f}]<extra></extra>",
                row=1,
                col=column,
            )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=rows[::-1], range=[-0.6, len(rows) - 0.4], automargin=True,
        zeroline=False, showgrid=False,
    )  # fmt: skip
    figure.update_xaxes(nticks=5, showgrid=True, autorangeoptions_include=[0.0], matches="x", title_text=title)
    figure.update_annotations(font_size=14)
    plain(figure, height=130 + _ROW * len(rows))
    figure.update_layout(legend={"yanchor": "top", "y": -75 / max(60, _ROW * len(rows) + 20)})
    return figure.update_layout(margin_t=40, margin_b=90)


def randomisation_figure(
    given: Mapping[str, Sequence[Mapping[str, object]]], colours: Mapping[str, str], titles: Mapping[str, str]
) -> go.Figure:
    """How like the trained network's map the map of an ever more randomised network is.

    Args:
        given: for each sensor, its stages in the order of the cascade, each with ``name`` and ``rank_correlation``.
        colours: of the sensors.
        titles: how sensors are written.
    """
    figure = go.Figure()
    for sensor, stages in given.items():
        known = [one for one in stages if one["rank_correlation"] is not None]
        spread = [whiskers(one["rank_correlation"]) for one in known]
        figure.add_scatter(
            x=["trained", *(str(one["name"]) for one in known)],
            y=[1.0, *(one["rank_correlation"]["value"] for one in known)],
            error_y={
                "type": "data", "symmetric": False, "thickness": 2,
                "array": [0.0, *(one["array"][0] for one in spread)],
                "arrayminus": [0.0, *(one["arrayminus"][0] for one in spread)],
            },
            mode="lines+markers",
            name=titles.get(sensor, sensor),
            line={"color": colours.get(sensor, GREY)},
            hovertemplate="%{x}: %{y:.2f}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text="randomised from the head down to this stage", showgrid=False)
    figure.update_yaxes(title_text="rank correlation with the trained network's map", range=[-0.35, 1.05])
    return plain(figure, height=360)
