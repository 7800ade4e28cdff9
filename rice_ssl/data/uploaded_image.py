"""An image file that somebody gives to be looked at once: bounded, read from its bytes alone, never written.

What it shall be is decided by its bytes, not by its name, and its size is known before anything is decoded. Three 8-bit
bands come out as :func:`rice_ssl.data.image_file.decode_image` gives them, so that a network sees what it was trained
on; bands of 16 bits, and more than three, are read here, because Pillow has no pictures of that kind.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image

from rice_ssl.data.image_file import FORMATS, decode_image
from rice_ssl.data.image_kind import image_head
from rice_ssl.data.png_bands import png_bands, read_png_bands
from rice_ssl.data.tiff_bands import TiffBands, begins_with_preview, read_bands, tiff_bands
from rice_ssl.errors import InputError
from rice_ssl.sensors import Sensor

MAX_UPLOAD_MB = 80
"""Largest file: three uncompressed 16-bit bands of a 12-megapixel camera are 72 MB."""
MAX_UPLOAD_PIXELS = 50_000_000
MAX_SAMPLE_BYTES = 160_000_000
"""Of all bands of a file whose bands are read one by one; reading takes about three times this much memory."""
MIN_SIDE = 16
MAX_BANDS = 16
TOPS = {10: 1023, 12: 4095, 14: 16383, 16: 65535}
"""Bits that a camera may fill of 16 -> the largest value then."""
_TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Orientation as EXIF counts -> what turns the picture upright."""
Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True)
class UploadedImage:
    """An image file whose head was read; what is asked of it later is decoded then, and once.

    Attributes:
        name: of the file, for messages; never a path.
        content: its bytes.
        kind: JPEG, PNG, TIFF, BMP or WEBP.
        width: in pixels, as stored.
        height: in pixels, as stored.
        bands: that can be chosen from; 3 where there is nothing to choose.
        bits: of a band.
        several: whether the file holds more pictures; the first one is used.
        transparency: bands, counted from 0, that the file calls transparency.
        layout: of a TIFF whose bands are read one by one.
    """

    name: str
    content: bytes
    kind: str
    width: int
    height: int
    bands: int
    bits: int
    several: bool
    transparency: tuple[int, ...]
    layout: TiffBands | None

    @property
    def asks_for_bands(self) -> bool:
        """Whether the user has to say, or may wish to say, which of the file's bands are the sensor's."""
        return self.kind == "TIFF" and self.layout is not None and self.bands > 1

    def brightest(self) -> int:
        """The largest value of all bands of a 16-bit file, in [0, 65535]. Decodes the file.

        Raises:
            InputError: it is truncated or damaged.
        """
        return int(self._samples.max(initial=0))

    def picture(
        self, bands: Sequence[int] = (0, 1, 2), *, top: int = 65535, size: tuple[int, int] | None = None
    ) -> Image.Image:
        """Decode to three 8-bit bands, upright.

        Args:
            bands: which of the file's bands, counted from 0, are the sensor's three. Of no account where there is
                nothing to choose; a single band is repeated three times.
            top: value of a 16-bit band that becomes 255, in [1, 65535]; 0 stays 0, and what is larger becomes 255.
            size: (height, width) in pixels to resize to, antialiased, whatever the aspect; None keeps the size.

        Raises:
            InputError: the file is truncated or damaged.
            ValueError: a band that the file does not have, or ``top`` out of range.
        """
        if not 1 <= top <= 65535:
            raise ValueError(f"top is {top}: give a value from 1 to 65535")
        chosen = (0, 0, 0) if self.bands < 3 and not self.asks_for_bands else tuple(bands)
        if len(chosen) != 3 or not all(0 <= band < self.bands for band in chosen):
            raise ValueError(f"bands are {tuple(bands)}, but {self.name} has {self.bands}: name three of these")
        if self.bits == 8 and self.layout is None:
            if self.kind == "JPEG":  # decoded small at once
                return decode_image(self.content, self.name, size=size)
            return _resized(self._whole, size)
        samples, turn, planes = self._samples, self._turn(), []
        for band in chosen:
            plane = Image.fromarray(_as_8_bits(samples[..., band], top) if self.bits == 16 else samples[..., band])
            planes.append(_resized(plane if turn is None else plane.transpose(turn), size))
        return Image.merge("RGB", planes)

    def fitted(self, bands: Sequence[int] = (0, 1, 2), *, top: int = 65535, side: int) -> Image.Image:
        """The same as :meth:`picture`, in its own aspect, with a long side of ``side`` pixels at most."""
        width, height = self.upright
        share = min(1.0, side / max(width, height))
        size = (max(1, round(height * share)), max(1, round(width * share)))
        return self.picture(bands, top=top, size=size)

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height once it is turned upright, in pixels."""
        orientation = self.layout.orientation if self.layout is not None else _orientation(self.content)
        return (self.height, self.width) if orientation in (5, 6, 7, 8) else (self.width, self.height)

    def _turn(self) -> Image.Transpose | None:
        return _TURNED.get(self.layout.orientation if self.layout is not None else _orientation(self.content))

    @cached_property
    def _whole(self) -> Image.Image:
        return decode_image(self.content, self.name)

    @cached_property
    def _samples(self) -> Samples:
        """All bands as they are stored, shape (height, width, bands)."""
        try:
            return read_png_bands(self.content) if self.layout is None else read_bands(self.content, self.layout)
        except Exception as error:  # damaged files make Pillow raise nearly anything
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"{self.name} cannot be decoded ({reason}): replace the file or leave it out.") from None


def inspect_upload(content: bytes, name: str) -> UploadedImage:
    """Read the head of an image file, and refuse what is none, or too large or small, before it is decoded.

    Args:
        content: bytes of the file.
        name: of the file, for messages.

    Raises:
        InputError: no JPEG, PNG, TIFF, BMP or WebP; more than 80 MB, than 50 million pixels, than 16 bands, or than
            160 million bytes of bands that are read one by one; a side shorter than 16 pixels; damaged.
    """
    name = name if len(name) <= 80 else f"{name[:60]}…{name[-15:]}"
    if not content:
        raise InputError(f"{name} is empty: give an image file.")
    if len(content) > MAX_UPLOAD_MB * 2**20:
        raise InputError(f"{name} has {len(content) / 2**20:,.0f} MB, more than {MAX_UPLOAD_MB}: make it smaller.")
    if begins_with_preview(content):
        raise InputError(f"{name} is the raw file of a camera, which cannot be read here: save it as TIFF or JPEG.")
    layout = tiff_bands(content)
    if layout is not None:
        width, height, bands, bits = layout.width, layout.height, layout.bands, layout.bits
        _refuse_size(name, width, height)
        if bands > MAX_BANDS:
            raise InputError(f"{name} has {bands} bands, more than {MAX_BANDS}: leave out those that are not needed.")
        if width * height * bands * bits // 8 > MAX_SAMPLE_BYTES:
            raise InputError(
                f"{name} has {bands} bands of {width}x{height} pixels and {bits} bits, more than "
                f"{MAX_SAMPLE_BYTES:,} bytes in all: make it smaller."
            )
        return UploadedImage(
            name, content, "TIFF", width, height, bands, bits, layout.several, layout.transparency, layout
        )
    kind, (width, height), several = image_head(content, name, most=MAX_UPLOAD_PIXELS)
    _refuse_size(name, width, height)
    bands, bits = 3, 8
    if kind == "PNG" and (found := png_bands(content)) is not None:
        bands, bits = found, 16
        if width * height * bands * 2 > MAX_SAMPLE_BYTES:
            raise InputError(
                f"{name} has {width}x{height} pixels of 16 bits, more than {MAX_SAMPLE_BYTES:,} bytes in all: "
                "make it smaller."
            )
    return UploadedImage(name, content, kind, width, height, bands, bits, several, (), None)


def suggested_bands(sensor: Sensor, bands: int) -> tuple[int, int, int]:
    """Which bands of a file are likely the sensor's three, counted from 0.

    Args:
        sensor: whose bands are wanted.
        bands: of the file. Four or more are taken to be red, green, blue, near infrared, as most programs write them;
            three or fewer to be the sensor's own in its order.
    """
    usual = {"red": 0, "green": 1, "blue": 2, "near infrared": 3}
    if bands >= 4 and all(band in usual for band in sensor.bands):
        first, second, third = (usual[band] for band in sensor.bands)
        return first, second, third
    return 0, min(1, bands - 1), min(2, bands - 1)


def fewest_bits(brightest: int) -> int:
    """Fewest bits (10, 12, 14 or 16) that hold a value in [0, 65535]."""
    return next(bits for bits, top in TOPS.items() if brightest <= top)


def _refuse_size(name: str, width: int, height: int) -> None:
    if width * height > MAX_UPLOAD_PIXELS:
        raise InputError(
            f"{name} has {width}x{height} pixels, {width * height:,}, more than {MAX_UPLOAD_PIXELS:,}: make it smaller."
        )
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{name} has {width}x{height} pixels, which is too small to show a leaf: give an image of at least "
            f"{MIN_SIDE}x{MIN_SIDE}."
        )


def _orientation(content: bytes) -> int:
    with contextlib.suppress(Exception), Image.open(io.BytesIO(content), formats=FORMATS) as opened:
        return int(opened.getexif().get(0x0112, 1))
    return 1


def _as_8_bits(plane: npt.NDArray[np.unsignedinteger], top: int) -> npt.NDArray[np.uint8]:
    """Values of 16 bits, shape (H, W), times 255 / ``top``, rounded, at most 255."""
    table = np.minimum(np.rint(np.arange(65536) * (255.0 / top)), 255).astype(np.uint8)
    found = np.empty(plane.shape, dtype=np.uint8)
    for row in range(0, len(plane), 256):  # an index takes 8 bytes a pixel while it is used
        found[row : row + 256] = table[plane[row : row + 256]]
    return found


def _resized(plane: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    """Antialiased as :func:`rice_ssl.data.image_file.decode_image` does it."""
    if size is None or plane.size == (size[1], size[0]):
        return plane
    return plane.resize((size[1], size[0]), Image.Resampling.BILINEAR, reducing_gap=2.0)
