"""SQL over tables of a run, by DuckDB: filters and joins that read no more of the files than they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Nothing is fetched from elsewhere; Parquet is built in."""


def query_files(sql: str, files: Mapping[str, Sequence[Path]], parameters: Sequence[Any] = ()) -> pa.Table:
    """Ask one question of Parquet files.

    Args:
        sql: the question; the rows of a table keep their order as long as nothing in it changes that.
        files: name of a table in ``sql`` -> its parts, in order.
        parameters: values of the ``?`` in ``sql``; values never go into ``sql`` itself.

    Raises:
        duckdb.Error: the question is none, or a file cannot be read.
    """
    with duckdb.connect(config=_SETTINGS) as connection:
        for name, parts in files.items():
            connection.from_parquet([part.as_posix() for part in parts]).create_view(name)
        return connection.sql(sql, params=list(parameters)).to_arrow_table()
