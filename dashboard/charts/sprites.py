"""Images as points of a map: which of them, and all of them in one picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

TILE = 46
"""Pixels of an image's side."""
_QUALITY = 82

Places = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Sheet:
    """Square tiles of one picture, as :func:`dashboard.components.map_view.draw` takes them.

    Attributes:
        url: data URI of a WebP picture.
        tile: pixels of a tile's side.
        left: of each tile, in pixels of the picture.
        top: the same.
    """

    url: str
    tile: int
    left: list[int]
    top: list[int]


def spread_out(
    x: Places, y: Places, cells: int | tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> npt.NDArray[np.intp]:
    """At most one point for each cell of a grid, the one nearest to the cell's middle.

    Args:
        x: coordinates, shape (N,).
        y: the same.
        cells: in each direction, or across and down.
        box: least and greatest x, least and greatest y of the grid; points outside are left out. None for what the
            points span.

    Returns:
        Positions, ascending.
    """
    across, down = (cells, cells) if isinstance(cells, int) else cells
    if not len(x):
        return np.empty(0, dtype=np.intp)
    x0, x1, y0, y1 = box or (float(x.min()), float(x.max()), float(y.min()), float(y.max()))
    rows = np.flatnonzero((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1))
    places = ((x[rows], x0, x1, across), (y[rows], y0, y1, down))
    xs, ys = (_unit(values, low, high) * count for values, low, high, count in places)
    column, row = np.minimum(xs.astype(np.int32), across - 1), np.minimum(ys.astype(np.int32), down - 1)
    off = (xs - column - 0.5) ** 2 + (ys - row - 0.5) ** 2
    cell = row * across + column
    nearest = np.full(across * down, np.inf)
    np.minimum.at(nearest, cell, off)
    best = np.flatnonzero(off == nearest[cell])
    _, first = np.unique(cell[best], return_index=True)
    return np.sort(rows[best[first]])


def _unit(values: Places, low: float, high: float) -> npt.NDArray[np.float64]:
    places = values.astype(np.float64)
    return (places - low) / (high - low) if high > low else np.full(len(places), 0.5)


def sprite_sheet(pictures: Sequence[bytes | None]) -> Sheet:
    """Put images side by side into one picture, so that the browser gets one and not hundreds.

    Args:
        pictures: JPEG of each; None, or one that cannot be read, leaves its tile grey.
    """
    columns = max(1, int(np.ceil(np.sqrt(len(pictures)))))
    rows = max(1, -(-len(pictures) // columns))
    canvas = Image.new("RGB", (columns * TILE, rows * TILE), (128, 128, 128))
    left = [(number % columns) * TILE for number in range(len(pictures))]
    top = [(number // columns) * TILE for number in range(len(pictures))]
    for picture, across, down in zip(pictures, left, top, strict=True):
        tile = _tile(picture)
        if tile is not None:
            canvas.paste(tile, (across, down))
    stream = io.BytesIO()
    canvas.save(stream, "WEBP", quality=_QUALITY, method=0)
    return Sheet("data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii"), TILE, left, top)


def _tile(picture: bytes | None) -> Image.Image | None:
    if picture is None:
        return None
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            opened.draft("RGB", (TILE, TILE))
            return ImageOps.fit(opened.convert("RGB"), (TILE, TILE))
    except (OSError, ValueError):
        return None
