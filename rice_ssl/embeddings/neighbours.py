"""Nearest neighbours in the original space, never on a map. Imports no torch: the dashboard uses it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def unit_rows(vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Rows of length 1, shape (N, D); a row of zeros stays zero."""
    values = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1), dtype=np.float32)


def nearest(
    query: npt.NDArray[np.floating], vectors: npt.NDArray[np.floating], count: int, *, exclude: int | None = None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Exact nearest neighbours by cosine similarity.

    Args:
        query: shape (D,).
        vectors: shape (N, D).
        count: neighbours wanted; fewer come back where there are fewer. Rows with NaN are never neighbours.
        exclude: a row to leave out, e.g. the query's own.

    Returns:
        Rows of ``vectors``, nearest first (ties: lower row first), and similarities in [-1, 1].
    """
    similarity = unit_rows(vectors) @ unit_rows(np.asarray(query)[None])[0]
    similarity = np.where(np.isfinite(similarity), similarity, -np.inf)
    if exclude is not None:
        similarity[exclude] = -np.inf
    order = np.argsort(-similarity, kind="stable")[:count]
    order = order[np.isfinite(similarity[order])]
    return order.astype(np.int64), similarity[order].astype(np.float32)


def neighbourhood_overlap(
    first: npt.NDArray[np.floating], second: npt.NDArray[np.floating], count: int = 10
) -> npt.NDArray[np.float64]:
    """Share of each pair's ``count`` nearest pairs that both sensors have in common.

    Args:
        first: embeddings of one sensor, row k is pair k, shape (P, D).
        second: embeddings of the other, same order, shape (P, E).
        count: neighbours, < P.

    Returns:
        Jaccard index of the two neighbour sets, in [0, 1], shape (P,).
    """
    sets = []
    for vectors in (first, second):
        unit = unit_rows(vectors)
        similarity = unit @ unit.T
        np.fill_diagonal(similarity, -np.inf)
        sets.append(np.argsort(-similarity, axis=1, kind="stable")[:, :count])
    shared = np.array([len(np.intersect1d(a, b)) for a, b in zip(*sets, strict=True)])
    jaccard: npt.NDArray[np.float64] = shared / (2 * sets[0].shape[1] - shared)
    return jaccard
