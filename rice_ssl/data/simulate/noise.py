"""Smooth random fields."""

from __future__ import annotations

import numpy as np
from PIL import Image

from rice_ssl.data.simulate.reflectance import FloatArray


def resize_plane(plane: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Resize one plane bicubically.

    Args:
        plane: values of any unit, shape (h, w), float32.
        shape: (height, width) wanted, pixels.

    Returns:
        The plane at ``shape``, float32.
    """
    image = Image.fromarray(plane).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float | tuple[float, float]) -> FloatArray:
    """Draw a smooth Gaussian field: normal values on a coarse grid, interpolated.

    Args:
        rng: the generator drawn from.
        shape: (height, width), pixels.
        cell: spacing of the grid in pixels, > 0; one number, or (rows, columns) for a field stretched along an axis.

    Returns:
        Field of mean about 0 and standard deviation about 0.8, shape ``shape``, float32.
    """
    rows, columns = (cell, cell) if isinstance(cell, (int, float)) else cell
    grid = (max(2, int(np.ceil(shape[0] / rows)) + 1), max(2, int(np.ceil(shape[1] / columns)) + 1))
    return resize_plane(rng.standard_normal(grid, dtype=np.float32), shape)


def rough_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 3) -> FloatArray:
    """Sum smooth fields of halving cell and halving weight (value noise).

    Args:
        rng: the generator drawn from.
        shape: (height, width), pixels.
        cell: coarsest spacing, pixels.
        octaves: fields summed, >= 1.

    Returns:
        Field of mean about 0 and standard deviation about 0.9, float32.
    """
    field = np.zeros(shape, dtype=np.float32)
    for octave in range(octaves):
        field += smooth_noise(rng, shape, max(1.0, cell / 2**octave)) * np.float32(0.6**octave)
    return field
