"""Maps that know nothing of the picture: what a map must do better than to be believed."""

from __future__ import annotations

import torch
from torch import Tensor

from rice_ssl.errors import InputError


def random_maps(count: int, size: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Maps of independent cells.

    Draw them at the resolution of the map that they are compared with: both are then enlarged alike. A random map of
    single pixels removes fine dots, which hurts a network in another way than the blobs of a coarse map do, so that a
    coarse map would differ from it without knowing anything.

    Args:
        count: maps, >= 1.
        size: height and width of the map that they are compared with, in cells.
        generator: on the CPU; seeded by the caller, so that the maps are the same wherever they are used.

    Returns:
        Uniform in [0, 1), shape (count, h, w).

    Raises:
        InputError: no map, or one without a cell.
    """
    if min(count, *size) < 1:
        raise InputError(f"{count} random maps of {size[0]}x{size[1]} cells were asked for: ask for 1 or more of each.")
    return torch.rand((count, *size), generator=generator)


def centred_gaussian(height: int, width: int, *, sigma: float = 0.25) -> Tensor:
    """The map of someone who only knows that photographers put their subject in the middle.

    It is stretched with the picture's sides, as the centre prior of the saliency benchmarks is. What only ranks cells
    (deletion, insertion, ROAD, the pointing game, rank accuracy) is the same for every sigma, but for what enlarging a
    coarse map does; relevance mass accuracy depends on it. With a quarter of the sides, half of the mass lies in the
    middle half of each side, and the corners keep some.

    Args:
        height: in cells, >= 1.
        width: likewise.
        sigma: standard deviation, as a share of each side, > 0.

    Returns:
        In (0, 1], shape (height, width).

    Raises:
        InputError: a side has no cell, or sigma is not positive.

    Source:
        Bylinskii et al. 2019, "What do different evaluation metrics tell us about saliency models?" (its centre prior).
    """
    if min(height, width) < 1 or not sigma > 0:
        raise InputError(f"A Gaussian of {height}x{width} cells, sigma {sigma}, was asked for: give values above 0.")
    across = [((torch.arange(side) + 0.5) / side - 0.5) / sigma for side in (height, width)]
    return torch.exp(-0.5 * (across[0][:, None] ** 2 + across[1][None, :] ** 2))
