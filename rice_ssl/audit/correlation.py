"""Normalised cross-correlation of two pictures over their overlap, for every shift at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

Planes = npt.NDArray[np.float32]
_FLAT = 1e-3
"""Share of the larger product of variances below which an overlap is flat, and has no correlation."""


@dataclass(frozen=True)
class Peak:
    """Where two pictures fit best.

    Attributes:
        dx: columns to add to a place in the second picture to come to the same thing in the first.
        dy: rows likewise.
        height: correlation there, in [-1, 1].
        second: highest correlation elsewhere, in [-1, 1].
    """

    dx: int
    dy: int
    height: float
    second: float


def correlation_map(first: Planes, second: Planes, *, min_overlap: float) -> Planes:
    """Correlation coefficient of two pictures over their overlap, for each shift.

    Every plane is centred on its own mean over the overlap; planes share one coefficient.

    Args:
        first: shape (B, H, W): B planes, e.g. bands.
        second: same shape.
        min_overlap: shifts that leave less of the area than this get -1; in (0, 1].

    Returns:
        Shape (R, C), R >= 2 H - 1 and C >= 2 W - 1. Entry (dy mod R, dx mod C) compares ``second[y, x]`` with
        ``first[y + dy, x + dx]``.

    Raises:
        ValueError: the pictures' shapes differ, or ``min_overlap`` is out of range.

    Source:
        Padfield 2012, "Masked object registration in the Fourier domain", eq. 5-8, with masks of ones. Differs: sums
        over planes; overlaps without contrast get 0.
    """
    if first.shape != second.shape or first.ndim != 3:
        raise ValueError(f"pictures have the shapes {first.shape} and {second.shape}: give two of one (B, H, W)")
    if not 0 < min_overlap <= 1:
        raise ValueError(f"min_overlap is {min_overlap}: give a share in (0, 1]")
    height, width = first.shape[1:]
    shape = (fft.next_fast_len(2 * height - 1, real=True), fft.next_fast_len(2 * width - 1, real=True))
    one = fft.rfft2(np.ones((height, width), dtype=np.float32), shape)
    moved, kept = fft.rfft2(first, shape), fft.rfft2(second, shape)
    squares = [fft.rfft2(np.square(side).sum(axis=0), shape) for side in (first, second)]
    count = np.maximum(np.rint(fft.irfft2(one * one.conj(), shape)), 1)
    product = fft.irfft2((moved * kept.conj()).sum(axis=0), shape)
    sums_first = fft.irfft2(moved * one.conj(), shape)
    sums_second = fft.irfft2(one * kept.conj(), shape)
    spread_first = fft.irfft2(squares[0] * one.conj(), shape) - (sums_first**2).sum(axis=0) / count
    spread_second = fft.irfft2(one * squares[1].conj(), shape) - (sums_second**2).sum(axis=0) / count
    allowed = count >= min_overlap * height * width
    spread = np.maximum(spread_first, 0) * np.maximum(spread_second, 0)
    defined = spread > _FLAT * max(float(spread[allowed].max(initial=0.0)), 1e-12)
    found = (product - (sums_first * sums_second).sum(axis=0) / count) / np.sqrt(np.where(defined, spread, 1))
    return np.where(allowed, np.where(defined, np.clip(found, -1, 1), 0), -1).astype(np.float32)


def highest_peak(correlation: Planes, *, apart: int) -> Peak:
    """The best shift, and how good the best of those is that are ``apart`` pixels or more from it.

    Args:
        correlation: from :func:`correlation_map`.
        apart: in pixels, along either axis, >= 1.
    """
    rows, columns = correlation.shape
    y, x = (int(place) for place in np.unravel_index(int(correlation.argmax()), correlation.shape))
    height = float(correlation[y, x])
    down, right = np.abs(np.arange(rows) - y), np.abs(np.arange(columns) - x)
    near = (np.minimum(down, rows - down)[:, None] < apart) & (np.minimum(right, columns - right)[None, :] < apart)
    second = float(correlation[~near].max(initial=-1.0))
    return Peak(x - columns * (x > columns // 2), y - rows * (y > rows // 2), height, second)
