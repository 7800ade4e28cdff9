"""Values of points, from Arrow, as pandas holds them without an object for each: categories and float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def text_array(values: pd.Series | pd.Index) -> pa.Array:
    """Text as one Arrow array, null where there is none."""
    found = pa.array(values, pa.string())
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def category(
    values: pa.Array, first: Sequence[str] = (), *, missing: str | None = None, by_usage: bool = False
) -> pd.Series:
    """Values as categories, those that occur alone.

    Args:
        values: text, whole numbers or truth values; null where not known.
        first: categories that come first, in this order; the others follow in their own order.
        missing: category of nulls, the last one; where it is None they have none.
        by_usage: whether categories are ordered by how often they occur, the most frequent first.
    """
    if pa.types.is_floating(values.type):
        values = values.cast(pa.string())
    coded = values.dictionary_encode()
    codes = pc.fill_null(coded.indices, -1).to_numpy()
    names: list[Any] = coded.dictionary.to_pylist()
    counts = np.bincount(codes[codes >= 0], minlength=len(names))
    place = {name: number for number, name in enumerate(first)}
    if by_usage:
        order = sorted(range(len(names)), key=lambda k: (-int(counts[k]), names[k]))
    else:
        order = sorted(range(len(names)), key=lambda k: (place.get(names[k], len(place)), names[k]))
    order = [k for k in order if counts[k]]
    kept = [names[k] for k in order]
    number_of = np.full(len(names) + 1, -1, dtype=np.int32)  # the last is that of a null
    number_of[order] = np.arange(len(order))
    if missing is not None and len(codes) and int(codes.min()) < 0:
        if missing not in kept:
            kept.append(missing)
        number_of[-1] = kept.index(missing)
    return pd.Series(pd.Categorical.from_codes(number_of[codes], kept))


def number(values: pa.Array) -> pd.Series:
    """Values as float32, NaN where not known."""
    found = pc.cast(values, pa.float32(), safe=False)
    return pd.Series(pc.fill_null(found, float("nan")).to_numpy(zero_copy_only=False))


def greatest_of_each(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Greatest value of each list of numbers; null of an empty one or none."""
    found = []
    for chunk in lists.chunks:
        lengths = pc.fill_null(pc.list_value_length(chunk), 0).to_numpy()
        flat = chunk.flatten().to_numpy(zero_copy_only=False)
        greatest = np.full(len(chunk), np.nan, dtype=np.float32)
        some = lengths > 0
        if some.any():
            starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])[some]
            greatest[some] = np.maximum.reduceat(flat, starts)
        found.append(pa.array(greatest, mask=~some))
    return pa.chunked_array(found, pa.float32())


def at(values: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Values at places; 0 at one that is out of range."""
    inside = (places >= 0) & (places < len(values))
    found: npt.NDArray[np.int64] = np.where(inside, values[np.where(inside, places, 0)], 0)
    return found
