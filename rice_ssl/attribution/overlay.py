"""A CAM over its picture. Imports no torch: the dashboard uses it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

_INFERNO = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    dtype=np.float64,
)
"""Eight stops of matplotlib's colour map inferno (CC0), which is perceptually uniform and safe for the colour-blind."""


def colour(values: npt.NDArray[np.floating]) -> npt.NDArray[np.uint8]:
    """Colours, shape (..., 3), of values in [0, 1], shape (...)."""
    where = np.clip(values, 0.0, 1.0) * (len(_INFERNO) - 1)
    stops = np.arange(len(_INFERNO))
    bands = [np.interp(where, stops, _INFERNO[:, band]) for band in range(3)]
    return np.stack(bands, axis=-1).round().astype(np.uint8)


def overlay(
    picture: npt.NDArray[np.uint8], cam: npt.NDArray[np.floating], *, opacity: float, scale: float
) -> npt.NDArray[np.uint8]:
    """Lay a CAM over a picture: colour and cover both grow with the evidence, so weak evidence stays transparent.

    Args:
        picture: shape (H, W, 3).
        cam: shape (h, w), >= 0; resized bilinearly to the picture.
        opacity: of the strongest evidence, in [0, 1].
        scale: CAM value that counts as strongest, > 0; give two sensors the same one to compare them. 0 draws nothing.

    Returns:
        Shape (H, W, 3).
    """
    height, width = picture.shape[:2]
    share = np.asarray(cam, dtype=np.float32) / scale if scale > 0 else np.zeros(cam.shape, dtype=np.float32)
    resized = Image.fromarray(np.clip(share, 0, 1)).resize((width, height), Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(resized), 0, 1)
    alpha = (opacity * share)[..., None]
    mixed = picture * (1 - alpha) + colour(share) * alpha
    pixels: npt.NDArray[np.uint8] = np.clip(mixed.round(), 0, 255).astype(np.uint8)
    return pixels


def colour_bar(width: int = 256, height: int = 14) -> npt.NDArray[np.uint8]:
    """The colours from no evidence (left) to the strongest (right), shape (height, width, 3)."""
    return np.repeat(colour(np.linspace(0.0, 1.0, width))[None], height, axis=0)
