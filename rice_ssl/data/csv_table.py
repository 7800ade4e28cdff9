"""Small CSV tables as people write them: read as text, with one clear sentence when they cannot be."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rice_ssl.errors import InputError

MAX_BYTES = 256 * 1024 * 1024


def read_csv_table(path: Path, required: Sequence[str]) -> pd.DataFrame:
    """Read a CSV whose first line names its columns.

    Args:
        path: the file; UTF-8, with or without a byte-order mark; separated by comma, semicolon or tab.
        required: columns that must be there, whatever their case.

    Returns:
        Text columns, stripped; blank lines are left out; required columns are named as asked for.

    Raises:
        InputError: missing, too large, no text, empty, or without a required column.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: put a CSV with the columns {', '.join(required)} there.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes, more than {MAX_BYTES:,}: give a smaller CSV.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: save it as a UTF-8 CSV.") from None
    if "\0" in text or not text.strip():
        raise InputError(f"{path} {'is empty' if not text.strip() else 'is no text file'}: give a CSV with a header.")
    header = text.lstrip().splitlines()[0]
    separator = max(",;\t", key=header.count)
    try:
        frame = pd.read_csv(
            io.StringIO(text), sep=separator, dtype=str, skip_blank_lines=True, keep_default_na=False, quoting=csv.QUOTE_MINIMAL
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise InputError(f"{path} cannot be read as CSV ({str(error).splitlines()[0]}): correct it.") from None
    frame.columns = [str(column).strip() for column in frame.columns]
    by_case = {column.lower(): column for column in frame.columns}
    for name in required:
        if name.lower() not in by_case:
            raise InputError(f"{path} lacks the column {name!r} (it has {', '.join(frame.columns)}): add or rename it.")
    frame = frame.rename(columns={by_case[name.lower()]: name for name in required})
    return frame.apply(lambda column: column.str.strip())
