"""From cached pictures to what a network sees: augmented crops for training, whole images for evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rice_ssl.transforms.geometry import crop_matrices, sample_crops
from rice_ssl.transforms.photometric import blur, jitter_bands


@dataclass(frozen=True)
class CropSettings:
    """How one kind of crop is drawn; see :class:`rice_ssl.config.PretrainConfig` for units."""

    size: tuple[int, int]
    scale: tuple[float, float]
    rotation: float = 0.0
    flip: bool = True
    jitter: float = 0.0
    blur: float = 0.0


def to_unit(pictures: Tensor) -> Tensor:
    """Pictures as decoded, uint8 (B, H, W, 3), to float32 (B, 3, H, W) in [0, 1]."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32).div_(255)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Subtract the mean and divide by the standard deviation of each image's bands.

    Args:
        images: shape (B, 3, h, w), values in [0, 1].
        mean: of the sensor of each image, shape (B, 3).
        std: likewise, > 0.
    """
    return (images - mean[:, :, None, None]) / std[:, :, None, None]


def augmented_crop(
    images: Tensor, mean: Tensor, std: Tensor, settings: CropSettings, generator: torch.Generator
) -> Tensor:
    """Draw one augmented, normalised crop of each image.

    Args:
        images: shape (B, 3, H, W), values in [0, 1].
        mean: of the sensor of each image, shape (B, 3).
        std: likewise, > 0.
        settings: geometry and photometry.
        generator: source of all randomness; drawn on its device.

    Returns:
        Shape (B, 3, *settings.size).
    """
    matrices = crop_matrices(
        len(images),
        images.shape[2],
        images.shape[3],
        scale=settings.scale,
        rotation=settings.rotation,
        flip=settings.flip,
        generator=generator,
    )
    crops = sample_crops(images, matrices, settings.size)
    if settings.jitter > 0:
        crops = jitter_bands(crops, settings.jitter, generator)
    if settings.blur > 0:
        crops = blur(crops, settings.blur, generator)
    return normalise(crops, mean, std)
