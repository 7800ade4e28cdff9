"""A description of an image without any network: spots and edges at four scales in each band, and colours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import gaussian_filter

Image8 = npt.NDArray[np.uint8]
_SIDE = 200  # pixels of the long side
_SCALES = (1.0, 1.5, 2.2, 3.3)  # standard deviations of the blur, pixels
_WEAKEST, _STRONGEST = -8, -3  # log2 of the curvature, light in [0, 1]: octaves, the outer ones open
_KINDS = 5  # curvatures that differ in sign, then four classes of roundness
_COLOURS = 4  # levels of each band


def describe(image: Image8) -> npt.NDArray[np.float32]:
    """Square roots of shares: how much of the image is how strongly curved, how round, dark or bright; and colours.

    Spots, streaks and edges are told apart by the two curvatures (eigenvalues of the Hessian) of a blurred band.

    Args:
        image: uint8, shape (H, W, 3).

    Returns:
        Shape (1024,), values in [0, 1]; each histogram's squares sum to 1.
    """
    height, width = image.shape[:2]
    factor = _SIDE / max(height, width)
    size = (max(16, round(width * factor)), max(16, round(height * factor)))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))
    light = small.astype(np.float32) / 255
    planes = [*np.moveaxis(light, 2, 0), light.mean(axis=2)]
    parts = [_curvatures(plane, scale) for scale in _SCALES for plane in planes]
    levels = (small // (256 // _COLOURS)).astype(np.int64)
    joint = (levels[..., 0] * _COLOURS + levels[..., 1]) * _COLOURS + levels[..., 2]
    parts.append(np.bincount(joint.ravel(), minlength=_COLOURS**3) / joint.size)
    return np.sqrt(np.concatenate(parts)).astype(np.float32)


def _curvatures(plane: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float64]:
    """Shares of dark, then of bright places by strength and roundness, shape (60,)."""
    down, right = np.gradient(gaussian_filter(plane, scale))
    down_down, down_right = np.gradient(down)
    right_right = np.gradient(right, axis=1)
    mean = (right_right + down_down) / 2
    apart = np.hypot((right_right - down_down) / 2, down_right)
    upper, lower = (mean + apart) * scale**2, (mean - apart) * scale**2
    found = []
    for strong, weak in ((upper, lower), (-lower, -upper)):
        roundness = np.where(weak > 0, weak / np.maximum(strong, 1e-6), 0)
        level = np.floor(np.log2(np.maximum(strong, 1e-9))).clip(_WEAKEST, _STRONGEST).astype(np.int64) - _WEAKEST
        kind = np.where(weak > 0, 1 + np.minimum(4 * roundness, 3).astype(np.int64), 0)
        counts = np.bincount((level * _KINDS + kind).ravel(), minlength=(_STRONGEST - _WEAKEST + 1) * _KINDS)
        found.append(counts / plane.size)
    return np.concatenate(found)
