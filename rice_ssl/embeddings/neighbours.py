"""Nearest neighbours in the original space, never on a map. Imports no torch: the dashboard uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.floating]
Rows = npt.NDArray[np.int64]
T = TypeVar("T", bound=np.generic)
Advance = Callable[[int], object]
"""Told, now and then, how many more rows are done."""
TIE = 1e-12
"""Cosines are equal where they round to the same multiple of this: what is left is the order in which products were
added."""
_ROUNDING = np.float32(1e-5)
"""More than what a cosine in float32 is off by, at some thousand dimensions."""
_PART = 8_000_000
"""Cosines in memory at once: 64 MB in float64."""
_GROUP, _CLOSE = 64, 64
"""Columns whose highest cosine bounds the k-th nearest; float64 for all of a block where more than so many a row are
within rounding of what decides."""


def unit_rows(vectors: Vectors) -> npt.NDArray[np.float32]:
    """Rows of length 1, shape (N, D); a row of zeros stays zero."""
    values = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1), dtype=np.float32)


def finite_rows(vectors: Vectors) -> npt.NDArray[np.bool_]:
    """Which rows of (N, D) hold neither NaN nor infinity, shape (N,); the rows are read some at a time."""
    parts = [np.isfinite(part).all(axis=1) for part in _parts(vectors, vectors.shape[1])]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.bool_)


def nearest(
    query: Vectors, vectors: Vectors, count: int, *, exclude: int | None = None
) -> tuple[Rows, npt.NDArray[np.float32]]:
    """Exact nearest neighbours by cosine similarity.

    All are compared in float32, and those that may be among the nearest again in float64. The vectors are read once
    and not copied, so they may lie on disk.

    Args:
        query: shape (D,).
        vectors: shape (N, D), of any length each.
        count: neighbours wanted; fewer come back where there are fewer. Rows with NaN are never neighbours.
        exclude: a row to leave out, e.g. the query's own.

    Returns:
        Rows of ``vectors``, nearest first (ties: lower row first), and similarities in [-1, 1].
    """
    rough = _all_cosines(query, vectors)
    rough[~np.isfinite(rough)] = -np.inf
    if exclude is not None:
        rough[exclude] = -np.inf
    wanted = min(count, int((rough > -np.inf).sum()))
    if wanted < 1:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    least = np.partition(rough, len(rough) - wanted)[len(rough) - wanted]
    rows = np.flatnonzero(rough >= least - _ROUNDING)
    steps = _steps_of(np.asarray(query)[None], np.zeros(len(rows), dtype=np.int64), vectors, rows)
    order = np.argsort(-steps, kind="stable")[:wanted]
    return rows[order].astype(np.int64), (steps[order] * TIE).astype(np.float32)


def rank_among(query: Vectors, vectors: Vectors, row: int) -> tuple[int, float] | None:
    """Place of one row in the order of :func:`nearest`, when all are asked for.

    Args:
        query: shape (D,), finite.
        vectors: shape (N, D), of any length each.
        row: of ``vectors``.

    Returns:
        The place, counted from 1, and the row's cosine; None where that is not finite.
    """
    rough = _all_cosines(query, vectors)
    if not np.isfinite(rough[row]):
        return None
    near = 2 * _ROUNDING  # both are off
    close = np.flatnonzero(np.abs(rough - rough[row]) <= near)
    steps = _steps_of(np.asarray(query)[None], np.zeros(len(close), dtype=np.int64), vectors, close)
    own = steps[close == row][0]
    before = int((rough > rough[row] + near).sum() + (steps > own).sum() + (steps[close < row] == own).sum())
    return before + 1, float(own * TIE)


def nearest_of_all(vectors: Vectors, count: int, *, advance: Advance = lambda rows: None) -> Rows:
    """Nearest other rows of every row, by cosine similarity in float64; memory is bounded.

    Args:
        vectors: shape (N, D), of any length each.
        count: neighbours, at least 1.
        advance: told how many more rows are done.

    Returns:
        Rows, nearest first (ties: lower row first), shape (N, count); -1 where there are fewer. A row with NaN has no
        neighbours and is nobody's.
    """
    found = np.full((len(vectors), count), -1, dtype=np.int64)
    usable = np.flatnonzero(finite_rows(vectors))
    unit, wanted = unit_rows(vectors[usable]), min(count, len(usable) - 1)
    for start, stop in _blocks(len(usable)):
        if wanted > 0:
            cosines = unit[start:stop] @ unit.T
            cosines[np.arange(stop - start), np.arange(start, stop)] = -np.inf
            mine, other = _where(cosines >= _bound(cosines, wanted)[:, None] - _ROUNDING)
            if len(mine) > (stop - start) * (_CLOSE + 4 * wanted):
                steps = _all_steps(vectors[usable[start:stop]], vectors[usable])
                steps[np.arange(stop - start), np.arange(start, stop)] = -np.inf
                columns = _highest(steps, wanted)
            else:
                steps = _steps_of(vectors, usable[mine + start], vectors, usable[other])
                order = np.lexsort((other, -steps, mine))
                first = np.searchsorted(mine, np.arange(stop - start))
                columns = other[order][first[:, None] + np.arange(wanted)]
            found[usable[start:stop], :wanted] = usable[columns]
        advance(stop - start)
    return found


def twin_ranks(first: Vectors, second: Vectors, *, advance: Advance = lambda rows: None) -> tuple[Rows, Rows]:
    """Where each pair's other image is among all images of its sensor, by cosine similarity in float64; 1 is nearest.

    Differs from :func:`rice_ssl.evaluation.retrieval.twin_ranks`, which counts from 0 and ties against the twin: here
    the order is that of :func:`nearest`.

    Args:
        first: vectors of one sensor, row k is pair k, shape (P, D).
        second: of the other, in the same order, shape (P, D).
        advance: told how many more rows are done.

    Returns:
        Rank of the second sensor's image seen from the first's, and of the first's seen from the second's, shape (P,)
        each; 0 for pairs with NaN in either vector, which are nobody's neighbours.
    """
    seen = np.zeros((2, len(first)), dtype=np.int64)
    usable = np.flatnonzero(finite_rows(first) & finite_rows(second))
    one, other = unit_rows(first[usable]), unit_rows(second[usable])
    own = _steps_of(first, usable, second, usable)
    rough = (own * TIE).astype(np.float32)
    ranks = np.ones((2, len(usable)), dtype=np.int64)
    for start, stop in _blocks(len(usable)):
        cosines = one[start:stop] @ other.T
        cosines[np.arange(stop - start), np.arange(start, stop)] = -np.inf  # a twin is not before itself
        for side, twins in enumerate((rough[start:stop, None], rough)):
            higher = cosines > twins + _ROUNDING
            mine, column = _where((cosines >= twins - _ROUNDING) & ~higher)
            if len(mine) > (stop - start) * _CLOSE:
                every, limit = _all_steps(first[usable[start:stop]], second[usable]), (own[start:stop, None], own)[side]
                every[np.arange(stop - start), np.arange(start, stop)] = -np.inf
                higher, (mine, column) = every > limit, _where(every == limit)
                steps = every[mine, column]
            else:
                steps = _steps_of(first, usable[mine + start], second, usable[column])
            ranks[side, slice(start, stop) if side == 0 else slice(None)] += higher.sum(axis=1 - side)
            mine = mine + start
            asking, asked = (mine, column) if side == 0 else (column, mine)
            before = (steps > own[asking]) | ((steps == own[asking]) & (asked < asking))
            np.add.at(ranks[side], asking[before], 1)
        advance(stop - start)
    seen[:, usable] = ranks
    return seen[0], seen[1]


def _highest(values: npt.NDArray[np.float64], count: int) -> Rows:
    """Columns of the highest values of each row, highest first (ties: lower column first), shape (rows, count)."""
    columns = np.argpartition(-values, count - 1, axis=1)[:, :count]
    taken = np.take_along_axis(values, columns, axis=1)
    columns = np.take_along_axis(columns, np.lexsort((columns, -taken), axis=1), axis=1)
    tied = (values >= taken.min(axis=1)[:, None]).sum(axis=1) > count  # which of the lowest were taken was chance
    for row in np.flatnonzero(tied):
        columns[row] = np.argsort(-values[row], kind="stable")[:count]
    return columns.astype(np.int64)


def _unit(vectors: Vectors) -> npt.NDArray[np.float64]:
    """Rows of length 1 in float64; a row of zeros stays zero."""
    values = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(norms > 0, norms, 1))


def _cosines(vectors: Vectors, unit: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Cosines of rows with a vector of length 1, in float32, without a copy of the rows."""
    values = np.asarray(vectors, dtype=np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", values, values))
    return np.asarray((values @ unit) / np.where(norms > 0, norms, 1), dtype=np.float32)


def _all_cosines(query: Vectors, vectors: Vectors) -> npt.NDArray[np.float32]:
    """Cosines of all rows with a vector, shape (N,), in float32; not finite where a row is not."""
    asked = unit_rows(np.asarray(query)[None])[0]
    parts = [_cosines(part, asked) for part in _parts(vectors, len(asked))]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.float32)


