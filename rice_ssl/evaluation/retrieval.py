"""Cross-sensor retrieval: does an image of one sensor find the other sensor's image of its pair?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rice_ssl.embeddings.neighbours import unit_rows

_CHUNK = 1024


def twin_ranks(query: npt.NDArray[np.floating], gallery: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Rank of each query's twin among all of the gallery, by cosine similarity; 0 is the nearest.

    Args:
        query: embeddings of one sensor, row k is pair k, shape (P, D).
        gallery: embeddings of the other sensor, same order, shape (P, D).

    Returns:
        Shape (P,); a tie counts against the twin, so that embeddings that are all alike find nothing.
    """
    first, second = unit_rows(query), unit_rows(gallery)
    found = []
    for at in range(0, len(first), _CHUNK):
        similarity = first[at : at + _CHUNK] @ second.T
        own = similarity[np.arange(len(similarity)), at + np.arange(len(similarity))]
        found.append((similarity >= own[:, None]).sum(axis=1) - 1)
    return np.concatenate(found).astype(np.int64) if found else np.zeros(0, dtype=np.int64)


def recall_at(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.float64]:
    """Share of the two directions in which a pair's twin is among the ``count`` nearest, in {0, .5, 1}, shape (P,)."""
    hits = [twin_ranks(*sides) < count for sides in ((first, second), (second, first))]
    found: npt.NDArray[np.float64] = np.mean(hits, axis=0)
    return found
