"""Random crops with flips and rotation, drawn for each image, done for the batch at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ASPECT = (3 / 4, 4 / 3)
"""Range of the crop's width to height, as torchvision's random resized crop has it."""
HALVE_FROM = 1.5
"""Crops that shrink the image by at least this factor are sampled from the image at half size, against aliasing."""


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """``count`` uniform numbers in [low, high], on the generator's device."""
    return low + (high - low) * torch.rand(count, generator=generator, device=generator.device)


def crop_matrices(
    count: int,
    height: int,
    width: int,
    *,
    scale: tuple[float, float],
    rotation: float,
    flip: bool,
    generator: torch.Generator,
) -> Tensor:
    """Draw an affine map from crop to image for each sample, shape (count, 2, 3), in grid_sample's [-1, 1] coordinates.

    Args:
        count: samples.
        height: of the images, in pixels.
        width: of the images, in pixels.
        scale: share of the image's area, 0 < low <= high <= 1.
        rotation: at most so many degrees either way.
        flip: mirror left-right and up-down, each with probability 1/2 (a leaf has no upright position).
        generator: source of all randomness.
    """
    area = uniform(count, *scale, generator) * height * width
    aspect = torch.exp(uniform(count, math.log(ASPECT[0]), math.log(ASPECT[1]), generator))
    crop_width = (area * aspect).sqrt().clamp(max=width) / width
    crop_height = (area / aspect).sqrt().clamp(max=height) / height
    centre_x = (1 - crop_width) * uniform(count, -1, 1, generator)
    centre_y = (1 - crop_height) * uniform(count, -1, 1, generator)
    angle = torch.deg2rad(uniform(count, -rotation, rotation, generator))
    mirror_x = _signs(count, flip, generator)
    mirror_y = _signs(count, flip, generator)
    cos, sin, ratio = torch.cos(angle), torch.sin(angle), width / height
    rows = [
        torch.stack([cos * crop_width * mirror_x, -sin * crop_height * mirror_y / ratio, centre_x], dim=1),
        torch.stack([sin * crop_width * mirror_x * ratio, cos * crop_height * mirror_y, centre_y], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _signs(count: int, flip: bool, generator: torch.Generator) -> Tensor:
    draw = torch.rand(count, generator=generator, device=generator.device)
    return torch.where(draw < 0.5, -1.0, 1.0) if flip else torch.ones_like(draw)


def sample_crops(images: Tensor, matrices: Tensor, size: tuple[int, int]) -> Tensor:
    """Cut the crops.

    Args:
        images: shape (B, 3, H, W), float.
        matrices: shape (B, 2, 3), from :func:`crop_matrices`.
        size: height and width of a crop, in pixels.

    Returns:
        Shape (B, 3, *size). Pixels outside the image mirror those inside.
    """
    count, _, height, width = images.shape
    grid = functional.affine_grid(matrices, [count, 3, *size], align_corners=False)
    shrink = matrices[:, :, :2].norm(dim=1).amin(dim=1) * min(height / size[0], width / size[1])
    coarse = shrink >= HALVE_FROM
    out = torch.empty(count, 3, *size, dtype=images.dtype, device=images.device)
    for chosen, source in ((~coarse, images), (coarse, None)):
        if bool(chosen.any()):
            picked = images[chosen] if source is not None else functional.avg_pool2d(images[chosen], 2)
            out[chosen] = functional.grid_sample(picked, grid[chosen], padding_mode="reflection", align_corners=False)
    return out
