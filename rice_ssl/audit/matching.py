"""Do two images of two cameras show the same plant, seen from two places? Turned, scaled, shifted, in other bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import fft
from scipy.ndimage import gaussian_filter
from scipy.signal.windows import tukey

Image8 = npt.NDArray[np.uint8]
Field = npt.NDArray[np.complex64]
Pose = tuple[float, float]
"""Turn in degrees and scale of the second image."""

TURNS, SCALES = tuple(range(-30, 31, 3)), tuple(1.07**k for k in range(-5, 6))
"""Poses that are tried: turns in degrees, and scales."""
FITS = 7.5
"""Height of the peak, in standard deviations, from which two images show the same plant.

Chosen on simulated pairs of 256x204 pixels: the best of all poses of two images of different plants reached at most 6.7
in 30 comparisons; 149 of 150 right pairs reached this limit, the other 5.9.
"""
_EARLY = 8.5  # at half size: no need to look further
_POLISHED = 3  # poses that are looked at in full size
_STEPS = ((2.0, 1.04), (1.0, 1.02))
_LOW_PASS = 0.12  # cycles a pixel
_EDGE = 0.3  # share of the image that fades out towards its border


@dataclass(frozen=True)
class Fit:
    """How well two images fit.

    Attributes:
        height: of the correlation's peak, in its standard deviations.
        turn: of the second image, in degrees.
        scale: of the second image.
    """

    height: float
    turn: float
    scale: float


@dataclass(frozen=True)
class Structure:
    """Edges of an image: in full size and in half size."""

    full: Field
    half: Field


def structure(image: Image8) -> Structure:
    """Direction and strength of edges, as complex numbers at twice the angle: light on dark counts as dark on light.

    Bands are summed after each was set against the strength of its own surroundings, so that neither a band's exposure
    nor its sign matters. That makes images of different bands comparable.

    Args:
        image: uint8, shape (H, W, 3), H and W even, 32 pixels or more.
    """
    values = image.astype(np.float32) / 255
    found = np.zeros(image.shape[:2], dtype=np.complex64)
    around = max(image.shape[:2]) / 20
    for place in range(image.shape[2]):
        down, right = np.gradient(gaussian_filter(values[..., place], 0.8))
        slope = (right + 1j * down).astype(np.complex64)
        found += slope**2 / (gaussian_filter(np.abs(slope) ** 2, around) + 1e-5)
    height, width = image.shape[:2]
    half = found.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return Structure(_compressed(found), _compressed(half))


def _compressed(field: Field) -> Field:
    return np.asarray(field / np.sqrt(np.abs(field) + 1e-9), dtype=np.complex64)


class Matcher:
    """Lays images of one size on each other by phase correlation of their edges.

    Args:
        height: of the images in full size, even.
        width: likewise.
    """

    def __init__(self, height: int, width: int) -> None:
        """Prepare windows and filters."""
        self._full, self._half = _Size(height, width), _Size(height // 2, width // 2)
        poses = [(float(turn), scale) for turn in TURNS for scale in SCALES]
        # The likeliest first: cameras are held alike more often than not.
        self._poses = sorted(poses, key=lambda pose: (pose[0] / 10) ** 2 + (np.log(pose[1]) / 0.15) ** 2)

    def fit(self, first: Structure, second: Structure) -> Fit:
        """Find the pose in which the second image fits the first best.

        Args:
            first: of the first sensor's image.
            second: of the second's.
        """
        spectrum = self._half.spectrum(first.half)
        tried: list[tuple[float, Pose]] = []
        for pose in self._poses:
            tried.append((self._half.height_of_peak(spectrum, second.half, pose), pose))
            if tried[-1][0] >= _EARLY:
                return Fit(tried[-1][0], *pose)
        tried.sort(key=lambda entry: -entry[0])
        spectrum = self._full.spectrum(first.full)
        best = max((self._climb(spectrum, second.full, pose) for pose in _distinct(tried)), key=lambda fit: fit.height)
        return best

    def find(self, first: Sequence[Structure], second: Structure) -> tuple[int, Fit] | None:
        """Look for an image that a second one fits, in half size.

        Args:
            first: images of the first sensor.
            second: of the second's.

        Returns:
            Position in ``first`` and the fit, of the first pose in which one fits; None where none does.
        """
        spectra = [self._half.spectrum(one.half) for one in first]
        for pose in self._poses if spectra else ():
            turned = self._half.turned_spectrum(second.half, pose)
            heights = [self._half.peak(spectrum, turned) for spectrum in spectra]
            best = int(np.argmax(heights))
            if heights[best] >= _EARLY:
                return best, Fit(heights[best], *pose)
        return None

    def _climb(self, spectrum: Field, field: Field, pose: Pose) -> Fit:
        """Better poses nearby, in full size."""
        best = Fit(self._full.height_of_peak(spectrum, field, pose), *pose)
        for turn, scale in _STEPS:
            for _ in range(3):
                around = [
                    (best.turn + turn, best.scale),
                    (best.turn - turn, best.scale),
                    (best.turn, best.scale * scale),
                    (best.turn, best.scale / scale),
                ]
                height, pose = max((self._full.height_of_peak(spectrum, field, near), near) for near in around)
                if height <= best.height:
                    break
                best = Fit(height, *pose)
        return best


def _distinct(tried: Sequence[tuple[float, Pose]]) -> list[Pose]:
    """The best poses that are not each other's neighbours."""
    found: list[Pose] = []
    for _, (turn, scale) in tried:
        if all(abs(turn - other) > 4 or abs(np.log(scale / size)) > 0.09 for other, size in found):
            found.append((turn, scale))
        if len(found) == _POLISHED:
            break
    return found


