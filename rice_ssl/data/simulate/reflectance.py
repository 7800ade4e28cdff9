"""Reflectance of what a rice field shows, in four broad bands.

Every value is a hemispherical reflectance factor in [0, 1] of a broad band (about 50 nm in the visible, 100 nm in the
near infrared), rounded to what the sources report for such material; no value is copied from a table of theirs.

Sources:
    Gates et al. 1965, "Spectral properties of plants" (Applied Optics 4): green leaf, near infrared .45-.5.
    Knipling 1970, "Physical and physiological basis for the reflectance of visible and near-infrared radiation from
    vegetation" (Remote Sensing of Environment 1): near infrared falls where the mesophyll collapses.
    Jacquemoud & Baret 1990, "PROSPECT: a model of leaf optical properties spectra" (RSE 34): chlorophyll content.
    Carter 1993, "Responses of leaf spectral reflectance to plant stress" (American Journal of Botany 80): stress raises
    green to red reflectance (chlorosis) and leaves the near infrared nearly alone.
    Kokaly et al. 2017, "USGS Spectral Library Version 7" (data series 1035): dry and wet soil, straw, open water.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

BANDS: Final = ("blue", "green", "red", "nir")
BLUE, GREEN, RED, NIR = range(len(BANDS))

_SPECTRA: Final[dict[str, tuple[float, float, float, float]]] = {
    "leaf": (0.040, 0.110, 0.052, 0.470),
    "leaf_dark": (0.030, 0.080, 0.036, 0.440),
    "chlorotic": (0.060, 0.220, 0.215, 0.450),
    "midrib": (0.085, 0.190, 0.120, 0.480),
    "senescent": (0.090, 0.190, 0.260, 0.390),
    "necrotic": (0.022, 0.034, 0.054, 0.210),
    "necrotic_bleached": (0.230, 0.280, 0.300, 0.280),
    "scraped": (0.150, 0.250, 0.210, 0.400),
    "soil_dry": (0.110, 0.165, 0.215, 0.290),
    "soil_wet": (0.045, 0.065, 0.085, 0.125),
    "straw": (0.120, 0.195, 0.250, 0.420),
    "panicle": (0.130, 0.250, 0.270, 0.460),
    "water": (0.030, 0.032, 0.024, 0.010),
    "sky_glint": (0.300, 0.290, 0.280, 0.200),
}

MATERIALS: Final = tuple(_SPECTRA)


def spectrum(material: str) -> FloatArray:
    """Give a material's reflectance.

    Args:
        material: one of ``MATERIALS``.

    Returns:
        Reflectance factors in [0, 1], shape (4,), float32, in the order of ``BANDS``.

    Raises:
        KeyError: no such material.

    Source:
        See the module's docstring.
    """
    return np.asarray(_SPECTRA[material], dtype=np.float32)


def mixed(first: str, second: str, share: float) -> FloatArray:
    """Mix two materials linearly, as areas side by side do.

    Args:
        first: material at ``share`` 0.
        second: material at ``share`` 1.
        share: area share of ``second`` in [0, 1].

    Returns:
        Reflectance factors, shape (4,), float32.
    """
    return (spectrum(first) * np.float32(1.0 - share) + spectrum(second) * np.float32(share)).astype(np.float32)
