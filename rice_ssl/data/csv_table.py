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
        path: the file; UTF-8, with or without a byte-order mark; separated by comma, semicolon or tab; any line ends.
        required: columns that must be there, whatever their case.

    Returns:
        Text columns, stripped, the required ones named as asked for; lines without any value are left out, and values
        that a short line lacks are "".

    Raises:
        InputError: missing, too large, no text, empty, two columns of one name, a line longer than the header, or
            without a required column.
    """
    wanted = ", ".join(required)
    if not path.is_file():
        raise InputError(f"{path} is missing: put a CSV with the columns {wanted} there.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes, more than {MAX_BYTES:,}: give a smaller CSV.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: save it as a UTF-8 CSV with the columns {wanted}.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the file.") from None
    if not text.strip():
        raise InputError(f"{path} is empty: give a CSV with the columns {wanted}.")
    if "\0" in text:
        raise InputError(f"{path} is no text file: give a CSV with the columns {wanted}.")
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip()
    separator = max(",;\t", key=text.split("\n", 1)[0].count)
    try:
        lines = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as CSV ({error}): correct it.") from None
    header = [name.strip() for name in lines[0]]
    by_case = {name.lower(): place for place, name in enumerate(header)}
    shown = ", ".join(name[:40] for name in header[:8])
    for name in required:
        if name.lower() not in by_case:
            raise InputError(f"{path} lacks the column {name!r} (its first line is: {shown}): add or rename it.")
    if len(by_case) < len(header):
        raise InputError(f"{path} has two columns of one name (its first line is: {shown}): rename one.")
    for name in required:
        header[by_case[name.lower()]] = name
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        values = [value.strip() for value in line]
        if len(values) > len(header) and any(values[len(header) :]):
            raise InputError(
                f"{path} has {len(values)} values in row {number}, but {len(header)} columns: correct that row."
            )
        if any(values):
            rows.append([*values, *[""] * len(header)][: len(header)])
    return pd.DataFrame(rows, columns=header, dtype="object")
