"""Look at every image file once: is it there, is it whole, how large is it, and what does it look like."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rice_ssl.data.duplicates import THUMBNAIL, fingerprint
from rice_ssl.data.image_file import decode_image
from rice_ssl.data.threads import map_images
from rice_ssl.errors import InputError


@dataclass(frozen=True)
class Inspection:
    """What a file is.

    Attributes:
        width: in pixels, upright; 0 where the file has a fault.
        height: likewise.
        sha256: of the file's bytes.
        phash: 64-bit perceptual hash.
        thumbnail: uint8, shape (16, 16, 3).
        fault: kind of finding and a sentence, or None for a good file.
    """

    width: int
    height: int
    sha256: str
    phash: int
    thumbnail: npt.NDArray[np.uint8]
    fault: tuple[str, str] | None = None


def inspect_images(root: Path, paths: Sequence[str], *, progress: bool) -> list[Inspection]:
    """Inspect files, given relative to the folder ``root``; a file with a fault is told, never raised."""
    base = root.resolve()
    return map_images(lambda name: _inspect(root, base, name), paths, description="import", progress=progress)


def _inspect(root: Path, base: Path, name: str) -> Inspection:
    path = root / name
    try:
        if not path.is_file():
            return _faulty("missing_file", f"{name} is listed, but there is no such file.")
        if not path.resolve().is_relative_to(base):
            return _faulty("unsafe_path", f"{name} leads out of the folder through a link; it was not read.")
        content = path.read_bytes()
        image = decode_image(content, name)
    except (OSError, RuntimeError) as error:
        return _faulty("unreadable", f"{name} cannot be read ({error}).")
    except InputError as error:
        return _faulty("unreadable", str(error))
    phash, thumbnail = fingerprint(image)
    return Inspection(image.width, image.height, hashlib.sha256(content).hexdigest(), phash, thumbnail)


def _faulty(kind: str, detail: str) -> Inspection:
    return Inspection(0, 0, "", 0, np.zeros((THUMBNAIL, THUMBNAIL, 3), dtype=np.uint8), (kind, detail))
