"""Colours and layout that every figure shares."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

CLASS_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8B000", "#8A8A8A")
"""Okabe and Ito's colours, told apart with any colour vision; the yellow darkened to be seen on white."""
SENSOR_COLOURS = {"rgb": "#2F8AC4", "rgnir": "#A65AA0", "both": "#8A8A8A"}
SENSOR_SYMBOLS = ("circle", "diamond", "square", "triangle-up")
CORRECT, WRONG, GREY = "#009E73", "#D55E00", "#9A9A9A"


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class, always the same for the same list."""
    return {name: CLASS_COLOURS[number % len(CLASS_COLOURS)] for number, name in enumerate(classes)}


def sensor_colours(sensors: Sequence[str]) -> dict[str, str]:
    """A colour for each sensor, and for ``both``."""
    spare = ("#E69F00", "#56B4E9", "#B8B000")
    return {
        name: SENSOR_COLOURS.get(name, spare[number % len(spare)]) for number, name in enumerate([*sensors, "both"])
    }


def plain(figure: go.Figure, *, height: int, legend: bool = True) -> go.Figure:
    """Give a figure the common layout: transparent, so that Streamlit's light or dark theme shows through."""
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30 if legend else 10, "b": 10},
        showlegend=legend,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    return figure
