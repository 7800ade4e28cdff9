"""A log of JSON lines, one object a line, as a table: nested keys joined by a slash, numbers that are none told apart.

Lines are read in pieces by pyarrow. A piece that it refuses (a line that is no JSON, a number where others have text)
or that would cost it much memory (many different keys, deep nesting) is read by Python's own reader, line by line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.json as pa_json

from rice_ssl.dynamics.log_size import refuse_too_many_cells
from rice_ssl.errors import InputError

PIECE_BYTES = 384 * 1024
MAX_KEYS = 5000
"""Most different keys of a log."""
MAX_DEPTH = 32
"""Objects deeper than that within others are left to Python's reader, which refuses what is too deep."""
_MAX_PIECE_CELLS = 2**27
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:')
_WORD = re.compile(rb':\s*"(?:nan|[+-]?inf(?:inity)?)"', re.IGNORECASE)
_NUMBER_WORDS = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}

Column = npt.NDArray[Any]


@dataclass(frozen=True)
class Piece:
    """Some lines: how many hold an object, their columns (float64, or objects where there is text), lines lost."""

    rows: int
    columns: dict[str, Column]
    lost: int = 0


def read_json_lines(content: bytes, source: str) -> tuple[pd.DataFrame, list[str]]:
    """Table of JSON lines, and notes on what of them could not be read.

    A value that is written but no finite number (``NaN``, ``"Infinity"``) is infinite in the table, a blank one NaN.
    Lists are left out.

    Args:
        content: the file's bytes, UTF-8.
        source: its name, for messages.

    Raises:
        InputError: no line is an object, fewer than two are, or there are too many keys.
    """
    pieces: list[Piece] = []
    keys: dict[str, None] = {}
    with ThreadPoolExecutor(2) as pool:  # pyarrow works outside the interpreter's lock
        for piece in pool.map(lambda span: _read_piece(content[span.start : span.stop]), _spans(content)):
            pieces.append(piece)
            keys.update(dict.fromkeys(piece.columns))
            if len(keys) > MAX_KEYS:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    _refuse_too_many_keys(source, len(keys))
    rows, lost = sum(piece.rows for piece in pieces), sum(piece.lost for piece in pieces)
    if not rows:
        raise InputError(
            f"{source} is no JSON log: none of its lines is a JSON object. "
            'Write one a line, such as {"step": 1, "loss": 2.5}.'
        )
    if rows < 2:
        raise InputError(f"{source} holds 1 row: a curve needs at least two.")
    refuse_too_many_cells(source, rows, len(keys))
    notes = [f"{lost:,} line{'' if lost == 1 else 's'} left out: no whole JSON object."] if lost else []
    return pd.DataFrame({key: _joined(pieces, key, rows) for key in keys}, copy=False), notes


def table_of_records(records: list[dict[str, Any]], source: str) -> pd.DataFrame:
    """Table of objects that were read already, as :func:`read_json_lines` makes it.

    Raises:
        InputError: too many keys.
    """
    flat = [_flat(record) for record in records]
    columns = dict.fromkeys(key for record in flat for key in record)
    _refuse_too_many_keys(source, len(columns))
    refuse_too_many_cells(source, len(flat), len(columns))
    return pd.DataFrame({key: _column([record.get(key) for record in flat]) for key in columns})


def _refuse_too_many_keys(source: str, count: int) -> None:
    if count > MAX_KEYS:
        raise InputError(
            f"{source} holds {count:,} different keys or more, and {MAX_KEYS:,} are read at most. "
            "Export the step and the losses alone."
        )


def _spans(content: bytes) -> Iterator[range]:
    """Where the content is cut, at ends of lines."""
    start = 0
    while start < len(content):
        end = content.rfind(b"\n", start, start + PIECE_BYTES) + 1
        if not end:  # a line longer than a piece
            end = content.find(b"\n", start) + 1 or len(content)
        yield range(start, end)
        start = end


def _read_piece(piece: bytes) -> Piece:
    if not _suits_arrow(piece):
        return _read_by_line(piece)
    found = _read_by_arrow(piece)
    if found is None or any(column.dtype == object for column in found.columns.values()):
        numbers = _WORD.sub(b":NaN", piece)  # "NaN" in quotes makes text of a column
        if numbers != piece:
            found = _read_by_arrow(numbers)
    return _read_by_line(piece) if found is None else found


