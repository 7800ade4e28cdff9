"""Images as points: one picture of those that are in view, made anew when the view changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from dashboard import access, map_columns, map_points, selection
from dashboard.access import RunKey
from dashboard.charts.figures import GREY
from dashboard.charts.sprites import TILE, spread_out, sprite_sheet
from dashboard.components.map_colouring import colouring
from dashboard.map_filtering import Filters, kept
from dashboard.map_points import MapKey

WRONG_FRAME = "#FF0033"
FRAME = 4
MOST_ACROSS, MOST_DOWN = 24, 16
"""Cells of the grid at most, whatever size the browser says that the map has."""

View = tuple[float, float, float, float, int, int]
"""x0, x1, y0, y1 in coordinates of the map, and cells across and down."""


def view_of(run: RunKey, key: MapKey, found: Any) -> View:
    """The part of the map that is in view; all of it where the browser has not said, or said nonsense.

    Args:
        run: the run.
        key: the map.
        found: a mapping with x0, x1, y0, y1 and width and height in pixels, or anything.
    """
    low, high = selection.extent(run, key)
    try:
        x0, x1, y0, y1, width, height = (float(found[name]) for name in ("x0", "x1", "y0", "y1", "width", "height"))
    except (KeyError, TypeError, ValueError):
        return float(low[0]), float(high[0]), float(low[1]), float(high[1]), 14, 9
    if not np.isfinite([x0, x1, y0, y1, width, height]).all() or x1 <= x0 or y1 <= y0:
        return view_of(run, key, None)
    side = TILE + 2 * FRAME
    return (
        x0, x1, y0, y1,
        int(np.clip(width // side, 1, MOST_ACROSS)), int(np.clip(height // side, 1, MOST_DOWN)),
    )  # fmt: skip


@st.cache_resource(max_entries=24, show_spinner=False)
def sheet(run: RunKey, key: MapKey, filters: Filters, view: View) -> dict[str, Any]:
    """At most one image for each cell of the view, as :func:`dashboard.components.map_view.draw` takes them; shared.

    Args:
        run: the run.
        key: the map.
        filters: images that do not pass are not drawn.
        view: see :func:`view_of`.

    Returns:
        ``url``, ``tile``, ``rows``, ``left``, ``top``, ``frames``; ``among``: how many images are in view; ``wrong``:
        how many of those drawn are wrongly predicted.
    """
    found = map_points.points(run, key)
    rows = np.flatnonzero(kept(run, key, filters))
    x, y = found["x"].to_numpy()[rows], found["y"].to_numpy()[rows]
    x0, x1, y0, y1, across, down = view
    among = int(((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)).sum())
    rows = rows[spread_out(x, y, (across, down), (x0, x1, y0, y1))]
    drawn = found.iloc[rows]
    entries = list(zip(drawn["pair_id"].astype(str), drawn["sensor"].astype(str), strict=True))
    frames, wrong = _frames(run, key, rows)
    made = sprite_sheet(access.thumbnails(run, entries))
    return {
        "url": made.url, "tile": made.tile, "rows": rows.tolist(), "left": made.left, "top": made.top,
        "frames": frames, "among": among, "wrong": wrong,
    }  # fmt: skip


def _frames(run: RunKey, key: MapKey, rows: npt.NDArray[np.intp]) -> tuple[list[str], int]:
    """Colour of each image's frame, of its label or red where its prediction is wrong; and how many those are."""
    names = map_columns.names(run)
    shades = [GREY] * len(rows)
    if "label" in names:
        found = colouring(run, key, "label")
        shades = [found.palette[code] for code in found.codes[rows]]
    if "correct" not in names:
        return shades, 0
    wrong = (map_columns.column(run, key, "correct").iloc[rows] == "wrong").to_numpy(dtype=bool)
    return [WRONG_FRAME if bad else shade for bad, shade in zip(wrong, shades, strict=True)], int(wrong.sum())
