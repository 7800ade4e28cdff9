"""Pictures of a leaf and of its maps, as files and as they stand in a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from rice_ssl.attribution.overlay import colour_bar, overlay
from rice_ssl.evidence.leaf import ImageEvidence

OPACITY = 0.6
"""Of the strongest evidence."""
_QUALITY = 90
_COMPRESSION = 3
"""Of PNG: less than half the time of the default, for files that are 4% larger."""
Pixels = npt.NDArray[np.uint8]


def picture(image: ImageEvidence) -> Pixels | None:
    """The run's reduced picture, shape (H, W, 3); None where it keeps none."""
    if image.jpeg is None:
        return None
    with Image.open(io.BytesIO(image.jpeg), formats=["JPEG"]) as opened:
        return np.asarray(opened.convert("RGB"))


def map_picture(image: ImageEvidence, scale: float, *, grey: bool) -> Pixels | None:
    """The picture with the map over it, shape (H, W, 3); None where one of them lacks.

    Args:
        image: of a leaf.
        scale: map value that counts as the strongest.
        grey: whether to take the colours out, as of a map that is not to be believed.
    """
    below = picture(image)
    if below is None or image.cam is None:
        return None
    found = overlay(below, image.cam, opacity=OPACITY, scale=scale)
    if grey:
        found = np.asarray(Image.fromarray(found).convert("L").convert("RGB"))
    return found


def bar() -> Pixels:
    """The colours of maps, from no evidence (left) to the strongest (right)."""
    return colour_bar()


def png(pixels: Pixels) -> bytes:
    """Pixels, shape (H, W, 3), as PNG."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=_COMPRESSION)
    return stream.getvalue()


def jpeg_url(pixels: Pixels) -> str:
    """Pixels, shape (H, W, 3), as a data URL of JPEG, which is small."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=_QUALITY)
    return data_url(stream.getvalue(), "image/jpeg")


def data_url(content: bytes, kind: str) -> str:
    """A file as a URL that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
