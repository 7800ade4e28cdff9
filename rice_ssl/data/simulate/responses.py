"""What each camera makes of the light: 8-bit values as they go into the JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from rice_ssl.data.simulate.reflectance import FloatArray

Image8 = NDArray[np.uint8]


@dataclass(frozen=True)
class RGBResponse:
    """A phone's colour camera: exposure, white balance, haze, colour matrix, tone curve, noise.

    Attributes:
        exposure: factor on reflectance before the tone curve.
        red_gain: white balance of red, about 1.
        blue_gain: white balance of blue, about 1.
        haze: sky light mirrored by leaves and lens, reflectance units, added to all bands.
        saturation: stretch of colours around their grey, 1 leaves them.
        contrast: strength of the S-shaped part of the tone curve, in [0, 1].
        noise: standard deviation, counts of 255.
    """

    exposure: float
    red_gain: float
    blue_gain: float
    haze: float
    saturation: float
    contrast: float
    noise: float

    def develop(self, rng: np.random.Generator, light: FloatArray) -> Image8:
        """Turn light (red, green, blue; shape (3, h, w)) into an RGB image, shape (h, w, 3), uint8."""
        gains = np.asarray([self.red_gain, 1.0, self.blue_gain], dtype=np.float32)[:, None, None] * self.exposure
        linear = (light + np.asarray([0.8, 0.9, 1.1], np.float32)[:, None, None] * np.float32(self.haze)) * gains
        grey = linear.mean(axis=0)
        linear = np.maximum(grey + (linear - grey) * np.float32(self.saturation), 0)
        linear = linear / (1 + 0.25 * np.maximum(linear - 0.5, 0))  # a soft shoulder before white
        toned = np.clip(linear, 0, 1) ** np.float32(1 / 2.2)
        toned = (toned + np.float32(self.contrast) * toned * (1 - toned) * (2 * toned - 1)) * 255
        toned += rng.standard_normal(toned.shape, dtype=np.float32) * np.float32(self.noise)
        image: Image8 = np.clip(toned + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        return image


@dataclass(frozen=True)
class RGNIRResponse:
    """A stretched RGNIR camera whose 8-bit bands wrap round.

    Fitted by eye to the challenge's pictures: shade (12, 12, 100), vegetation (36, 24, 180), the brightest vegetation
    below the overflow (40, 30, 250), near leaves above it (60-110, 40-85, 0-70), soil and water (12 or 255, 252, 110).
    Those colours follow if near infrared n is stretched until near leaves pass 255 and start again at 0 (brown with a
    blue rim), and if red and green hold little but a leak of n, less the excess of visible light over it: on soil and
    water the difference falls below 0 and wraps to 255 (green; yellow where red wraps too). In the pictures only dim
    near infrared goes with a wrapped green, so the subtraction fades out between n = 90 and 130.

    Attributes:
        nir_gain: counts per unit of near-infrared light.
        leak: share of n found in red.
        green_share: green's leak over red's.
        spill: further share of n above 230 found in red and green (charge that overflows).
        red_cut: counts taken from red per unit of visible excess.
        green_cut: counts taken from green per unit of visible excess.
        haze: counts added to red and green.
        noise: standard deviation, counts.
    """

    nir_gain: float
    leak: float
    green_share: float
    spill: float
    red_cut: float
    green_cut: float
    haze: float
    noise: float

    def develop(self, rng: np.random.Generator, light: FloatArray) -> Image8:
        """Turn light (red, green, near infrared; shape (3, h, w)) into an RGNIR image, shape (h, w, 3), uint8."""
        red, green, nir = light
        n = nir * np.float32(self.nir_gain)
        excess = (0.6 * red + 0.4 * green - 0.155 * nir) * np.clip((130 - n) / 40, 0, 1)
        grain = gaussian_filter(rng.standard_normal(light.shape, dtype=np.float32), (0, 0.5, 0.5))
        noise = grain * np.float32(0.5 * self.noise)
        base = self.leak * n + self.spill * np.maximum(n - 230, 0) + self.haze + 4
        values = (
            np.stack(
                [
                    base - self.red_cut * excess,
                    base * np.float32(self.green_share) - self.green_cut * excess,
                    n + 8,
                ]
            )
            + noise
        )
        # Below 0 the visible bands wrap, but never far: the pictures show 215 to 255 and nothing between.
        values[0] = np.where(values[1] < 0, values[0], np.maximum(values[0], 3))  # red wraps only where green does
        values[:2] = np.where(values[:2] < 0, 256 - 34 * np.tanh(-values[:2] / 60), np.minimum(values[:2], 200))
        values[2] = np.where(values[2] > 255, np.minimum(values[2] - 256, 120), values[2])
        # The camera's own resizing after the wrap draws the thin dark outlines.
        for band in values:
            gaussian_filter(band, 0.55, truncate=2.5, output=band)
        image: Image8 = np.clip(values + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
        return image


def draw_rgb_response(rng: np.random.Generator) -> RGBResponse:
    """Draw exposure, white balance and noise of a colour photograph."""
    warm = float(rng.normal(0.03, 0.13))
    return RGBResponse(
        exposure=float(np.exp(rng.normal(1.15, 0.22))),
        red_gain=float(np.exp(warm)),
        blue_gain=float(np.exp(-1.2 * warm + rng.normal(0, 0.06))),
        haze=float(0.035 * rng.beta(1.0, 2.2)),
        saturation=float(rng.uniform(0.9, 1.5)),
        contrast=float(rng.uniform(0.1, 0.9)),
        noise=float(rng.uniform(0.8, 4.0)),
    )


def draw_rgnir_response(rng: np.random.Generator, leaf_nir: float) -> RGNIRResponse:
    """Draw the stretch of an RGNIR photograph.

    Args:
        rng: the pair's generator.
        leaf_nir: near-infrared light of the main leaf, whose value decides whether it overflows.
    """
    overflows = rng.random() < 0.55
    level = float(rng.uniform(272, 325) if overflows else rng.uniform(165, 235))
    yellow = rng.random() < 0.25
    dull = rng.random() < 0.12
    return RGNIRResponse(
        nir_gain=level / max(leaf_nir, 0.1),
        leak=float(rng.uniform(0.13, 0.20)),
        green_share=float(rng.uniform(0.55, 0.9)),
        spill=float(rng.uniform(0.25, 0.65)),
        red_cut=float(rng.uniform(150, 420) if yellow else rng.uniform(0, 60)),
        green_cut=float(rng.uniform(60, 330)),
        haze=float(rng.uniform(15, 35) if dull else rng.uniform(0, 5)),
        noise=float(rng.uniform(0.8, 3.0)),
    )
