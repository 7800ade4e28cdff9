"""A map in three dimensions, to look at; maps in two are drawn by :mod:`dashboard.components.map_view`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dashboard.charts.figures import GREY, WRONG, alternating, inked
from dashboard.charts.map_colours import Colouring

METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
MOST_POINTS = 20_000
"""Points that plotly turns smoothly in three dimensions."""
SYMBOLS = ("circle", "diamond", "square", "cross")

Flags = npt.NDArray[np.bool_]


def drawn_sample(count: int, *, seed: int = 0) -> npt.NDArray[np.intp]:
    """Rows of the points that are drawn in three dimensions: all, or a seeded sample of 20,000, ascending."""
    if count <= MOST_POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_POINTS, replace=False))


def map_in_space(
    places: npt.NDArray[np.floating],
    colouring: Colouring,
    sensor: npt.NDArray[np.integer],
    *,
    titles: Sequence[str],
    hover: Sequence[str],
    kept: Flags,
    chosen: Flags,
    height: int,
) -> go.Figure:
    """Points in three dimensions, one legend entry for each colour and sensor.

    The points of an entry are drawn in several traces that take turns with the others', or the sensor that is drawn
    last would hide the first.

    Args:
        places: shape (N, 3).
        colouring: of the N points.
        sensor: number of each point's sensor, shape (N,); each has its own symbol.
        titles: of the sensors.
        hover: text of each point.
        kept: False greys a point out.
        chosen: ringed.
        height: pixels.
    """
    figure = go.Figure()
    if not kept.all():
        marker = {"size": 2, "color": GREY, "opacity": 0.25}
        _points(figure, places[~kept], marker=marker, name="Filtered out", hoverinfo="skip")
    texts, palette = dict(colouring.legend), np.array(colouring.palette)
    codes = colouring.codes if colouring.scale is None else np.zeros_like(colouring.codes)
    groups = [
        (code, number, np.flatnonzero(kept & (codes == code) & (sensor == number)))
        for code in (texts if colouring.scale is None else {0: ""})
        for number in range(len(titles))
    ]
    groups = [group for group in groups if len(group[2])]
    named: set[str] = set()
    for group, positions in alternating([len(rows) for _, _, rows in groups]):
        code, number, rows = groups[group]
        rows = rows[positions]
        parts = [texts.get(code, ""), titles[number]] if len(titles) > 1 else [texts.get(code, "") or titles[number]]
        name = " · ".join(dict.fromkeys(part for part in parts if part))
        marker = {
            "size": 3.5,
            "symbol": SYMBOLS[number % len(SYMBOLS)],
            "color": palette[colouring.codes[rows]].tolist() if colouring.scale else colouring.palette[code],
            "opacity": 0.85,
        }
        _points(
            figure, places[rows], marker=marker, name=name, legendgroup=name, showlegend=name not in named,
            hovertext=[hover[row] for row in rows], hovertemplate="%{hovertext}<extra></extra>",
        )  # fmt: skip
        named.add(name)
    if chosen.any():
        marker = {"size": 7, "symbol": "circle-open", "color": WRONG, "line": {"width": 2}}
        _points(figure, places[chosen], marker=marker, name="Selected", hoverinfo="skip")
    axis = {"showticklabels": False, "title": "", "showbackground": False, "zeroline": False}
    figure.update_layout(
        height=height, margin={"l": 0, "r": 0, "t": 0, "b": 0}, uirevision="map",
        scene={"xaxis": axis, "yaxis": axis, "zaxis": axis, "aspectmode": "data"},
        legend={"orientation": "h", "x": 0, "yanchor": "top", "y": -0.02, "itemsizing": "constant", "font_size": 11},
    )  # fmt: skip
    return inked(figure)


def _points(figure: go.Figure, places: npt.NDArray[np.floating], **trace: object) -> None:
    x, y, z = places.T
    figure.add_scatter3d(x=x, y=y, z=z, mode="markers", **trace)