def _bound(values: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    """Not more than the k-th highest of each row, and near to it: the k-th highest of the highest of groups."""
    rows, columns = values.shape
    if columns >= 4 * count * _GROUP:
        whole = columns - columns % _GROUP
        values = values[:, :whole].reshape(rows, -1, _GROUP).max(axis=2)
    return np.asarray(np.partition(values, values.shape[1] - count, axis=1)[:, values.shape[1] - count])


def _where(chosen: npt.NDArray[np.bool_]) -> tuple[Rows, Rows]:
    """Rows and columns that are true, row by row; ten times as fast as NumPy's own where few are."""
    row, column = np.divmod(np.flatnonzero(chosen), chosen.shape[1])
    return row, column


def _steps_of(first: Vectors, mine: Rows, second: Vectors, other: Rows) -> npt.NDArray[np.float64]:
    """Cosines of pairs of rows as :func:`_steps`, added in the same order for all, so that equal rows are equal."""
    width, found = first.shape[1], np.empty(len(mine))
    for part in _parts(np.arange(len(mine)), 4 * width):
        found[part] = _steps((_unit(first[mine[part]]) * _unit(second[other[part]])).sum(axis=1))
    return found


def _all_steps(first: Vectors, second: Vectors) -> npt.NDArray[np.float64]:
    """Cosines of every row with every other in float64."""
    return _steps(_unit(first) @ _unit(second).T)


def _steps(cosines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cosines as whole numbers of :data:`TIE`; changed in place."""
    cosines *= 1 / TIE
    return np.rint(cosines, out=cosines)


def _parts(rows: npt.NDArray[T], width: int) -> Iterator[npt.NDArray[T]]:
    """Some rows at a time, so many that as many vectors of this width fit into memory."""
    step = max(1, _PART // max(1, width))
    return (rows[start : start + step] for start in range(0, len(rows), step))


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose cosines with ``count`` others fit into memory together."""
    step = max(1, _PART // max(1, count))
    return ((start, min(start + step, count)) for start in range(0, count, step))
