"""What can be said of one image without knowing what it shows: brightness, sharpness, saturation, foreground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, label, laplace

from rice_ssl.sensors import Sensor

Image8 = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
SATURATED = 254
"""Levels, of 255, from which a value is saturated."""
_ERASED_LEVELS = 12  # an erased background is black or white but for what JPEG adds along its edge
_ERASED_BORDER, _ERASED_AREA = 0.5, 0.1  # shares of the border and of the image that an erased background fills
_LEAST_VARIANCE = 1e-8  # of the Laplacian, in units of white; a flat image gets its logarithm, -8


@dataclass(frozen=True)
class Quality:
    """One image.

    Attributes:
        brightness: mean of all bands over the foreground where the background was erased, else over all, in [0, 1].
        sharpness: log10 of the variance of the grey values' Laplacian, grey in [0, 1] and where there is foreground;
            -8 for a flat image. Blur and low contrast both lower it.
        clipped: share of values at 254 or 255, over the same pixels as ``brightness``, in [0, 1].
        leaf_area: share of foreground, in [0, 1]; see :func:`foreground`.
    """

    brightness: float
    sharpness: float
    clipped: float
    leaf_area: float


def measure(image: Image8, sensor: Sensor) -> Quality:
    """Measure an image.

    Figures of sharpness can be compared between images of one size alone.

    Args:
        image: uint8, shape (H, W, 3).
        sensor: whose image it is.
    """
    erased = erased_background(image)
    kept = np.ones(image.shape[:2], dtype=bool) if erased is None else ~erased
    values = image[kept] if kept.any() else image.reshape(-1, 3)
    grey = image.astype(np.float32).mean(axis=2) / 255
    curvature = laplace(grey)
    inside = kept if erased is None else gaussian_filter(kept.astype(np.float32), 2.0) > 0.99  # not the cut-out's edge
    sampled = curvature[inside] if inside.sum() >= 16 else curvature
    return Quality(
        brightness=float(values.mean() / 255),
        sharpness=float(np.log10(max(float(sampled.var()), _LEAST_VARIANCE))),
        clipped=float((values >= SATURATED).mean()),
        leaf_area=float(foreground(image, sensor, erased).mean()),
    )


def erased_background(image: Image8) -> Mask | None:
    """Black or white that somebody put in place of the background, or None.

    It is within 12 levels of black, or of white, in every band, reaches the border, and fills at least half of the
    border and a tenth of the image.

    Args:
        image: uint8, shape (H, W, 3).

    Returns:
        True where the background was, shape (H, W).
    """
    rim = np.ones(image.shape[:2], dtype=bool)
    rim[1:-1, 1:-1] = False
    for alike in (image.max(axis=2) <= _ERASED_LEVELS, image.min(axis=2) >= 255 - _ERASED_LEVELS):
        if alike[rim].mean() < _ERASED_BORDER:
            continue
        areas = label(alike)[0]
        found: Mask = alike & np.isin(areas, np.unique(areas[rim & alike]))
        if found.mean() >= _ERASED_AREA:
            return found
    return None


def foreground(image: Image8, sensor: Sensor, erased: Mask | None) -> Mask:
    """Where the plant is, roughly: what was not erased, else where a vegetation index is above Otsu's threshold.

    The index is (nir - red) / (nir + red) where the sensor has near infrared, else excess green 2 g - r - b over
    r + g + b; where it has neither, Otsu's threshold is taken of the grey values.

    Args:
        image: uint8, shape (H, W, 3).
        sensor: whose image it is.
        erased: from :func:`erased_background`.

    Returns:
        Shape (H, W). All True where the index is the same everywhere.
    """
    if erased is not None:
        return ~erased
    index = vegetation_index(image, sensor)
    if np.ptp(index) < 1e-6:
        return np.ones(index.shape, dtype=bool)
    found: Mask = index > otsu_threshold(index)
    return found


def vegetation_index(image: Image8, sensor: Sensor) -> npt.NDArray[np.float32]:
    """The index that :func:`foreground` divides; high where there is vegetation; shape (H, W)."""
    band = {name: image[..., place].astype(np.float32) for place, name in enumerate(sensor.bands)}
    if {"near infrared", "red"} <= band.keys():
        near, red = band["near infrared"], band["red"]
        return np.asarray((near - red) / np.maximum(near + red, 1), dtype=np.float32)
    if {"red", "green", "blue"} <= band.keys():
        total = np.maximum(band["red"] + band["green"] + band["blue"], 1)
        return np.asarray((3 * band["green"] - total) / total, dtype=np.float32)
    return np.asarray(image.astype(np.float32).mean(axis=2), dtype=np.float32)


def otsu_threshold(values: npt.NDArray[np.floating], bins: int = 256) -> float:
    """Threshold that leaves most variance between the two sides; values above it are the upper side.

    Args:
        values: any shape, not all equal.
        bins: of the histogram.

    Source:
        Otsu 1979, eq. 18, on a histogram of equal bins between the extremes.
    """
    counts, edges = np.histogram(values, bins=bins)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    above = counts.sum() - below
    moment = np.cumsum(counts * centres)
    gap = moment[:-1] / np.maximum(below, 1) - (moment[-1] - moment[:-1]) / np.maximum(above, 1)
    return float(edges[1:-1][int(np.argmax(below * above * gap**2))])
