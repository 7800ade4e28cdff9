"""Whether two sensors have the same neighbourhoods: the nearest pairs of each pair in either, in the original space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rice_ssl.embeddings.neighbours import Advance, Rows, Vectors, nearest_of_all, twin_ranks
from rice_ssl.embeddings.similar import SimilarIndex

DEPTH = 100
"""How deep a twin is looked for by an index; where it is deeper its rank is not known."""
SHUFFLES = 10
"""Times that pairs are shuffled to find what overlap chance gives."""
_BATCH = 10_000


@dataclass(frozen=True)
class Neighbourhoods:
    """Neighbourhoods of P pairs.

    Attributes:
        overlap: Jaccard index of the pair's nearest pairs in either sensor, in [0, 1], shape (P,).
        first_rank: of the second sensor's image of the pair, seen from the first's; 1 is nearest, 0 not found.
        second_rank: of the first sensor's image, seen from the second's.
        neighbours: k, of each pair in each sensor.
        expected: mean overlap of shuffled pairs, in [0, 1].
        exact: whether every image was compared with every other.
        recall: share of an image's k nearest that the indexes find, in [0, 1]; None where exact.
    """

    overlap: npt.NDArray[np.float64]
    first_rank: Rows
    second_rank: Rows
    neighbours: int
    expected: float
    exact: bool
    recall: float | None


def neighbourhoods(
    first: Vectors, second: Vectors, count: int, *, seed: int, advance: Advance = lambda rows: None
) -> Neighbourhoods:
    """Nearest pairs in either sensor by cosine, and where each pair's other image is; exact, in bounded memory.

    Args:
        first: vectors of one sensor, finite, row k is pair k, shape (P, D), P >= 2.
        second: of the other, in the same order, shape (P, D).
        count: neighbours, at least 1; all others where there are fewer.
        seed: of the shuffled pairs.
        advance: told how many more of 3 P rows are done.

    Raises:
        ValueError: the shapes do not match, or there are fewer than two pairs.
    """
    count = _checked(first, second, count)
    near = [nearest_of_all(vectors, count, advance=advance) for vectors in (first, second)]
    ranks = twin_ranks(first, second, advance=advance)
    return Neighbourhoods(jaccard(*near), *ranks, count, expected_overlap(*near, seed=seed), exact=True, recall=None)


def neighbourhoods_by_index(
    first: Vectors,
    second: Vectors,
    indexes: Sequence[SimilarIndex],
    pair_of: Sequence[Rows],
    count: int,
    *,
    seed: int,
    advance: Advance = lambda rows: None,
) -> Neighbourhoods:
    """The same beyond what can be compared one by one: by an index of each sensor.

    Differs: some neighbours are missed (``recall`` says how many), and a twin is looked for among the 100 nearest.

    Args:
        first: as :func:`neighbourhoods`.
        second: as there.
        indexes: of all images of either sensor.
        pair_of: number of the pair of each row of either index, -1 for images without a pair, which count for nothing.
        count: as there.
        seed: as there.
        advance: told how many more of 4 P rows are done.

    Raises:
        ValueError: as there.
    """
    count = _checked(first, second, count)
    two = list(zip((first, second), indexes, pair_of, strict=True))
    near = [_near(vectors, index, pairs, count, advance) for vectors, index, pairs in two]
    ranks = [_twins(first, indexes[1], pair_of[1], advance), _twins(second, indexes[0], pair_of[0], advance)]
    known = [index.recall for index in indexes if index.recall is not None]
    return Neighbourhoods(
        jaccard(*near), ranks[0], ranks[1], count, expected_overlap(*near, seed=seed),
        exact=False, recall=min(known) if known else None,
    )  # fmt: skip


def jaccard(first: Rows, second: Rows) -> npt.NDArray[np.float64]:
    """Jaccard index of two sets a row: shared members divided by all.

    Args:
        first: members, -1 for none, no member twice in a row, shape (P, k).
        second: the same of the other, shape (P, m).

    Returns:
        In [0, 1], shape (P,); NaN where both sets are empty.
    """
    found = []
    for start in range(0, len(first), _BATCH):
        one, other = first[start : start + _BATCH], second[start : start + _BATCH]
        shared = ((one[:, :, None] == other[:, None, :]) & (one >= 0)[:, :, None]).sum(axis=(1, 2))
        together = (one >= 0).sum(axis=1) + (other >= 0).sum(axis=1) - shared
        found.append(np.where(together > 0, shared / np.maximum(together, 1), np.nan))
    return np.concatenate(found) if found else np.empty(0)


def expected_overlap(first: Rows, second: Rows, *, seed: int) -> float:
    """Mean overlap where the second sensor's sets are those of another pair, drawn anew for each shuffle.

    Args:
        first: neighbours of each pair, shape (P, k), P >= 2.
        second: the same in the other sensor.
        seed: of the shuffles.
    """
    rng, means = np.random.default_rng(seed), []
    for _ in range(SHUFFLES):
        order = rng.permutation(len(first))
        means.append(float(np.mean(jaccard(first[order], second[np.roll(order, 1)]))))  # none stays with itself
    return float(np.mean(means))


def _checked(first: Vectors, second: Vectors, count: int) -> int:
    if len(first) != len(second) or len(first) < 2:
        raise ValueError(f"first has {len(first)} rows and second {len(second)}: give the same pairs twice, 2 or more.")
    if count < 1:
        raise ValueError(f"count is {count}: take at least 1 neighbour.")
    return min(count, len(first) - 1)


_SPARE = 10
"""Images asked for beyond the neighbours, since some belong to no pair."""


def _near(vectors: Vectors, index: SimilarIndex, pair_of: Rows, count: int, advance: Advance) -> Rows:
    found, spare = [], 1 + (_SPARE if (pair_of < 0).any() else 0)
    for start in range(0, len(vectors), _BATCH):
        pairs = _pairs(vectors[start : start + _BATCH], index, pair_of, count + spare)
        pairs[pairs == np.arange(start, start + len(pairs))[:, None]] = -1  # itself
        others = np.argsort(pairs < 0, axis=1, kind="stable")[:, :count]
        found.append(np.take_along_axis(pairs, others, axis=1))
        advance(len(pairs))
    return np.concatenate(found)


def _twins(query: Vectors, index: SimilarIndex, pair_of: Rows, advance: Advance) -> Rows:
    found = []
    for start in range(0, len(query), _BATCH):
        pairs = _pairs(query[start : start + _BATCH], index, pair_of, DEPTH)
        hit = pairs == np.arange(start, start + len(pairs))[:, None]
        rank = hit.argmax(axis=1)
        found.append(np.where(hit.any(axis=1), (np.cumsum(pairs >= 0, axis=1)[np.arange(len(rank)), rank]), 0))
        advance(len(pairs))
    return np.concatenate(found).astype(np.int64)


def _pairs(queries: Vectors, index: SimilarIndex, pair_of: Rows, count: int) -> Rows:
    """Pairs of the nearest images of an index, nearest first; -1 where there is none."""
    rows, _ = index.search(queries, count)
    return np.where(rows >= 0, pair_of[np.maximum(rows, 0)], -1)
