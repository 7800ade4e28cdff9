"""A CSV file of any program as a table: encodings, separators, decimal commas, cells that are no numbers."""

from __future__ import annotations

import codecs
import io
import re
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd

from rice_ssl.dynamics.log_size import refuse_too_many_cells
from rice_ssl.errors import InputError

_PART_BYTES = 2**24


def read_frame(content: bytes, source: str) -> tuple[pd.DataFrame, list[str]]:
    """Table of a CSV in UTF-8 or UTF-16, separated by comma, semicolon or tab, and notes on what was done to it.

    Args:
        content: the file's bytes.
        source: its name, for messages.

    Raises:
        InputError: empty, binary, one column only, no CSV, or fewer than two rows.
    """
    return _frame(utf8(content, source), source)


def numbers_of(column: pd.Series) -> tuple[pd.Series, int]:
    """Numbers of a column (blank and unreadable cells as NaN), and how many cells were written but are no number."""
    if pd.api.types.is_bool_dtype(column):
        return pd.Series(np.nan, index=column.index), len(column)
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    finite = np.isfinite(numbers.to_numpy())
    if finite.all():
        return numbers, 0
    odd = column[~finite]
    blank = odd.isna()
    if not pd.api.types.is_numeric_dtype(odd):
        blank = blank | (odd.astype(str).str.strip() == "")
    return numbers.where(finite), int((~blank).sum())


def listed(frame: pd.DataFrame) -> str:
    """The first columns' names, for a message."""
    shown = ", ".join(repr(str(column)[:40]) for column in frame.columns[:12])
    return shown + (", …" if len(frame.columns) > 12 else "")


def utf8(content: bytes, source: str) -> bytes:
    """A file's text in UTF-8, without a mark; the file may be in UTF-16, with or without its mark.

    Raises:
        InputError: empty, or no text.
    """
    head = content[:4096]
    if not head.strip() and not content.strip():
        raise InputError(f"{source} is empty. Give a CSV with a step or epoch column and at least two rows.")
    encoding = "utf-8"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif len(head) > 1 and not any(head[1::2]):
        encoding = "utf-16-le"
    elif len(head) > 1 and not any(head[0::2]):
        encoding = "utf-16-be"
    try:
        parts = [part.encode() if encoding != "utf-8" else b"" for part in _decoded(content, encoding)]
    except UnicodeError:
        parts = [b"\0"]
    text = content if encoding == "utf-8" and parts != [b"\0"] else b"".join(parts)
    if any(letter < 9 or 13 < letter < 32 for letter in text[:4096]) or b"\0" in text:
        raise InputError(f"{source} is not text in UTF-8 or UTF-16, so it is no CSV. Export the log as CSV in UTF-8.")
    return text.removeprefix(b"\xef\xbb\xbf")


def _decoded(content: bytes, encoding: str) -> Iterator[str]:
    """Text of a file in parts, as one letter beyond ASCII makes a whole text of it up to four times as large."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(content), _PART_BYTES):
        yield decoder.decode(content[start : start + _PART_BYTES])
    yield decoder.decode(b"", final=True)


def _frame(text: bytes, source: str) -> tuple[pd.DataFrame, list[str]]:
    head, _, rest = text[: 2**20].lstrip(b"\r\n").decode(errors="replace").partition("\n")
    separator = max(",;\t", key=head.count)
    if not head.count(separator):
        raise InputError(
            f"{source} has one column only ({head.strip()[:40]!r}){_other_separator(head)}: separate the columns by "
            "comma, semicolon or tab, with a step or epoch column among them."
        )
    refuse_too_many_cells(source, text.count(b"\n") + 1, head.count(separator) + 1)
    decimal = "."
    if separator == ";":
        decimal = "," if re.search(r"\d,\d", rest.partition("\n")[0][:4096]) else "."
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.BytesIO(text),
                sep=separator,
                decimal=decimal,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
                on_bad_lines="skip",
                skipinitialspace=True,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise InputError(f"{source} cannot be read as CSV ({' '.join(str(error).split())}).") from None
    frame.columns = pd.Index(_different([str(column).strip() for column in frame.columns]))
    if len(frame) < 2:
        raise InputError(
            f"{source} holds {len(frame)} row{'' if len(frame) == 1 else 's'} below its header: "
            "a curve needs at least two."
        )
    notes = []
    lost = _lines_below_header(text, len(frame)) - len(frame)
    if lost > 0 and b'"' not in text:
        notes.append(f"{lost:,} row{'' if lost == 1 else 's'} left out: more cells than the header has columns.")
    if any(issubclass(one.category, pd.errors.ParserWarning) for one in warned):
        notes.append("Every row has more cells than the header has columns: the last ones were left out.")
    if decimal == ",":
        notes.append("Numbers were read with a decimal comma.")
    return frame, notes


def _other_separator(head: str) -> str:
    """What seems to separate the columns, where it is none that is read."""
    words = head.split()
    if "|" in head:
        return " and seems to be separated by '|'"
    return " and seems to be separated by spaces" if 1 < len(words) <= 20 else ""


def _different(names: list[str]) -> list[str]:
    """Names, of which a later one that is the same gets a number, as pandas gives it."""
    if len(set(names)) == len(names):
        return names
    taken = set(names)
    seen: set[str] = set()
    found = []
    for name in names:
        number, free = 1, name
        while free in seen or (free != name and free in taken):
            free, number = f"{name}.{number}", number + 1
        seen.add(free)
        found.append(free)
    return found


def _lines_below_header(text: bytes, expected: int) -> int:
    """Lines that are not blank, less the header; counted one by one only where there are not as many as expected."""
    ends = text.count(b"\n") + (not text.endswith(b"\n"))
    return expected if ends == expected + 1 else sum(1 for line in io.BytesIO(text) if line.strip()) - 1