def _read_by_arrow(piece: bytes) -> Piece | None:
    """Some lines as pyarrow reads them, None when it refuses."""
    options = pa_json.ReadOptions(use_threads=False, block_size=max(len(piece), 1))
    try:
        table = pa_json.read_json(pa.BufferReader(piece), read_options=options)
    except (pa.ArrowException, ValueError):
        return None
    found: dict[str, Column] = {}
    for name in table.column_names:
        _add_column(found, name, table.column(name).combine_chunks())
    return Piece(table.num_rows, found)


def _suits_arrow(piece: bytes) -> bool:
    """Whether its keys are few and its objects flat enough, and each line begins an object."""
    rows = piece.count(b"\n") + 1
    if piece.count(b"{") + piece.count(b"[") > rows and _depth(piece) > MAX_DEPTH:
        return False
    if rows * piece.count(b":") <= _MAX_PIECE_CELLS:
        return True
    return rows * len(set(_KEY.findall(piece))) <= _MAX_PIECE_CELLS // 8


def _depth(piece: bytes) -> int:
    """Upper bound of how deep its brackets go, as those in text count too."""
    letters = np.frombuffer(piece, np.uint8)
    opening = (letters == ord("{")) | (letters == ord("["))
    closing = (letters == ord("}")) | (letters == ord("]"))
    marks = np.flatnonzero(opening | closing)
    levels = np.cumsum(np.where(opening[marks], 1, -1))
    return int(levels.max() - min(levels.min(), 0)) if len(levels) else 0


def _add_column(found: dict[str, Column], name: str, values: pa.Array) -> None:
    """Put a column, or those of the objects within it, among those that were found."""
    kind = values.type
    if pa.types.is_struct(kind):
        for number, field in enumerate(kind):
            _add_column(found, f"{name}/{field.name}", values.field(number))
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        numbers = values.cast(pa.float64(), safe=False)
        blank = numbers.is_null().to_numpy(zero_copy_only=False)
        cells = np.array(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)
        cells[~np.isfinite(cells) & ~blank] = np.inf
        found[name] = cells
    elif pa.types.is_string(kind):
        found[name] = values.to_numpy(zero_copy_only=False)
    elif pa.types.is_timestamp(kind):  # text that looks like a date
        found[name] = values.cast(pa.string()).to_numpy(zero_copy_only=False)


def _read_by_line(piece: bytes) -> Piece:
    records: list[dict[str, Any]] = []
    lost = 0
    keys: dict[str, None] = {}
    for line in piece.split(b"\n"):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            flat = _flat(record) if isinstance(record, dict) else None
        except (ValueError, RecursionError):
            flat = None
        if flat is None:
            lost += 1
            continue
        keys.update(dict.fromkeys(flat))
        records.append(flat)
    if len(keys) > MAX_KEYS or len(records) * len(keys) > _MAX_PIECE_CELLS:
        return Piece(len(records), {key: np.empty(0, np.float64) for key in keys}, lost)  # refused by their count
    return Piece(len(records), {key: _column([record.get(key) for record in records]) for key in keys}, lost)


def _flat(record: dict[str, Any], before: str = "", depth: int = 0) -> dict[str, float | str]:
    """Numbers and text of an object by key; keys of an object within it follow its own, after a slash."""
    found: dict[str, float | str] = {}
    for key, value in record.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and depth < MAX_DEPTH:
            found.update(_flat(value, f"{name}/", depth + 1))
        elif isinstance(value, str):
            found[name] = float("inf") if value.strip().lower() in _NUMBER_WORDS else value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = _finite_or_inf(value)
    return found


def _finite_or_inf(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        return float("inf")
    return number if np.isfinite(number) else float("inf")


def _column(cells: list[Any], *, text: bool = False) -> Column:
    """Floats with NaN where blank, or objects with None where there is text."""
    if text or any(isinstance(cell, str) for cell in cells):
        return np.array(cells, dtype=object)
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)


def _joined(pieces: list[Piece], key: str, rows: int) -> Column:
    """A column of all pieces, blank where a piece does not have it."""
    text = any(piece.columns[key].dtype == object for piece in pieces if key in piece.columns)
    whole = np.full(rows, None, dtype=object) if text else np.full(rows, np.nan)
    start = 0
    for piece in pieces:
        if key in piece.columns:
            cells = piece.columns[key]
            if text and cells.dtype != object:
                cells = _column([None if np.isnan(cell) else cell for cell in cells], text=True)
            whole[start : start + piece.rows] = cells
        start += piece.rows
    return whole
