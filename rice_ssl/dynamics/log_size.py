"""How large a log may be, and the bytes of one on disk."""

from __future__ import annotations

from pathlib import Path

from rice_ssl.errors import InputError

MAX_BYTES = 2**30
"""Largest log that is read: about 20 million rows of three columns."""
MAX_CELLS = 250_000_000
"""Most cells of a table, 8 bytes each: rows times columns, those that are blank included."""
HEAD_BYTES = 2**22
"""As much of a large file is looked at first, to refuse quickly what is no log."""


def read_bytes(path: Path, max_bytes: int = MAX_BYTES, *, limit: int = -1) -> bytes:
    """Bytes of a file.

    Args:
        path: of the file.
        max_bytes: largest file that is read.
        limit: as many bytes as are wanted, all when negative.

    Raises:
        InputError: no file, too large, or it may not be read.
    """
    try:
        if not path.is_file():
            if not path.exists():
                raise InputError(f"Log {path} cannot be read (No such file or directory). Give the path of a log.")
            raise InputError(f"{path} is not a file. Give the path of a log.")
        refuse_too_large(str(path), path.stat().st_size, max_bytes)
        with path.open("rb") as file:
            return file.read(limit)
    except OSError as error:
        raise InputError(
            f"Log {path} cannot be read ({error.strerror or error}). Give the path of a log that you may read."
        ) from None


def refuse_too_large(source: str, size: int, max_bytes: int) -> None:
    """Refuse a log of more bytes than are read.

    Raises:
        InputError: it has more.
    """
    if size > max_bytes:
        raise InputError(
            f"{source} is {size / 2**20:,.0f} MB, more than the {max_bytes / 2**20:,.0f} MB that are read. "
            "Give a log with fewer columns, or every tenth row of it."
        )


def refuse_too_many_cells(source: str, rows: int, columns: int) -> None:
    """Refuse a table that would not fit in memory.

    Raises:
        InputError: it has more cells than are read.
    """
    if rows * columns > MAX_CELLS:
        raise InputError(
            f"{source} holds {columns:,} columns in {rows:,} rows, {rows * columns:,} cells, more than the "
            f"{MAX_CELLS:,} that are read. Give a log with fewer columns, or every tenth row of it."
        )
