"""Does a map lie where the lesions are known to be? For simulated leaves, whose lesion masks are the truth.

Maps are enlarged bilinearly to the mask, and what is negative then counts as 0. A map with nothing above 0 points
nowhere: it scores as one that is the same everywhere, by the mask's share of the picture, and does not drop out, as a
method would look better for the pictures on which it says nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rice_ssl.errors import InputError

Map = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
_TIE = 1e-6
"""Share of the maximum by which values differ for rounding alone."""


def pointing(map: Map, mask: Mask) -> float:
    """The pointing game: whether the map's highest point is in the mask.

    Args:
        map: shape (h, w), any unit.
        mask: shape (H, W).

    Returns:
        1 or 0; where several pixels are the highest, the share of them in the mask. NaN of an empty mask.

    Raises:
        InputError: a shape is not two-dimensional, or the map is not finite.

    Source:
        Zhang et al. 2018, section 4.2 (arXiv 1608.00507). Differs: no margin of 15 pixels around the mask.
    """
    large = _positive(map, mask)
    if not mask.any():
        return float("nan")
    top = large.max()
    return float(mask[large >= top * (1 - _TIE)].mean())


def mass(map: Map, mask: Mask) -> float:
    """Relevance mass accuracy: the share of the map's sum that is in the mask, in [0, 1]; see :func:`pointing`.

    Source:
        Arras et al. 2022, eq. 1 (arXiv 2003.07258).
    """
    large = _positive(map, mask)
    if not mask.any():
        return float("nan")
    total = large.sum()
    return float(large[mask].sum() / total) if total > 0 else float(mask.mean())


def rank(map: Map, mask: Mask) -> float:
    """Relevance rank accuracy: of the K most relevant pixels, the share in the mask of K, in [0, 1].

    Where more pixels are equal than the K have room for, their mean is taken: what a random choice would give. See
    :func:`pointing` for the arguments.

    Source:
        Arras et al. 2022, eq. 2 (arXiv 2003.07258).
    """
    large = _positive(map, mask)
    count = int(mask.sum())
    if count == 0:
        return float("nan")
    lowest = np.partition(large, large.size - count, axis=None)[large.size - count]
    near = _TIE * large.max()
    above = large > lowest + near
    equal = np.abs(large - lowest) <= near
    room = count - int(above.sum())
    return float((mask[above].sum() + room * mask[equal].mean()) / count)


def enlarged(map: Map, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Resize a map, shape (h, w), bilinearly to a height and width, as torch does without aligned corners."""
    places = [(np.arange(new) + 0.5) * old / new - 0.5 for old, new in zip(map.shape, size, strict=True)]
    rows, columns = (interpolation(place, old) for place, old in zip(places, map.shape, strict=True))
    found: npt.NDArray[np.float64] = rows @ np.asarray(map, dtype=np.float64) @ columns.T
    return found


def interpolation(places: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """Weight of each of ``side`` cells at each place, shape (..., places, side), linear between their middles.

    Args:
        places: 0 in the middle of the first cell, 1 in that of the next; beyond the outermost, these are taken.
        side: number of cells.
    """
    inside = np.clip(places, 0, side - 1)
    found: npt.NDArray[np.float64] = np.maximum(0, 1 - np.abs(inside[..., None] - np.arange(side)))
    return found


def _positive(map: Map, mask: Mask) -> npt.NDArray[np.float64]:
    if map.ndim != 2 or mask.ndim != 2 or not np.isfinite(map).all():
        raise InputError(f"The map has shape {map.shape}, the mask {mask.shape}: give both in 2-D, the map finite.")
    return np.maximum(enlarged(map, (mask.shape[0], mask.shape[1])), 0)
