"""Points of a map, from five to a million: pan, zoom, box and lasso are answered in the browser, without the server.

Heavy arrays travel apart from the view, each in a carrier of its own that draws nothing: Streamlit does not send a
message again that the browser has, so another colour sends one byte for each point, and a selection or a tooltip none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import streamlit as st

_PARTS = Path(__file__).parent / "map_viewer"
_SCRIPTS = ("camera.js", "shape.js", "parts.js", "painter.js", "pointing.js", "overlay.js", "gestures.js", "view.js")


def _text(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


_carrier = st.components.v2.component("rice_ssl_map_carrier", html="<span hidden>\n</span>", js=_text("carrier.js"))
# Streamlit takes one script for a component: its parts are joined.
_view = st.components.v2.component(
    "rice_ssl_map_view",
    html='<div class="map-view">\n</div>',
    css=_text("view.css"),
    js="\n".join(_text(name) for name in _SCRIPTS),
)


def carry(key: str, **arrays: npt.NDArray[np.generic]) -> str:
    """Send arrays to the browser, where :func:`draw` finds them under the name that is returned.

    Args:
        key: of the carrier; one that is drawn again with other arrays replaces these.
        arrays: equally long, of float32, uint8, uint16 or int32, by the names that :func:`draw` gives.

    Returns:
        A name for their contents.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, values in arrays.items():
        digest.update(f"{name} {values.dtype} {len(values)}".encode())
        digest.update(np.ascontiguousarray(values).data)
    name = digest.hexdigest()
    _carrier(key=key, data={"name": name, "table": pa.table(dict(arrays))}, height=1)
    return name


def draw(
    *,
    key: str,
    places: str,
    colours: str,
    kept: str | None,
    marked: str | None,
    twins: str | None,
    count: int,
    palette: Sequence[str],
    legend: Sequence[tuple[int, str]],
    sensors: Sequence[str],
    symbols: bool,
    scale: tuple[str, str] | None,
    lines: str,
    rings: Sequence[int],
    shape: Mapping[str, Any] | None,
    tooltip: Mapping[str, Any] | None,
    sheet: Mapping[str, Any] | None,
    tool: str,
    images: bool,
    height: int,
    label: str,
    on_shape_change: Callable[[], None],
    on_hover_change: Callable[[], None],
    on_view_change: Callable[[], None],
    on_opened_change: Callable[[], None],
) -> Any:
    """Draw a map of N points; what the user does is in the session's state under ``key``.

    ``shape`` is what was drawn, its vertices as steps on the map's grid, or None; ``view`` the part that is in view,
    told where ``images`` is set; ``hover`` the point that is pointed at, or -1 where there is none, and ``opened`` the
    one that was clicked, each for one run. A point whose ``tooltip`` is there already is not told again.

    Args:
        key: of the view.
        places: name of carried ``x``, ``y`` (float32) and ``sensor`` (uint8).
        colours: of ``code`` (uint8), places in the palette.
        kept: of ``kept`` (uint8), 0 for points that are greyed and never selected; None keeps all.
        marked: of ``marked`` (uint8), 1 for points that are selected on another map; None where nothing is.
        twins: of ``twin`` (int32), the row of the pair's other image, -1 for none; None without lines.
        count: N.
        palette: colours, ``#rrggbb``.
        legend: code and text of each entry, in order; a click shows its points alone.
        sensors: titles.
        symbols: whether each sensor has a symbol of its own.
        scale: texts at the ends of a palette that is continuous; None where it is not.
        lines: between the images of a pair: ``none``, ``lines`` or ``arrows``, of 3,000 pairs in view at most.
        rings: rows of points to ring.
        shape: the selection: ``kind`` (``box`` or ``lasso``) and ``vertices`` in the map's coordinates; None without.
        tooltip: ``row``, ``lines`` and ``jpeg`` (base64, or None) of the point that was last pointed at; None without.
        sheet: images as points: ``url`` of one picture that holds all, ``tile`` (side, pixels), and for each image its
            ``rows``, ``left``, ``top`` and ``frames``; None without.
        tool: at first: ``pan``, ``box`` or ``lasso``.
        images: whether the view is told, so that a sheet can be made of it.
        height: pixels.
        label: what the map is, for those who do not see it.
        on_shape_change: called when a shape was drawn or cleared.
        on_hover_change: called when another point is pointed at.
        on_view_change: called when another part is in view.
        on_opened_change: called when a point was clicked.
    """
    data = {
        "places": places,
        "colours": colours,
        "kept": kept,
        "marked": marked,
        "twins": twins,
        "count": count,
        "palette": list(palette),
        "legend": [list(entry) for entry in legend],
        "sensors": list(sensors),
        "symbols": symbols,
        "scale": None if scale is None else list(scale),
        "lines": lines,
        "rings": list(rings),
        "shape": None if shape is None else dict(shape),
        "tooltip": None if tooltip is None else dict(tooltip),
        "sheet": None if sheet is None else dict(sheet),
        "tool": tool,
        "images": images,
        "height": height,
        "label": label,
    }
    return _view(
        key=key,
        data=data,
        on_shape_change=on_shape_change,
        on_hover_change=on_hover_change,
        on_view_change=on_view_change,
        on_opened_change=on_opened_change,
    )
