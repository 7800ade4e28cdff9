"""Pictures decoded once, at one size, and kept in a memory-mapped file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from rice_ssl.artifacts import atomic_path
from rice_ssl.data.image_file import open_image
from rice_ssl.errors import InputError

_WORKERS = 2


@dataclass(frozen=True)
class ImageCache:
    """Decoded pictures.

    Attributes:
        images: uint8, shape (N, H, W, 3), memory-mapped; row k is the manifest's row k; a faulty file's row is zero.
        faults: manifest row -> why its file could not be decoded.
    """

    images: npt.NDArray[np.uint8]
    faults: dict[int, str]


def build_cache(
    table: pd.DataFrame, root: Path, size: tuple[int, int], folder: Path, *, progress: bool = True
) -> ImageCache:
    """Decode every picture of a manifest, or take what an earlier call decoded.

    Args:
        table: the manifest.
        root: what its paths are relative to.
        size: height and width in pixels; pictures are resized to it, whatever their aspect.
        folder: where the cache is kept; it can be deleted at any time.
        progress: whether to show a progress bar.

    Raises:
        InputError: not one picture could be decoded.
    """
    height, width = size
    key = hashlib.sha256("\n".join([f"{height}x{width}", *table["sha256"]]).encode()).hexdigest()[:16]
    path, notes = folder / f"images-{height}x{width}-{key}.npy", folder / f"images-{height}x{width}-{key}.json"
    if path.is_file() and notes.is_file():
        faults = {int(row): str(why) for row, why in json.loads(notes.read_text(encoding="utf-8")).items()}
        return ImageCache(np.load(path, mmap_mode="r", allow_pickle=False), faults)
    faults = {}
    with atomic_path(path) as temporary:
        images = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=(len(table), height, width, 3))

        def decode(row: int, name: str) -> None:
            try:
                images[row] = np.asarray(open_image(root / name, size=size))
            except InputError as error:
                faults[row] = str(error)

        with ThreadPoolExecutor(_WORKERS) as pool:
            work = pool.map(decode, range(len(table)), table["path"])
            for _ in tqdm(work, total=len(table), desc="decode", unit="image", disable=not progress):
                pass
        if len(table) and len(faults) == len(table):
            raise InputError(f"No picture of {root} can be decoded; the first: {faults[0]} Is the data folder in its place?")
        images.flush()
        del images
        with atomic_path(notes) as note:
            note.write_text(json.dumps(faults), encoding="utf-8")
    return ImageCache(np.load(path, mmap_mode="r", allow_pickle=False), faults)


def pair_rows(table: pd.DataFrame, sensors: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Manifest rows of each pair.

    Args:
        table: the manifest, or some of its rows with the index of the whole.
        sensors: names of S sensors.

    Returns:
        Ids of the P pairs in order of appearance, and rows, shape (P, S), -1 where a pair lacks that sensor's picture.
    """
    ids = list(dict.fromkeys(table["pair_id"]))
    position = {pair_id: k for k, pair_id in enumerate(ids)}
    rows = np.full((len(ids), len(sensors)), -1, dtype=np.int64)
    for slot, sensor in enumerate(sensors):
        images = table[table["sensor"] == sensor]
        rows[[position[pair_id] for pair_id in images["pair_id"]], slot] = images.index.to_numpy()
    return ids, rows
