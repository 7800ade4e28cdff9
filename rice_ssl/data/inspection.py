"""Look at every image file once: is it there, is it whole, how large is it, and what does it look like."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rice_ssl.data.duplicates import THUMBNAIL, fingerprint
from rice_ssl.data.image_file import decode_image, read_image_file
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


def inspect_images(
    root: Path, paths: Sequence[str], *, folders: Sequence[str] = (), progress: bool
) -> list[Inspection]:
    """Inspect files; a file with a fault is told, never raised.

    Args:
        root: folder of the images.
        paths: of the files, relative to ``root``. A file that a link takes out of ``root`` is not read.
        folders: folders below ``root`` that the user chose; where one is itself a link, its target counts as inside.
        progress: whether to show a progress bar.
    """
    bases = tuple(dict.fromkeys([root.resolve(), *((root / folder).resolve() for folder in folders)]))
    return map_images(lambda name: _inspect(root, bases, name), paths, description="import", progress=progress)


def _inspect(root: Path, bases: Sequence[Path], name: str) -> Inspection:
    path = root / name
    try:
        if not path.is_file():
            return _faulty("missing_file", f"{name} is listed, but there is no such file.")
        resolved = path.resolve()
        if not any(resolved.is_relative_to(base) for base in bases):
            return _faulty("unsafe_path", f"{name} leads out of the folder through a link; it was not read.")
        content = read_image_file(path, name)
        image = decode_image(content, name)
    except (OSError, RuntimeError) as error:
        return _faulty("unreadable", f"{name} cannot be read ({error}).")
    except InputError as error:
        return _faulty("unreadable", str(error))
    phash, thumbnail = fingerprint(image)
    return Inspection(image.width, image.height, hashlib.sha256(content).hexdigest(), phash, thumbnail)


def _faulty(kind: str, detail: str) -> Inspection:
    return Inspection(0, 0, "", 0, np.zeros((THUMBNAIL, THUMBNAIL, 3), dtype=np.uint8), (kind, detail))
