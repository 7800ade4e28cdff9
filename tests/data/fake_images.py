"""Tiny folders of images in the layouts that the importers read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("blast", "brown", "healthy")


def picture(seed: int, size: tuple[int, int] = (20, 16)) -> Image.Image:
    """A picture of (width, height) that no other seed resembles: 4x4 random colours, scaled up."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def write_zindi(
    root: Path, *, train: int = 12, test: int = 4, sensors: tuple[str, ...] = ("", "_rgn"), folder: str = "Images"
) -> Path:
    """``train`` labelled and ``test`` unlabelled pairs; labels go round the three classes."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    rows, held_out = ["Image_id,Label"], ["Image_id"]
    for k in range(train + test):
        for place, suffix in enumerate(sensors):
            name = f"id_{k:03d}{suffix}.jpg"
            picture(1000 * place + k).save(root / folder / name, quality=95)
            if k < train:
                rows.append(f"{name},{CLASSES[k % 3]}")
            else:
                held_out.append(name)
    (root / "Train.csv").write_text("\n".join(rows) + "\n")
    (root / "Test.csv").write_text("\n".join(held_out) + "\n")
    sample = [f"id_{k:03d}.jpg,0,0,0" for k in range(train, train + test)]
    (root / "SampleSubmission.csv").write_text("\n".join(["Image_id,blast,brown,healthy", *sample]) + "\n")
    return root


def append(path: Path, *lines: str) -> None:
    with path.open("a") as stream:
        stream.write("".join(f"{line}\n" for line in lines))


def truncate(path: Path, share: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def bomb_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of some bytes whose header promises 3.6 gigapixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )
