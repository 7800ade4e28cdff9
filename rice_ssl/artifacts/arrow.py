"""Between frames, Arrow tables of the schema, and arrays of vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rice_ssl.artifacts.schema import Table
from rice_ssl.errors import ArtifactError

_ROWS_AT_ONCE = 65_536


def arrow_table(table: Table, frame: pd.DataFrame | pa.Table) -> pa.Table:
    """A frame as Arrow, with the types of the schema; columns that the schema does not know keep theirs.

    Raises:
        ArtifactError: a column of the schema is missing from ``frame``.
    """
    names = frame.column_names if isinstance(frame, pa.Table) else [str(column) for column in frame.columns]
    lacking = [column for column in table.columns if column not in names]
    if lacking:
        raise ArtifactError(f"Table {table.name!r} cannot be written: it lacks {', '.join(lacking)}.")
    if isinstance(frame, pa.Table):
        kinds = [table.columns.get(field.name, field.type) for field in frame.schema]
        return frame.cast(pa.schema(list(zip(names, kinds, strict=True))))
    return pa.table({str(column): _array(frame[column], table.columns.get(str(column))) for column in frame.columns})


def _array(values: pd.Series, kind: pa.DataType | None) -> pa.Array:
    if kind is not None and pa.types.is_list(kind):
        return pa.array([None if v is None else np.asarray(v) for v in values], type=kind)
    if isinstance(values.dtype, pd.CategoricalDtype):
        found = pa.array(values, from_pandas=True)
        return found.dictionary_decode() if kind is None else found.cast(kind)
    return pa.array(values, type=kind, from_pandas=True)


def pieces(frame: pd.DataFrame | pa.Table, rows: int) -> Iterator[pd.DataFrame | pa.Table]:
    """The frame in pieces of at most that many rows, in order; one empty piece of an empty frame."""
    for start in range(0, max(len(frame), 1), rows):
        yield frame.slice(start, rows) if isinstance(frame, pa.Table) else frame.iloc[start : start + rows]


def vector_array(vectors: npt.NDArray[np.floating[Any]]) -> pa.Array:
    """Vectors, shape (rows, D), as a column of lists of float32; not copied where they are float32 already."""
    flat = np.ascontiguousarray(vectors, dtype=np.float32).reshape(-1)
    offsets = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def read_vector_files(files: Iterable[Path], column: str) -> npt.NDArray[np.float32] | None:
    """A vector column of Parquet files as one array, shape (rows, D), filled piece by piece; None if all are null.

    Needs the array and one piece of 65,536 rows in memory, never the column twice.

    Raises:
        ValueError: the vectors differ in length, or some are null and others are not.
    """
    paths = list(files)
    count = sum(pq.read_metadata(path).num_rows for path in paths)
    found: npt.NDArray[np.float32] | None = None
    row = nulls = 0
    for path in paths:  # a mapped file would count as the process's memory, an open one keeps its pieces
        for batch in pq.ParquetFile(path).iter_batches(_ROWS_AT_ONCE, columns=[column], use_threads=False):
            piece = batch.column(0)
            nulls += piece.null_count
            if piece.null_count < len(piece):
                flat = piece.flatten().to_numpy(zero_copy_only=False)
                lengths = np.diff(piece.offsets.to_numpy())
                if found is None:
                    found = np.empty((count, int(lengths[0])), dtype=np.float32)
                if piece.null_count or (lengths != found.shape[1]).any():
                    raise ValueError(f"vectors of {column} differ in length")
                found[row : row + len(piece)] = flat.reshape(len(piece), -1)
            row += len(piece)
    if found is not None and nulls:
        raise ValueError(f"vectors of {column} differ in length")
    return found
