"""Training against validation loss, with the stretches in which validation lies below: data in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from dashboard.charts.figures import inked
from dashboard.charts.training import COLOURS, NEUTRAL, metric_title

FEW = 60
"""Rows up to which each has a mark."""


def generalisation_figure(document: Mapping[str, Any]) -> go.Figure:
    """Both losses at each validation, the corrected training loss, the stretches and the crossing.

    Args:
        document: what :meth:`rice_ssl.dynamics.generalisation.Generalisation.document` gives, or dynamics.json holds
            under ``generalisation``. Without rows the figure is empty.
    """
    curves = document["curves"]
    unit = str(document["unit"])
    figure = go.Figure()
    for stretch in document["stretches"]:
        _shade(figure, stretch, curves["step"])
    _add(figure, curves, "train", "Training, as logged", COLOURS["train"])
    if any(value is not None for value in curves["corrected"]):
        _add(figure, curves, "corrected", "Training, at the time of validation", COLOURS["train"], dash="dash")
    _add(figure, curves, "val", "Validation", COLOURS["val"])
    if document["stretches"]:  # a shape has no entry in the legend of its own
        figure.add_trace(
            go.Scatter(
                x=[None],
                y=[None],
                mode="markers",
                name="Validation below training",
                marker={"symbol": "square", "size": 12, "color": COLOURS["reference"], "opacity": 0.35},
            )
        )
    crossing = document.get("crossing")
    if crossing is not None and document["where"] == "early":
        figure.add_vline(x=crossing["step"], line={"color": NEUTRAL, "width": 1.5, "dash": "dot"}, layer="below")
        figure.add_annotation(
            x=crossing["step"],
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            text="Crossing",
            hovertext=f"Between {unit} {crossing['low']:,g} and {crossing['high']:,g}",
        )
    figure.update_xaxes(title_text=f"{unit.capitalize()}s since the start of training", zeroline=False)
    title = f"{metric_title(str(document['metric']))} (nats)"
    figure.update_yaxes(title_text=title, zeroline=False, automargin=True)
    figure.update_layout(
        height=400,
        margin={"l": 60, "r": 20, "t": 34, "b": 90},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
        hovermode="x unified",
    )
    return inked(figure)


def _shade(figure: go.Figure, stretch: Mapping[str, Any], steps: Sequence[float]) -> None:
    """A band over a stretch, a quarter of a row wider on either side so that one of a single row is seen."""
    distance = (steps[-1] - steps[0]) / (len(steps) - 1) if len(steps) > 1 else 1.0
    figure.add_vrect(
        x0=stretch["start"] - distance / 4,
        x1=stretch["stop"] + distance / 4,
        fillcolor=COLOURS["reference"],
        opacity=0.18,
        line_width=0,
        layer="below",
    )


def _add(
    figure: go.Figure,
    curves: Mapping[str, Sequence[float | None]],
    name: str,
    title: str,
    colour: str,
    dash: str = "solid",
) -> None:
    figure.add_trace(
        go.Scatter(
            x=list(curves["step"]),
            y=list(curves[name]),
            name=title,
            mode="lines+markers" if len(curves["step"]) <= FEW else "lines",
            line={"color": colour, "width": 1.6, "dash": dash},
            marker={"size": 4},
            hovertemplate="%{y:.4g}",
            connectgaps=False,
        )
    )
