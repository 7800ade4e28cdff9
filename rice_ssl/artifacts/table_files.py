"""Where the files of a table lie: one Parquet file, or a folder of parts that is written whole or not at all.

A table of many rows is a folder named as its file without ``.parquet`` (``embeddings/part-00000.parquet``, ...), which
DuckDB, Spark or Ray read as it is. A write puts the new form beside the former, notes its hashes in ``run.json``, and
only then removes the former. So, when it is killed in between, both lie there, and the noted hashes tell which holds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

ROWS_IN_PART = 250_000


def folder_of(path: Path) -> Path:
    """Folder that holds the parts of a table whose single file ``path`` would be."""
    return path.with_suffix("")


def _former(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.former")


def part_name(number: int) -> str:
    """Name of a part within its folder."""
    return f"part-{number:05d}.parquet"


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def is_of_table(name: str, file: str) -> bool:
    """Whether a noted name is that of the table's single file, or of one of its parts."""
    return name == file or (file.endswith(".parquet") and name.startswith(f"{file.removesuffix('.parquet')}/part-"))


def standing_files(root: Path, file: str, hashes: Callable[[], Mapping[str, Any]]) -> dict[str, Path]:
    """Files of a table by the names under which hashes are noted, in order of rows; empty where it is not there.

    Args:
        root: the run directory.
        file: of the table, when it is a single one.
        hashes: gives those of ``run.json``; asked only where a killed write left two forms of the table.
    """
    path, folder = root / file, folder_of(root / file)
    forms = []
    for place in (folder, _former(folder)):
        if parts := _parts(place):
            forms.append({(folder / part.name).relative_to(root).as_posix(): part for part in parts})
    if path.is_file():
        forms.append({file: path})
    if len(forms) < 2:
        return forms[0] if forms else {}
    noted = hashes()
    known = {name for name in noted if is_of_table(name, file)}
    holds = (form for form in forms if set(form) == known and all(_as_noted(p, noted[n]) for n, p in form.items()))
    return next(holds, forms[0])


def _as_noted(path: Path, entry: Any) -> bool:
    return isinstance(entry, Mapping) and path.stat().st_size == entry.get("bytes")


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to write parts to; on success it takes the name ``folder``.

    The former folder of that name is set aside until :func:`remove_former`. What a killed write left goes first: only
    one process writes to a run at a time.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}.*.parts"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.parts")
    temporary.mkdir()
    try:
        yield temporary
        if folder.exists():
            remove_former(folder)
            os.replace(folder, _former(folder))
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_former(folder: Path) -> None:
    """Remove the folder that :func:`new_folder` set aside."""
    _remove(_former(folder))


def remove_folder(folder: Path) -> None:
    """Remove the parts of a table, and those that were set aside; a folder that holds none is left alone."""
    remove_former(folder)
    if _parts(folder):
        _remove(folder)


def _remove(folder: Path) -> None:
    """Take a folder away under a name that no reader looks at, so that nobody sees it half gone."""
    if folder.is_dir():
        away = folder.with_name(f".{folder.name.strip('.')}.{uuid.uuid4().hex[:8]}.parts")
        os.replace(folder, away)
        shutil.rmtree(away, ignore_errors=True)
