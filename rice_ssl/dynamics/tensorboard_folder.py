"""Event files within a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from rice_ssl.dynamics.log_size import MAX_BYTES, read_bytes, refuse_too_large
from rice_ssl.errors import InputError

MARK = "tfevents"
MAX_FILES = 1000
MAX_ENTRIES = 100_000
"""A folder with more than that within it is not searched to its end."""


def holds_event_files(folder: Path) -> bool:
    """Whether a folder, or one within it, holds an event file."""
    return next(_event_files(folder), None) is not None


def read_event_folder(folder: Path, max_bytes: int = MAX_BYTES) -> list[tuple[str, str, bytes]]:
    """Folder, name and bytes of each event file within a folder.

    Args:
        folder: as Keras writes it, with event files in ``train`` and ``validation``, or any other.
        max_bytes: of all files together.

    Raises:
        InputError: no event file, too many, too large, or one may not be read.
    """
    files = sorted(_event_files(folder))
    if not files:
        other = next((p.name for p in sorted(folder.glob("*")) if p.suffix in {".csv", ".jsonl", ".json"}), None)
        raise InputError(
            f"{folder} is a folder without TensorBoard event files: give "
            + (f"a log in it, such as {folder / other}." if other else "the path of a log, or the folder of one.")
        )
    if len(files) > MAX_FILES:
        raise InputError(
            f"{folder} holds more than {MAX_FILES:,} event files: give the folder of one run, or one of its files."
        )
    refuse_too_large(f"{folder} with its {len(files):,} event files", _size(files), max_bytes)
    return [(path.parent.relative_to(folder).as_posix(), path.name, read_bytes(path, max_bytes)) for path in files]


def _size(files: list[Path]) -> int:
    try:
        return sum(path.stat().st_size for path in files)
    except OSError as error:
        raise InputError(
            f"Log {error.filename} cannot be read ({error.strerror or error}). Give the path of a log."
        ) from None


def _event_files(folder: Path) -> Iterator[Path]:
    """Event files within a folder; links to other folders are not followed."""
    entries = 0
    for place, _, names in os.walk(folder):
        entries += 1 + len(names)
        for name in names:
            path = Path(place, name)
            if MARK in name and path.is_file():
                yield path
        if entries > MAX_ENTRIES:
            return
