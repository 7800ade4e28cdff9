"""The map: points, pair lines, and images as points."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from PIL import Image, ImageOps

from dashboard.charts.figures import GREY, SENSOR_SYMBOLS, WRONG, alternating, bare, plain

METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
_WIDE, _TALL = 1400, 1050
_TILE, _FRAME = 46, 4
_HEIGHT, _IMAGES_HEIGHT = 490, 540


def point_map(
    points: pd.DataFrame,
    colour: str,
    colours: Mapping[str, str],
    *,
    sensors: Sequence[str],
    titles: Mapping[str, str],
    texts: Mapping[str, str] | None = None,
    lines: pd.DataFrame | None = None,
    highlight: Collection[str] = (),
    marked: Collection[str] = (),
) -> go.Figure:
    """Points of a map, one legend entry for each value and sensor, so that the legend switches both.

    The points of an entry are drawn in several traces that take turns with the others', or the sensor that is drawn
    last would hide the first.

    Args:
        points: columns x, y, pair_id, sensor, ``colour``, ``kept`` (False greys a point out), ``hover``.
        colour: column whose values are coloured.
        colours: value -> colour, in the order of the legend; other values are grey.
        sensors: in order; each has its own symbol.
        titles: how sensors are written.
        texts: how values are written, where not as they are.
        lines: points of the pairs to join, columns pair_id, x, y; None for no lines.
        highlight: pair ids to ring.
        marked: pair ids to show as selected; nothing is where empty.

    Returns:
        A figure whose ``customdata`` holds the pair id and the sensor of each point, as lists: plotly sends arrays of
        numbers in a form that does not come back.
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
        marker = {"size": 5, "color": GREY, "opacity": 0.18}
        _add_points(figure, away, marker, marked, name="Filtered out", hoverinfo="skip")
    present = points[colour].astype(str)
    values = [*(value for value in colours if (present == value).any()), *sorted(set(present) - set(colours))]
    groups = [
        (value, number, part)
        for value in values
        for number, sensor in enumerate(sensors)
        if len(part := points[points["kept"] & (present == value) & (points["sensor"] == sensor)])
    ]
    named: set[str] = set()
    for group, positions in alternating([len(part) for _, _, part in groups]):
        value, number, part = groups[group]
        name = titles[sensors[number]]
        name = name if colour == "sensor" else f"{(texts or {}).get(value, value)} · {name}"
        marker = {
            "size": 7,
            "color": colours.get(value, GREY),
            "symbol": SENSOR_SYMBOLS[number % len(SENSOR_SYMBOLS)],
            "opacity": 0.8,
        }
        _add_points(
            figure, part.iloc[positions], marker, marked, name=name, legendgroup=name, showlegend=name not in named,
            text=part["hover"].iloc[positions].to_list(), hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
        named.add(name)
    ringed = points[points["pair_id"].isin(highlight)]
    if len(ringed):
        figure.add_scattergl(
            x=ringed["x"], y=ringed["y"], mode="markers", name="Chosen pair", hoverinfo="skip",
            marker={"size": 18, "symbol": "circle-open", "color": WRONG, "line": {"width": 3}},
        )  # fmt: skip
    return _as_map(figure, _HEIGHT)


def _add_points(figure: go.Figure, part: pd.DataFrame, marker: dict, marked: Collection[str], **trace: object) -> None:
    if marked:
        trace["selectedpoints"] = np.flatnonzero(part["pair_id"].isin(marked)).tolist()
    figure.add_scattergl(
        x=part["x"], y=part["y"], mode="markers", marker=marker,
        customdata=part[["pair_id", "sensor"]].to_numpy().tolist(), **trace,
    )  # fmt: skip


def _as_map(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(dragmode="lasso", clickmode="event+select")
    return bare(plain(figure, height=height, below=True)).update_layout(
        legend_font_size=11, legend_itemsizing="constant"
    )


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
    points: pd.DataFrame, pictures: Sequence[bytes | None], frames: Sequence[str], legend: Mapping[str, str]
) -> go.Figure:
    """The images themselves as points, as the original paper drew its t-SNE of logits.

    Drawn into one picture on the server, so that the browser gets one image and not hundreds.

    Args:
        points: columns x, y, pair_id, sensor, hover; one row for each image.
        pictures: JPEG of each; None draws nothing.
        frames: colour of each image's frame.
        legend: what a frame of a colour means -> the colour.
    """
    x, y = _unit(points["x"].to_numpy(dtype=float)), _unit(points["y"].to_numpy(dtype=float))
    canvas = Image.new("RGBA", (_WIDE, _TALL), (0, 0, 0, 0))
    size = _TILE + 2 * _FRAME
    left, top = x * (_WIDE - size), (1 - y) * (_TALL - size)
    for across, down, picture, frame in zip(left, top, pictures, frames, strict=True):
        if picture is None:
            continue
        with Image.open(io.BytesIO(picture)) as opened:
            opened.draft("RGB", (_TILE, _TILE))
            tile = ImageOps.expand(ImageOps.fit(opened.convert("RGB"), (_TILE, _TILE)), _FRAME, frame)
        canvas.paste(tile, (int(across), int(down)))
    stream = io.BytesIO()
    canvas.save(stream, "WEBP", quality=80)
    figure = go.Figure()
    figure.add_layout_image(
        source="data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii"),
        xref="x", yref="y", x=0, y=_TALL, sizex=_WIDE, sizey=_TALL, sizing="stretch", layer="below",
    )  # fmt: skip
    figure.add_scatter(
        x=left + size / 2,
        y=_TALL - top - size / 2,
        mode="markers",
        marker={"size": 26, "opacity": 0},
        customdata=points[["pair_id", "sensor"]].to_numpy().tolist(),
        text=points["hover"].to_list(),
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    for text, colour in legend.items():
        marker = {"size": 12, "symbol": "square-open", "color": colour, "line": {"width": 4}}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=text, marker=marker)
    _as_map(figure, _IMAGES_HEIGHT)
    figure.update_xaxes(range=[0, _WIDE], constrain="domain")
    return figure.update_yaxes(range=[0, _TALL], scaleanchor="x")
