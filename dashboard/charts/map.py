"""The map: points, pair lines, and images as points."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image, ImageOps

from dashboard.charts.figures import CLASS_COLOURS, GREY, SENSOR_SYMBOLS, WRONG, plain

METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
_CANVAS = 1400
_TILE = 46


def point_map(
    points: pd.DataFrame,
    colour: str,
    colours: Mapping[str, str] | None,
    *,
    sensors: Sequence[str],
    titles: Mapping[str, str],
    lines: pd.DataFrame | None = None,
    highlight: Sequence[str] = (),
    height: int = 620,
) -> go.Figure:
    """Points of a map, one trace for each value and sensor, so that the legend switches both.

    Args:
        points: columns x, y, pair_id, sensor, ``colour``, ``kept`` (False greys a point out), ``hover``.
        colour: column whose values are coloured.
        colours: value -> colour; a palette is taken for other values.
        sensors: in order; each has its own symbol.
        titles: how sensors are written.
        lines: points of the pairs to join, columns pair_id, x, y; None for no lines.
        highlight: pair ids to ring.
        height: pixels.

    Returns:
        A figure whose ``customdata`` holds the pair id and the sensor of each point.
    """
    figure = go.Figure()
    if lines is not None and len(lines):
        ordered = lines.sort_values("pair_id", kind="stable")
        gap = ordered["pair_id"].ne(ordered["pair_id"].shift(-1)).to_numpy()
        x, y = (np.insert(ordered[axis].to_numpy(dtype=object), np.flatnonzero(gap) + 1, None) for axis in ("x", "y"))
        figure.add_scattergl(
            x=x, y=y, mode="lines", line={"color": GREY, "width": 0.7}, opacity=0.45, name="Pairs", hoverinfo="skip"
        )
    away = points[~points["kept"]]
    if len(away):
        figure.add_scattergl(
            x=away["x"], y=away["y"], mode="markers", name="Filtered out", hoverinfo="skip",
            marker={"size": 5, "color": GREY, "opacity": 0.18}, customdata=away[["pair_id", "sensor"]].to_numpy(),
        )  # fmt: skip
    values = [str(value) for value in sorted(points[colour].unique(), key=str)]
    palette = {value: CLASS_COLOURS[number % len(CLASS_COLOURS)] for number, value in enumerate(values)}
    palette.update({value: shade for value, shade in (colours or {}).items() if value in palette})
    for value in values:
        for number, sensor in enumerate(sensors):
            part = points[points["kept"] & (points[colour].astype(str) == value) & (points["sensor"] == sensor)]
            if part.empty:
                continue
            figure.add_scattergl(
                x=part["x"],
                y=part["y"],
                mode="markers",
                name=value if value == titles[sensor] else f"{value} · {titles[sensor]}",
                customdata=part[["pair_id", "sensor"]].to_numpy(),
                text=part["hover"],
                hovertemplate="%{text}<extra></extra>",
                marker={
                    "size": 7,
                    "color": palette[value],
                    "symbol": SENSOR_SYMBOLS[number % len(SENSOR_SYMBOLS)],
                    "opacity": 0.8,
                },
            )
    ringed = points[points["pair_id"].isin(highlight)]
    if len(ringed):
        figure.add_scattergl(
            x=ringed["x"], y=ringed["y"], mode="markers", name="Chosen pair", hoverinfo="skip",
            marker={"size": 18, "symbol": "circle-open", "color": WRONG, "line": {"width": 3}},
        )  # fmt: skip
    return _square(figure, height)


def _square(figure: go.Figure, height: int) -> go.Figure:
    figure.update_xaxes(showticklabels=False, zeroline=False, showgrid=False, title=None)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False, title=None)
    figure.update_layout(dragmode="lasso", clickmode="event+select", uirevision="map")
    plain(figure, height=height)
    return figure.update_layout(legend={"font": {"size": 11}})


def spread_out(x: Sequence[float], y: Sequence[float], cells: int) -> list[int]:
    """Positions of at most one point for each cell of a grid, the one nearest to the cell's middle.

    Args:
        x: coordinates.
        y: coordinates.
        cells: in each direction.
    """
    xs, ys = (_unit(np.asarray(values, dtype=float)) for values in (x, y))
    column, row = (np.minimum((values * cells).astype(int), cells - 1) for values in (xs, ys))
    off = (xs * cells - column - 0.5) ** 2 + (ys * cells - row - 0.5) ** 2
    order = np.lexsort((off, row * cells + column))
    _, first = np.unique((row * cells + column)[order], return_index=True)
    return sorted(order[first].tolist())


def _unit(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.full_like(values, 0.5)


def image_map(
    points: pd.DataFrame, pictures: Sequence[bytes | None], frames: Sequence[str], *, height: int = 720
) -> go.Figure:
    """The images themselves as points, as the original paper drew its t-SNE of logits.

    Drawn into one picture on the server, so that the browser gets one image and not hundreds.

    Args:
        points: columns x, y, pair_id, sensor, hover; one row for each image.
        pictures: JPEG of each; None draws nothing.
        frames: colour of each image's frame.
        height: pixels.
    """
    x, y = _unit(points["x"].to_numpy(dtype=float)), _unit(points["y"].to_numpy(dtype=float))
    canvas = Image.new("RGBA", (_CANVAS, _CANVAS), (0, 0, 0, 0))
    room = _CANVAS - _TILE - 8
    for across, up, picture, frame in zip(x, y, pictures, frames, strict=True):
        if picture is None:
            continue
        with Image.open(io.BytesIO(picture)) as opened:
            opened.draft("RGB", (_TILE, _TILE))
            tile = ImageOps.expand(ImageOps.fit(opened.convert("RGB"), (_TILE, _TILE)), 4, frame)
        canvas.paste(tile, (int(across * room), int((1 - up) * room)))
    stream = io.BytesIO()
    canvas.save(stream, "WEBP", quality=80)
    half = (_TILE + 8) / 2
    figure = go.Figure()
    figure.add_layout_image(
        source="data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii"),
        xref="x", yref="y", x=0, y=_CANVAS, sizex=_CANVAS, sizey=_CANVAS, sizing="stretch", layer="below",
    )  # fmt: skip
    figure.add_scatter(
        x=x * room + half,
        y=_CANVAS - ((1 - y) * room + half),
        mode="markers",
        marker={"size": 26, "opacity": 0},
        customdata=points[["pair_id", "sensor"]].to_numpy(),
        text=points["hover"],
        hovertemplate="%{text}<extra></extra>",
        name="Images",
    )
    figure.update_xaxes(range=[0, _CANVAS], showgrid=False, constrain="domain")
    figure.update_yaxes(range=[0, _CANVAS], showgrid=False, scaleanchor="x")
    return _square(figure, height).update_layout(showlegend=False)
