"""A region of an image, as a whole image of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from rice_ssl.data.image_file import REDUCING_GAP
from rice_ssl.errors import InputError

SMALLEST_SIDE = 16
"""Pixels of a region's side below which there is nothing in it that a network could tell."""


@dataclass(frozen=True)
class Region:
    """A box in an image, in whole pixels from its upper left corner; ``right`` and ``bottom`` are outside it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    def lies_in(self, size: tuple[int, int]) -> bool:
        """Whether it is a box within an image of this width and height."""
        return 0 <= self.left < self.right <= size[0] and 0 <= self.top < self.bottom <= size[1]


def middle(size: tuple[int, int]) -> Region:
    """The box in the middle of an image of this width and height, half as wide and high, yet not too small to use."""
    sides = [min(side, max(SMALLEST_SIDE, side // 2)) for side in size]
    left, top = ((side - own) // 2 for side, own in zip(size, sides, strict=True))
    return Region(left, top, left + sides[0], top + sides[1])


def region_picture(image: Image.Image, region: Region, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Pixels of a region, resized as whole images are; whatever its aspect.

    Args:
        image: three 8-bit bands, upright; see :func:`rice_ssl.data.image_file.decode_image`.
        region: in the image.
        size: height and width of what comes out, in pixels.

    Returns:
        Shape (H, W, 3). Where the region is the whole image, what :func:`~rice_ssl.data.image_file.decode_image` gives
        of a file that is not decoded small at once (as a large JPEG is).

    Raises:
        InputError: the region does not lie in the image, or has a side of less than 16 pixels.
    """
    if min(region.width, region.height) < SMALLEST_SIDE:
        raise InputError(
            f"The region has {max(0, region.width)} x {max(0, region.height)} pixels: choose one with at least "
            f"{SMALLEST_SIDE} a side."
        )
    if not region.lies_in(image.size):
        raise InputError(
            f"The region from ({region.left}, {region.top}) to ({region.right}, {region.bottom}) does not lie in the "
            f"image of {image.width} x {image.height} pixels: choose one that does."
        )
    own = image.crop((region.left, region.top, region.right, region.bottom))
    if own.size != (size[1], size[0]):
        own = own.resize((size[1], size[0]), Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
    return np.asarray(own)
