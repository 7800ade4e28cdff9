"""One image file: opened with limits, decoded whole, as three 8-bit bands."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from rice_ssl.errors import InputError

MAX_PIXELS = 100_000_000
MAX_BYTES = 512 * 1024 * 1024
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
REDUCING_GAP = 2.0  # a fast coarse reduction stops at twice the size asked for; the rest is antialiased


def open_image(path: Path, *, size: tuple[int, int] | None = None) -> Image.Image:
    """Read and decode an image file; see :func:`decode_image`.

    Raises:
        InputError: the file cannot be read or decoded.
    """
    return decode_image(read_image_file(path, path.name), path.name, size=size)


def read_image_file(path: Path, name: str) -> bytes:
    """Bytes of an image file; its size is looked at before it is read.

    Args:
        path: of the file.
        name: what to call it in messages.

    Raises:
        InputError: no such file, no regular file, of more than 512 MiB, or unreadable.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise InputError(f"{name} cannot be read (it is no regular file): put an image file there.")
        if state.st_size > MAX_BYTES:
            raise InputError(
                f"{name} has {state.st_size:,} bytes, more than {MAX_BYTES:,}, so it was not read: "
                "make it smaller or leave it out."
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputError(f"{name} cannot be read ({reason}): check that it is there.") from None


def decode_image(content: bytes, name: str, *, size: tuple[int, int] | None = None) -> Image.Image:
    """Decode an image to three 8-bit bands, upright.

    Orientation is taken from EXIF. A single band is repeated three times; 16-bit grey is divided by 257, 32-bit
    integers are taken to hold 16 bits, floating point is scaled by its maximum; transparency is dropped; CMYK becomes
    RGB.

    Args:
        content: bytes of a JPEG, PNG, TIFF, BMP or WebP file; the first picture of a file that holds several.
        name: of the file, for messages.
        size: (height, width) in pixels to resize to, antialiased, whatever the aspect; None keeps the size.

    Raises:
        InputError: not such an image, truncated, or of more than 100 million pixels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise InputError(
                    f"{name} has {opened.width}x{opened.height} pixels, more than {MAX_PIXELS:,}: make it smaller."
                )
            if size is not None:
                gap = int(max(size) * REDUCING_GAP)
                opened.draft(None, (gap, gap))
            opened.load()
            image = _three_bands(ImageOps.exif_transpose(opened))
            if size is not None and image.size != (size[1], size[0]):
                bilinear = Image.Resampling.BILINEAR
                image = image.resize((size[1], size[0]), bilinear, reducing_gap=REDUCING_GAP)
            return image
    except InputError:
        raise
    except Exception as error:  # damaged files make Pillow raise nearly anything, e.g. struct.error or IndexError
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if isinstance(error, UnidentifiedImageError):
            reason = f"it is none of {', '.join(FORMATS)}"
        raise InputError(f"{name} cannot be decoded ({reason}): replace the file or leave it out.") from None


def _three_bands(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        values: npt.NDArray[np.float32] = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
        top = max(float(values.max(initial=0.0)), 1e-12) if image.mode == "F" else 65535.0
        return Image.fromarray(np.rint(values.clip(0.0, top) * (255.0 / top)).astype(np.uint8)).convert("RGB")
    return image.convert("RGB")
