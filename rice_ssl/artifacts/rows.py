"""Look up rows of a table that is sorted by pair_id: row groups whose range holds none of the pairs are not read."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_KEY = "pair_id"


def rows_of_pairs(files: Sequence[Path], pair_ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Rows that are about some pairs, in the order of the files.

    Any table will do; of one that is sorted by pair_id, only the row groups that hold the pairs are read.

    Args:
        files: Parquet files, at least one.
        pair_ids: of the pairs; those that are not there are passed over.
        columns: to read, without or with pair_id.
    """
    wanted = pa.array(sorted(set(pair_ids)), pa.string())
    texts = np.asarray(wanted.to_pylist(), dtype=object)
    found = []
    for path in files:
        state = path.stat()
        lows, highs = _ranges(path, state.st_mtime_ns, state.st_size)
        # how many of the wanted lie below each group's lowest, and up to its highest
        groups = np.flatnonzero(np.searchsorted(texts, highs, "right") > np.searchsorted(texts, lows, "left"))
        if not len(groups):
            continue
        opened = pq.ParquetFile(path, memory_map=True)
        for group in groups:
            keys = opened.read_row_group(int(group), columns=[_KEY]).column(_KEY)
            rows = np.flatnonzero(pc.is_in(keys, value_set=wanted).to_numpy(zero_copy_only=False))
            if len(rows):
                found.append(opened.read_row_group(int(group), columns=list(columns)).take(pa.array(rows)))
    return pa.concat_tables(found) if found else pq.read_schema(files[0]).empty_table().select(list(columns))


@functools.lru_cache(maxsize=256)
def _ranges(path: Path, mtime_ns: int, size: int) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Lowest and highest pair_id of each row group; an empty text and the last of all where they are not noted."""
    metadata = pq.read_metadata(path)
    column = metadata.schema.names.index(_KEY)
    bounds = [metadata.row_group(k).column(column).statistics for k in range(metadata.num_row_groups)]
    noted = [b is not None and b.has_min_max for b in bounds]
    lows = [b.min if known else "" for b, known in zip(bounds, noted, strict=True)]
    highs = [b.max if known else "\U0010ffff" for b, known in zip(bounds, noted, strict=True)]
    return np.asarray(lows, dtype=object), np.asarray(highs, dtype=object)
