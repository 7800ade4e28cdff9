"""Bands of a PNG of 16 bits, each with all its bits: of colours, Pillow gives the upper 8."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

_BANDS = {0: 1, 2: 3, 6: 4}
"""Kind of colour in a PNG's head -> bands; of grey with transparency Pillow gives no lower bytes."""
_DEPTH, _COLOUR = 24, 25  # bytes of the head


def png_bands(content: bytes) -> int | None:
    """Bands of a PNG of 16 bits; None of one of fewer bits, or of grey with transparency. Nothing is decoded.

    Args:
        content: bytes of a PNG.
    """
    return _BANDS.get(content[_COLOUR]) if len(content) > _COLOUR and content[_DEPTH] == 16 else None


def read_png_bands(content: bytes) -> npt.NDArray[np.uint16]:
    """Decode all bands of a PNG that :func:`png_bands` knows.

    Returns:
        Shape (height, width, bands), as stored, before it is turned upright.

    Raises:
        OSError, ValueError, SyntaxError: the file is truncated or damaged.
    """
    upper, lower = (Image.open(io.BytesIO(content), formats=("PNG",)) for _ in range(2))
    if upper.mode.startswith("I;16"):
        return np.asarray(upper)[..., None]
    lower.tile = [part._replace(args=_little_endian(part.args)) for part in lower.tile]
    found = np.asarray(upper).astype(np.uint16)
    found <<= 8
    found |= np.asarray(lower)
    return found


def _little_endian(rawmode: object) -> str:
    if not isinstance(rawmode, str) or not rawmode.endswith(";16B"):
        raise ValueError("it does not hold what its head says")
    return rawmode[:-1] + "L"
