"""Images decoded once, at one size, and kept in a memory-mapped file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.artifacts import atomic_path, locked
from rice_ssl.data.image_file import decode_image, read_image_file
from rice_ssl.data.threads import map_images
from rice_ssl.errors import InputError

_DECODER = 2  # raise when the same file would decode to other values, so that older caches are made anew
_FLUSH_EVERY = 512  # images between two notes of what is done


@dataclass(frozen=True)
class ImageCache:
    """Decoded images.

    Attributes:
        images: uint8, shape (N, H, W, 3), memory-mapped; row k is the manifest's row k; a faulty file's row is zero.
        faults: manifest row -> pair, sensor and why its file could not be decoded.
    """

    images: npt.NDArray[np.uint8]
    faults: dict[int, str]


def build_cache(
    table: pd.DataFrame, root: Path, size: tuple[int, int], folder: Path, *, progress: bool = True
) -> ImageCache:
    """Decode every image of a manifest, or take what an earlier call decoded.

    A killed call is taken up where it stopped, and files that had a fault are tried again. Several processes may ask
    for one cache at the same time: one decodes, the others wait for it.

    Args:
        table: the manifest, columns pair_id, sensor, path, sha256.
        root: what its paths are relative to.
        size: height and width in pixels; images are resized to it, whatever their aspect.
        folder: where the cache is kept; it can be deleted at any time.
        progress: whether to show a progress bar.

    Returns:
        The cache. A file that is missing, damaged or was changed after the import (its SHA-256 differs) is a fault.

    Raises:
        InputError: not one image could be decoded.
    """
    height, width = size
    key = hashlib.sha256("\n".join([f"{_DECODER} {height}x{width}", *table["sha256"]]).encode()).hexdigest()[:16]
    path = folder / f"images-{height}x{width}-{key}.npy"
    shape = (len(table), height, width, 3)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(path.with_suffix(".lock"), wait=True):
        ready = _read(path, shape)
        if ready is None:
            faults = _decode(table, root, shape, path, progress=progress)
            if len(table) and len(faults) == len(table):
                path.unlink()
                raise InputError(
                    f"No image of {root} can be decoded; the first: {faults[0]} Is the data folder in its place?"
                )
            _write_note(path, size, faults)
            ready = ImageCache(np.load(path, mmap_mode="r", allow_pickle=False), faults)
        elif ready.faults:
            ready = _retry(ready, table, root, size, path, progress=progress)
    return ready


def _write_note(path: Path, size: tuple[int, int], faults: dict[int, str]) -> None:
    """Write what a cache lacks beside it: with this note it is finished."""
    with atomic_path(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({"size": list(size), "faults": faults}), encoding="utf-8")


def _retry(
    cache: ImageCache, table: pd.DataFrame, root: Path, size: tuple[int, int], path: Path, *, progress: bool
) -> ImageCache:
    """Read the files that had a fault once more: a disk or a network may have been away.

    A row is on disk before the note ceases to call it faulty; a call killed in between leaves it to the next.
    """
    files, faults = _Files(table, root, size), dict(cache.faults)
    images: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r+", allow_pickle=False)

    def decode(row: int) -> None:
        try:
            images[row] = files.picture(row)
            del faults[row]
        except InputError as error:
            images[row] = 0
            faults[row] = files.fault(row, error)

    rows = [row for row in faults if 0 <= row < len(table)]
    map_images(decode, rows, description="retry", progress=progress)
    if faults != cache.faults:
        if isinstance(images, np.memmap):
            images.flush()
        _write_note(path, size, faults)
    return ImageCache(np.load(path, mmap_mode="r", allow_pickle=False), faults)


class _Files:
    """The image files of a manifest: each decoded to one size, if it is the file that was imported."""

    def __init__(self, table: pd.DataFrame, root: Path, size: tuple[int, int]) -> None:
        self.root, self.size = root, size
        self.columns = [table[name].tolist() for name in ("pair_id", "sensor", "path", "sha256")]

    def picture(self, row: int) -> npt.NDArray[np.uint8]:
        """Decode a row's file, shape (H, W, 3); an InputError says why that cannot be."""
        _, _, name, sha256 = (column[row] for column in self.columns)
        content = read_image_file(self.root / name, name)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(f"{name} was changed after the import: import the folder again.")
        return np.asarray(decode_image(content, name, size=self.size))

    def fault(self, row: int, error: InputError) -> str:
        """What to note of a row that could not be decoded."""
        return f"{self.columns[0][row]} ({self.columns[1][row]}): {error}"


def _decode(
    table: pd.DataFrame, root: Path, shape: tuple[int, int, int, int], path: Path, *, progress: bool
) -> dict[int, str]:
    """Fill the cache file; the faults by row."""
    part, note = path.with_suffix(".part"), path.with_suffix(".done")
    images, done = _resume(part, note, shape)
    faults: dict[int, str] = {}
    files = _Files(table, root, (shape[1], shape[2]))

    def decode(row: int) -> None:
        try:
            images[row] = files.picture(row)
            done[row] = True
        except InputError as error:
            faults[row] = files.fault(row, error)
        if row % _FLUSH_EVERY == _FLUSH_EVERY - 1:
            keep()

    def keep() -> None:
        known = done.copy()  # taken before the flush: what it marks is on disk when the note is
        if isinstance(images, np.memmap):
            images.flush()
        with atomic_path(note) as temporary, temporary.open("wb") as stream:
            np.save(stream, known, allow_pickle=False)

    try:
        map_images(decode, np.flatnonzero(~done).tolist(), description="decode", progress=progress)
    finally:
        keep()
    os.replace(part, path)
    note.unlink(missing_ok=True)
    return dict(sorted(faults.items()))


def _resume(
    part: Path, note: Path, shape: tuple[int, int, int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The unfinished file and which of its rows are done; new ones where there are none, or they do not fit."""
    with contextlib.suppress(OSError, ValueError, EOFError):
        done = np.load(note, allow_pickle=False)
        images = np.load(part, mmap_mode="r+", allow_pickle=False)
        if images.shape == shape and images.dtype == np.uint8 and done.shape == shape[:1] and done.dtype == bool:
            return images, done
    note.unlink(missing_ok=True)
    if shape[0] == 0:  # an empty file cannot be mapped
        with part.open("wb") as stream:
            np.save(stream, np.zeros(shape, dtype=np.uint8), allow_pickle=False)
        return np.zeros(shape, dtype=np.uint8), np.zeros(0, dtype=bool)
    return np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape), np.zeros(shape[0], dtype=bool)


def _read(path: Path, shape: tuple[int, int, int, int]) -> ImageCache | None:
    """A finished cache; None where there is none, or it is damaged."""
    try:
        notes = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        faults = {int(row): str(why) for row, why in notes["faults"].items()}
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None
    return ImageCache(images, faults) if images.shape == shape and images.dtype == np.uint8 else None


def pair_rows(table: pd.DataFrame, sensors: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Manifest rows of each pair.

    Args:
        table: the manifest, or some of its rows with the index of the whole.
        sensors: names of S sensors.

    Returns:
        Ids of the P pairs in order of appearance, and rows, shape (P, S), -1 where a pair lacks that sensor's image.
    """
    ids = list(dict.fromkeys(table["pair_id"]))
    position = {pair_id: k for k, pair_id in enumerate(ids)}
    rows = np.full((len(ids), len(sensors)), -1, dtype=np.int64)
    for slot, sensor in enumerate(sensors):
        images = table[table["sensor"] == sensor]
        rows[[position[pair_id] for pair_id in images["pair_id"]], slot] = images.index.to_numpy()
    return ids, rows
