"""How far the second sensor's image is shifted against the first's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from rice_ssl.audit.correlation import Planes, correlation_map, highest_peak
from rice_ssl.sensors import Sensor

Image8 = npt.NDArray[np.uint8]
MIN_OVERLAP = 0.3
"""Share of the area that two images must share at least."""
MIN_PEAK, MIN_LEAD = 0.35, 0.1
"""Correlation, and its lead over the next best place, from which an estimate is confident."""
_APART = 0.04  # of the long side: places nearer than this are one peak
_BROAD = 4.0  # pixels; structures broader than this are light and shade
_UNNAMED = "band "  # bands of sensors that nobody described are called "band 1" to "band 3"


@dataclass(frozen=True)
class Registration:
    """Shift of the second image.

    Attributes:
        dx: columns to add to a place in the second image to come to the same thing in the first; pixels.
        dy: rows likewise; positive is down.
        peak: correlation at that shift, in [-1, 1].
        confidence: the peak's lead over the best other place, in [0, 1].
        confident: whether peak and lead are high enough.
    """

    dx: float
    dy: float
    peak: float
    confidence: float
    confident: bool


def shared_bands(first: Sensor, second: Sensor) -> tuple[str, ...]:
    """Bands that both sensors have; bands of sensors that nobody described ("band 1") are not known to be alike."""
    return tuple(band for band in first.bands if band in second.bands and not band.startswith(_UNNAMED))


def detail_planes(image: Image8, sensor: Sensor, bands: tuple[str, ...]) -> Planes:
    """What of an image is compared: the fine structure of the named bands, or of grey where none is named.

    Like bands agree in sign, so each is compared without its broad light and shade; grey values of unlike bands need
    not, so there it is the gradient's magnitude.

    Args:
        image: uint8, shape (H, W, 3).
        sensor: whose image it is.
        bands: names of the bands, all of the sensor's.

    Returns:
        Shape (number of bands, or 1; H, W); each plane has the standard deviation 1, unless it is flat.
    """
    values = image.astype(np.float32)
    if bands:
        planes = np.stack([values[..., sensor.bands.index(band)] for band in bands])
        planes = planes - np.stack([gaussian_filter(plane, _BROAD) for plane in planes])
    else:
        down, right = np.gradient(gaussian_filter(values.mean(axis=2), 1.0))
        planes = np.sqrt(np.hypot(down, right))[None]
    spread = planes.std(axis=(1, 2), keepdims=True)
    return np.asarray(planes / np.where(spread > 1e-3, spread, 1), dtype=np.float32)


def register(first: Planes, second: Planes) -> Registration:
    """Estimate the shift of one image against another of the same place.

    Turned or scaled images are not searched for; they come out as not confident.

    Args:
        first: planes of the first sensor's image, shape (B, H, W), from :func:`detail_planes`.
        second: of the second's, same shape.

    Returns:
        Whole pixels of these planes.
    """
    correlation = correlation_map(first, second, min_overlap=MIN_OVERLAP)
    peak = highest_peak(correlation, apart=max(3, round(_APART * max(first.shape[1:]))))
    lead = max(peak.height - max(peak.second, 0.0), 0.0)
    confident = peak.height >= MIN_PEAK and lead >= MIN_LEAD
    return Registration(float(peak.dx), float(peak.dy), peak.height, lead, confident)
