"""Colours and layout that every figure shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

INK = "#000037"
"""What Streamlit's plotly theme replaces in the browser by the strongest text colour of the theme, light or dark.

A figure is made once and knows neither; a fixed mid-tone that is readable on both does not exist. Nor are the theme's
own greys strong enough on a coloured cell. The browser tests measure the contrast."""
GROUND = "#000038"
"""Likewise the theme's background: on it a figure that is saved can be read, which it cannot on none."""
CLASS_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8B000", "#8A8A8A")
"""Okabe and Ito's colours, told apart with any colour vision; the yellow darkened to be seen on white."""
CLUSTER_COLOURS = (
    "#CC6677", "#5B50BE", "#B5A33F", "#9B3468", "#88CCEE", "#117733", "#AA4499", "#44AA99", "#999933",
)  # fmt: skip
"""Paul Tol's muted scheme, no colour of which is a class's; indigo and wine lightened and sand darkened, to be seen on
both themes."""
SENSOR_COLOURS = {"rgb": "#2F8AC4", "rgnir": "#A65AA0", "both": "#8A8A8A"}
SENSOR_SYMBOLS = ("circle", "diamond", "square", "triangle-up")
CORRECT, WRONG, GREY = "#009E73", "#D55E00", "#9A9A9A"


def count_scale(*, zero: bool = False) -> list[tuple[float, str]]:
    """Plotly's scale of counts: the more, the farther from the page's ground, which shows through, light or dark.

    Args:
        zero: whether 0 is among them, and drawn as the ground alone.
    """
    fewest = [(0.0, 0.0), (0.02, 0.25)] if zero else [(0.0, 0.25)]
    return [(share, f"rgba(47, 138, 196, {opaque})") for share, opaque in [*fewest, (0.35, 0.7), (1.0, 1.0)]]


def class_colours(classes: Sequence[str]) -> dict[str, str]:
    """A colour for each class, always the same for the same list."""
    return {name: CLASS_COLOURS[number % len(CLASS_COLOURS)] for number, name in enumerate(classes)}


def sensor_colours(sensors: Sequence[str]) -> dict[str, str]:
    """A colour for each sensor, and for ``both``."""
    spare = ("#E69F00", "#56B4E9", "#B8B000")
    return {
        name: SENSOR_COLOURS.get(name, spare[number % len(spare)]) for number, name in enumerate([*sensors, "both"])
    }


def cluster_colour(cluster: int) -> str:
    """Colour of a cluster of prototypes, counted from 1, the same on every screen."""
    return CLUSTER_COLOURS[(cluster - 1) % len(CLUSTER_COLOURS)]


def whiskers(entry: Mapping[str, float]) -> dict[str, Any]:
    """Plotly's error bars of a figure with ``value``, ``low`` and ``high``."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [entry["high"] - entry["value"]],
        "arrayminus": [entry["value"] - entry["low"]],
        "thickness": 2,
    }


def alternating(sizes: Sequence[int], *, rounds: int = 6, seed: int = 0) -> list[tuple[int, npt.NDArray[np.intp]]]:
    """In which order to draw groups of points, so that no group lies over another.

    Args:
        sizes: points of each group.
        rounds: turns that each group gets, each with an equal share of its points in random order.
        seed: of that order.

    Returns:
        For each turn the number of the group, and the positions of the points in it; groups take turns.
    """
    rng = np.random.default_rng(seed)
    shares = [np.array_split(rng.permutation(size), rounds) for size in sizes]
    return [(group, share[turn]) for turn in range(rounds) for group, share in enumerate(shares) if len(share[turn])]


def plain(figure: go.Figure, *, height: int, legend: bool = True, below: bool = False) -> go.Figure:
    """Give a figure the common layout: transparent, so that Streamlit's light or dark theme shows through.

    Args:
        figure: changed in place.
        height: pixels.
        legend: whether there is one.
        below: whether it lies under the figure, out of the way of the toolbar of a figure that has one.
    """
    place = {"yanchor": "top", "y": -0.02} if below else {"yanchor": "bottom", "y": 1.0}
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30 if legend else 10, "b": 10},
        showlegend=legend,
        legend={"orientation": "h", "x": 0, **place},
    )
    return inked(figure)


def inked(figure: go.Figure) -> go.Figure:
    """Text in the theme's strongest colour, and no background of its own."""
    figure.update_layout(
        font_color=INK,
        legend_font_color=INK,
        modebar_bgcolor="rgba(0,0,0,0)",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
    )
    figure.update_annotations(font_color=INK)
    for axes in (figure.update_xaxes, figure.update_yaxes):
        axes(tickfont_color=INK, title_font_color=INK)
    return figure


def grounded(figure: go.Figure) -> go.Figure:
    """Give a figure the theme's background, so that it can be read where it is pasted; for one that may be saved."""
    return figure.update_layout(paper_bgcolor=GROUND)


def bare(figure: go.Figure) -> go.Figure:
    """Take ticks and lines off both axes: a map's coordinates have no unit."""
    figure.update_xaxes(showticklabels=False, zeroline=False, showgrid=False, title=None)
    return figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False, title=None)
