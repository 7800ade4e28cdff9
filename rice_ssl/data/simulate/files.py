"""Files of one simulated pair: pictures, masks and its row of the truth, each written whole or not at all."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Final

from PIL import Image

from rice_ssl.data.simulate.pair import SENSORS, SUFFIXES, PairPlan, draw_pair

IMAGES: Final = "Images"
MASKS: Final = "masks"
#: Rows of finished pairs, kept until truth.csv holds them all.
ROWS: Final = ".pairs"
JPEG_QUALITY: Final = 88

TruthRow = dict[str, str | int | float]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name beside it, then rename it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)


def pair_files(folder: Path, pair_id: str) -> tuple[Path, ...]:
    """Name the pictures and masks of a pair: for each sensor its JPEG, leaf mask and lesion mask."""
    paths: list[Path] = []
    for sensor in SENSORS:
        stem = f"{pair_id}{SUFFIXES[sensor]}"
        paths += [
            folder / IMAGES / f"{stem}.jpg",
            folder / MASKS / f"{stem}_leaf.png",
            folder / MASKS / f"{stem}_lesion.png",
        ]
    return tuple(paths)


def _encoded(image: Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    if kind == "JPEG":
        image.save(stream, kind, quality=JPEG_QUALITY)
    else:
        image.save(stream, kind, compress_level=4)
    return stream.getvalue()


def write_pair(folder: Path, seed: int, plan: PairPlan) -> str:
    """Draw a pair and write its files, the truth row last: a pair with a row is complete.

    Args:
        folder: the data set's folder; its sub-folders exist.
        seed: the data set's seed.
        plan: the pair.

    Returns:
        The pair's id.
    """
    pictures, row = draw_pair(seed, plan)
    paths = iter(pair_files(folder, plan.pair_id))
    for sensor in SENSORS:
        picture = pictures[sensor]
        write_whole(next(paths), _encoded(Image.fromarray(picture.image), "JPEG"))
        for mask in (picture.leaf, picture.lesion):
            write_whole(next(paths), _encoded(Image.fromarray(mask.astype("uint8") * 255), "PNG"))
    write_whole(folder / ROWS / f"{plan.pair_id}.json", json.dumps(row).encode())
    return plan.pair_id


def read_row(folder: Path, pair_id: str) -> TruthRow | None:
    """Read a finished pair's row; None where the pair is not finished."""
    try:
        row: TruthRow = json.loads((folder / ROWS / f"{pair_id}.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return row
