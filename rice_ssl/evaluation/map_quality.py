"""How far a map may be believed: whether neighbours on it are neighbours in its space, and the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 15
FEWEST = 50
"""Images below which nothing is measured: 15 neighbours of fewer images are a large part of all there are."""


@dataclass(frozen=True)
class MapQuality:
    """Three measures of one map.

    Attributes:
        trustworthiness: in [0, 1]; 1 less a penalty for every false neighbour, that grows with the rank which the false
            neighbour has in the original space.
        continuity: in [0, 1]; 1 less a penalty for every neighbour of the original space that the map tore away, which
            grows with the rank that it has on the map.
        shared: in [0, 1]; of an image's neighbours on the map, the share that are among its as many nearest in the
            original space; mean over images.
        neighbours: counted for each image.
        images: measured.
    """

    trustworthiness: float
    continuity: float
    shared: float
    neighbours: int
    images: int


def map_quality(
    original: npt.NDArray[np.floating],
    points: npt.NDArray[np.floating],
    *,
    metric: str = "cosine",
    neighbours: int = NEIGHBOURS,
) -> MapQuality:
    """Measure a map against the space it was made from.

    Args:
        original: vectors, shape (N, D), finite.
        points: their places on the map, shape (N, 2) or (N, 3), finite, no unit; compared by Euclidean distance.
        metric: of the original space: ``cosine`` or ``euclidean``.
        neighbours: k, at least 1 and below N / 2.

    Raises:
        ValueError: the shapes do not match, or k is out of range; the message gives the values.

    Source:
        Venna and Kaski 2001 (trustworthiness, as scikit-learn has it, and continuity, which is the same with the two
        spaces changing places; for cosines of rows of length 1, which Euclidean distances rank alike); the share is the
        k-nearest-neighbour preservation of Lee and Verleysen 2009, Q_NX(k), here with k nearest by index where
        distances tie.
    """
    if original.ndim != 2 or points.ndim != 2 or len(original) != len(points):
        raise ValueError(
            f"original has shape {original.shape} and points {points.shape}: give (N, D) and (N, 2 or 3) of the same N."
        )
    if not 1 <= neighbours < len(points) / 2:
        raise ValueError(f"neighbours is {neighbours} for {len(points)} images: take at least 1 and fewer than half.")
    there, here = np.asarray(original, dtype=np.float64), np.asarray(points, dtype=np.float64)
    if metric == "cosine":
        norms = np.linalg.norm(there, axis=1, keepdims=True)
        there = there / np.where(norms > 0, norms, 1)
    near_there, near_here = _nearest(there, metric, neighbours), _nearest(here, "euclidean", neighbours)
    shared = (near_here[:, :, None] == near_there[:, None, :]).any(axis=2)
    return MapQuality(
        trustworthiness=float(trustworthiness(there, here, n_neighbors=neighbours, metric=metric)),
        continuity=float(trustworthiness(here, there, n_neighbors=neighbours)),
        shared=float(shared.mean()),
        neighbours=neighbours,
        images=len(points),
    )


def _nearest(vectors: npt.NDArray[np.floating], metric: str, count: int) -> npt.NDArray[np.int64]:
    """Rows of each row's nearest others, shape (N, count)."""
    found = NearestNeighbors(n_neighbors=count, metric=metric, algorithm="brute").fit(vectors)
    rows: npt.NDArray[np.int64] = found.kneighbors(return_distance=False)
    return rows
