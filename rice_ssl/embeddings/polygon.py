"""Which points of a map lie inside a polygon that was drawn on it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rice_ssl.errors import InputError

Coordinates = npt.NDArray[np.floating]


def inside(x: Coordinates, y: Coordinates, vertices: Coordinates) -> npt.NDArray[np.bool_]:
    """Points inside a polygon by the even-odd rule; a point on an edge or a vertex is inside.

    For an edge from (x1, y1) to (x2, y2) and a point (px, py), all in float64,
    ``cross = (x2 - x1) * (py - y1) - (y2 - y1) * (px - x1)``. The point is on the edge where that is 0 and the point is
    in the edge's closed bounding box. The edge is crossed by the ray from the point to greater x where
    ``(y1 > py) != (y2 > py)`` and the sign of ``cross`` says that the point is left of it. The browser works out the
    same terms in the same order, so that what is drawn as selected is what is selected.

    Points are sorted by y once, and each edge looks at those of its height alone: a polygon of 64 edges costs about as
    much as one of four.

    Args:
        x: coordinates, shape (N,), no unit. A point that has one that is not finite is outside.
        y: the same.
        vertices: corners in order, shape (V, 2), finite; the last is joined to the first. Edges may cross each other;
            what is enclosed twice is outside.

    Returns:
        Shape (N,).

    Raises:
        InputError: lengths differ, or the vertices are none, of another shape or not finite.

    Source:
        Shimrat 1962, algorithm 112; edges and vertices are taken as inside.
    """
    corners = np.asarray(vertices, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InputError(f"x has shape {x.shape} and y {y.shape}: give one coordinate of each for every point.")
    if corners.ndim != 2 or corners.shape[1] != 2 or not len(corners) or not np.isfinite(corners).all():
        raise InputError(f"Vertices of shape {corners.shape} are no polygon: give finite corners, shape (V, 2).")
    found = np.zeros(len(x), dtype=bool)
    (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
    rows = np.flatnonzero((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
    rows = rows[np.argsort(y[rows], kind="stable")]
    px, py = x[rows].astype(np.float64), y[rows].astype(np.float64)
    odd, on = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        level = slice(np.searchsorted(py, min(y1, y2), "left"), np.searchsorted(py, max(y1, y2), "right"))
        qx, qy = px[level], py[level]
        cross = (x2 - x1) * (qy - y1) - (y2 - y1) * (qx - x1)
        on[level] |= (cross == 0) & (qx >= min(x1, x2)) & (qx <= max(x1, x2))
        odd[level] ^= ((y1 > qy) != (y2 > qy)) & ((cross > 0) if y2 > y1 else (cross < 0))
    found[rows] = odd | on
    return found
