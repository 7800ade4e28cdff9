"""A CSV file of any program as a table: encodings, separators, decimal commas, cells that are no numbers."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd

from rice_ssl.errors import InputError


def read_frame(content: bytes, source: str) -> tuple[pd.DataFrame, list[str]]:
    """Table of a CSV in UTF-8 or UTF-16, separated by comma, semicolon or tab, and notes on what was done to it.

    Args:
        content: the file's bytes.
        source: its name, for messages.

    Raises:
        InputError: empty, binary, one column only, no CSV, or fewer than two rows.
    """
    return _frame(_decode(content, source), source)


def normal_name(name: str) -> str:
    """Lower case, with one underscore for whatever separates words."""
    lead = "_" if name.startswith("_") else ""
    return lead + re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def numbers_of(column: pd.Series) -> tuple[pd.Series, int]:
    """Numbers of a column (blank and unreadable cells as NaN), and how many cells were written but are no number."""
    if pd.api.types.is_bool_dtype(column):
        return pd.Series(np.nan, index=column.index), len(column)
    blank = column.isna()
    if not pd.api.types.is_numeric_dtype(column):
        blank = blank | (column.astype(str).str.strip() == "")
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    unusable = ~np.isfinite(numbers) & ~blank
    return numbers.where(np.isfinite(numbers)), int(unusable.sum())


def listed(frame: pd.DataFrame) -> str:
    """The first columns' names, for a message."""
    shown = ", ".join(repr(str(column)[:40]) for column in frame.columns[:12])
    return shown + (", …" if len(frame.columns) > 12 else "")


def _decode(content: bytes, source: str) -> str:
    """Text of a file: UTF-8, or UTF-16 with or without its mark."""
    if not content.strip():
        raise InputError(f"{source} is empty. Give a CSV with a step or epoch column and at least two rows.")
    head = content[:4096]
    encoding = "utf-8-sig"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif len(head) > 1 and not any(head[1::2]):
        encoding = "utf-16-le"
    elif len(head) > 1 and not any(head[0::2]):
        encoding = "utf-16-be"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if any(ord(letter) < 9 or 13 < ord(letter) < 32 for letter in text[:4096]) or "\0" in text:
        raise InputError(f"{source} is not text in UTF-8 or UTF-16, so it is no CSV. Export the log as CSV in UTF-8.")
    return text


def _frame(text: str, source: str) -> tuple[pd.DataFrame, list[str]]:
    lines = text.lstrip("\r\n").split("\n", 1)
    head = lines[0]
    separator = max(",;\t", key=head.count)
    if not head.count(separator):
        raise InputError(
            f"{source} has one column only ({head.strip()[:40]!r}): separate the columns by comma, semicolon or tab, "
            "with a step or epoch column among them."
        )
    decimal = "."
    if separator == ";" and len(lines) > 1:
        decimal = "," if re.search(r"\d,\d", lines[1][:4096]) else "."
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            decimal=decimal,
            index_col=False,
            keep_default_na=False,
            na_values=[""],
            on_bad_lines="skip",
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise InputError(f"{source} cannot be read as CSV ({' '.join(str(error).split())}).") from None
    frame.columns = pd.Index([str(column).strip() for column in frame.columns])
    if len(frame) < 2:
        raise InputError(
            f"{source} holds {len(frame)} row{'' if len(frame) == 1 else 's'} below its header: "
            "a curve needs at least two."
        )
    notes = []
    written = sum(1 for line in io.StringIO(text) if line.strip()) - 1
    if '"' not in text and written > len(frame):
        lost = written - len(frame)
        notes.append(f"{lost:,} row{'' if lost == 1 else 's'} left out: more cells than the header has columns.")
    if decimal == ",":
        notes.append("Numbers were read with a decimal comma.")
    return frame, notes
