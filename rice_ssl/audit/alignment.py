"""Lay one picture on another that nearly is the same one: shift, turn, scale and shear, whatever the exposure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform, gaussian_filter, zoom

from rice_ssl.audit.correlation import correlation_map, highest_peak

Grey = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
_FINE, _BROAD = 1.0, 6.0  # standard deviations, in pixels: structures between the two are compared
_STEPS = 12  # at each size
_SETTLED = 0.02  # pixels: a step that moves a corner by less is the last one
_COARSE_OVERLAP = 0.6
_HOPELESS = 0.5  # correlation of the smaller pictures below which the larger ones are not tried
_MIN_OVERLAP = 0.5


@dataclass(frozen=True)
class Alignment:
    """How two pictures fit.

    Attributes:
        matrix: shape (2, 3): row and column in the second picture of a (row, column, 1) of the first, in pixels.
        correlation: of the structures of 1 to 6 pixels over the overlap, in [-1, 1]; of smaller copies of the pictures
            where these already had less than 0.5 in common.
        overlap: share of the first picture's area on which the second lies, in [0, 1].
    """

    matrix: Matrix
    correlation: float
    overlap: float


def align(first: Grey, second: Grey) -> Alignment:
    """Find the affine map under which two pictures correlate most; it starts at the best shift of coarse copies.

    Turns to about 10 degrees and scales to about 15 percent are found.

    Args:
        first: grey values, shape (H, W), 32 pixels or more on each side.
        second: same shape.

    Source:
        Evangelidis and Psarakis 2008 (the enhanced correlation coefficient, forward-additive form, eq. 17-19), with an
        affine map on three sizes.
    """
    coarse = [_detail(zoom(side, 0.25, order=1)) for side in (first, second)]
    peak = highest_peak(correlation_map(coarse[0][None], coarse[1][None], min_overlap=_COARSE_OVERLAP), apart=2)
    matrix = np.array([[1.0, 0.0, -peak.dy], [0.0, 1.0, -peak.dx]])
    correlation, overlap = -1.0, 0.0
    for factor in (0.25, 0.5, 1.0):
        sides = [_detail(side if factor == 1.0 else zoom(side, factor, order=1)) for side in (first, second)]
        matrix = _climb(sides[0], sides[1], matrix)
        correlation, overlap = _judge(sides[0], sides[1], matrix)
        if correlation < _HOPELESS:
            matrix[:, 2] /= factor
            break
        if factor < 1.0:
            matrix[:, 2] *= 2
    return Alignment(matrix, correlation, overlap)


def _detail(grey: Grey) -> Grey:
    """Structures between the two scales, compressed so that a few bright ones do not decide."""
    values = np.asarray(grey, dtype=np.float32)
    found = gaussian_filter(values, _FINE) - gaussian_filter(values, _BROAD)
    spread = float(found.std())
    return np.asarray(np.tanh(found / (2 * spread)) if spread > 1e-6 else np.zeros_like(found), dtype=np.float32)


def _sample(picture: Grey, matrix: Matrix) -> Grey:
    """Values at the mapped places; NaN outside."""
    found: Grey = affine_transform(
        picture, matrix[:, :2], matrix[:, 2], order=1, mode="constant", cval=np.nan, output=np.float32
    )
    return found


def _climb(first: Grey, second: Grey, matrix: Matrix) -> Matrix:
    """Improve the map step by step while the correlation grows."""
    height, width = first.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    gradients = [np.asarray(side, dtype=np.float32) for side in np.gradient(second)]
    best, best_value = matrix, _judge(first, second, matrix)[0]
    at = matrix.copy()
    for _ in range(_STEPS):
        moved = _sample(second, at)
        inside = np.isfinite(moved)
        if inside.mean() < _MIN_OVERLAP:
            break
        down, right = (_sample(side, at)[inside] for side in gradients)
        y, x = rows[inside], columns[inside]
        slopes = np.stack([down * y, down * x, down, right * y, right * x, right], axis=1).astype(np.float64)
        image = moved[inside].astype(np.float64)
        target = first[inside].astype(np.float64)
        image, target, slopes = image - image.mean(), target - target.mean(), slopes - slopes.mean(axis=0)
        normal = slopes.T @ slopes + 1e-6 * np.trace(slopes.T @ slopes) / 6 * np.eye(6)
        by_image, by_target = np.linalg.solve(normal, slopes.T @ np.stack([image, target], axis=1)).T
        left, over = image @ image - (slopes.T @ image) @ by_image, target @ image - (slopes.T @ target) @ by_image
        if over <= 1e-9:  # no ascent from here
            break
        step = (left / over) * by_target - by_image
        at = at + step.reshape(2, 3)
        value = _judge(first, second, at)[0]
        if value > best_value:
            best, best_value = at.copy(), value
        if np.abs(step.reshape(2, 3) @ np.array([height, width, 1.0])).max() < _SETTLED:
            break
    return best


def _judge(first: Grey, second: Grey, matrix: Matrix) -> tuple[float, float]:
    """Correlation over the overlap, -1 where that is too small, and the overlap."""
    moved = _sample(second, matrix)
    inside = np.isfinite(moved)
    overlap = float(inside.mean())
    if overlap < _MIN_OVERLAP:
        return -1.0, overlap
    one, other = first[inside] - first[inside].mean(), moved[inside] - moved[inside].mean()
    spread = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return (float((one * other).sum()) / spread if spread > 1e-9 else 0.0), overlap
