"""Random crops with flips and rotation, drawn for each image, done for the batch at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

ASPECT = (3 / 4, 4 / 3)
"""Range of the crop's width to height, as torchvision's random resized crop has it."""
HALVE_FROM = 1.5
"""A crop that shrinks the image by at least this factor is sampled from the image at half size, against aliasing."""
_MOST_HALVINGS = 5


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
        Shape (B, 3, *size). Pixels outside the image mirror those inside. Sampling is bilinear; where a crop shrinks
        the image (see ``HALVE_FROM``) the image is halved first, by 2x2 means, as often as needed: grid_sample alone
        would skip pixels.
    """
    count, _, height, width = images.shape
    grid = functional.affine_grid(matrices, [count, 3, *size], align_corners=False)
    halvings = _halvings(matrices, (height, width), size)
    out = torch.empty(count, 3, *size, dtype=images.dtype, device=images.device)
    for level in range(int(halvings.max()) + 1):
        chosen = halvings == level
        if bool(chosen.any()):
            picked = images[chosen]
            for _ in range(level):
                picked = functional.avg_pool2d(picked, 2)
            out[chosen] = functional.grid_sample(picked, grid[chosen], padding_mode="reflection", align_corners=False)
    return out


def _halvings(matrices: Tensor, image: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """How often to halve each image before it is sampled, shape (B,), by the weaker of its two shrink factors."""
    pixels = matrices.new_tensor([image[1], image[0]])[None, :, None] * matrices[:, :, :2]  # crop axes in image pixels
    shrink = pixels.norm(dim=1) / matrices.new_tensor([size[1], size[0]])
    most = min(_MOST_HALVINGS, int(math.log2(min(image))))
    return (torch.log2(shrink.amin(dim=1) / HALVE_FROM).floor() + 1).clamp(0, most).long()