class _Size:
    """Phase correlation at one size (Kuglin and Hines 1975), of frequencies below a limit."""

    def __init__(self, height: int, width: int) -> None:
        self._height, self._width = height, width
        self._window = np.outer(tukey(height, _EDGE), tukey(width, _EDGE)).astype(np.float32)
        squared = np.fft.fftfreq(height)[:, None] ** 2 + np.fft.fftfreq(width)[None] ** 2
        self._low = np.exp(-squared / (2 * _LOW_PASS**2)).astype(np.float32)

    def spectrum(self, field: Field) -> Field:
        """Phases of a field's spectrum."""
        found = fft.fft2((field - field.mean()) * self._window)
        strength = np.abs(found)
        return np.asarray(found / np.maximum(strength, max(1e-6 * float(strength.max()), 1e-12)), dtype=np.complex64)

    def turned_spectrum(self, field: Field, pose: Pose) -> Field:
        """Phases of the spectrum of a field that is turned and scaled about its centre, without those left out."""
        turn, scale = np.deg2rad(pose[0]), pose[1]
        cos, sin = np.cos(turn) / scale, np.sin(turn) / scale
        x, y = (self._width - 1) / 2, (self._height - 1) / 2
        matrix = (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)
        parts = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(part)).transform(
                    (self._width, self._height), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
                )
            )
            for part in (field.real, field.imag)
        ]
        moved = (parts[0] + 1j * parts[1]) * np.exp(2j * turn)  # directions turn along
        return np.asarray(self.spectrum(moved.astype(np.complex64)) * self._low, dtype=np.complex64)

    def peak(self, spectrum: Field, turned: Field) -> float:
        """Peak of the phase correlation in its standard deviations."""
        found = fft.ifft2(spectrum.conj() * turned).real
        spread = float(found.std())
        return float(found.max()) / spread if spread > 1e-12 else 0.0

    def height_of_peak(self, spectrum: Field, field: Field, pose: Pose) -> float:
        return self.peak(spectrum, self.turned_spectrum(field, pose))
