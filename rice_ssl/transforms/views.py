"""From cached pictures to what a network sees: augmented crops for training, whole images for evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rice_ssl.transforms.geometry import crop_matrices, sample_crops
from rice_ssl.transforms.photometric import (
    PhotometricDraw,
    PhotometricSettings,
    blur,
    draw_photometric,
    jitter_bands,
    shift_colours,
)


@dataclass(frozen=True)
class CropSettings:
    """How one kind of crop is drawn; see :class:`rice_ssl.config.PretrainConfig` for units."""

    size: tuple[int, int]
    scale: tuple[float, float]
    rotation: float = 0.0
    flip: bool = True
    photometric: PhotometricSettings = PhotometricSettings()


@dataclass(frozen=True)
class Batch:
    """Images as the crops are cut from.

    Attributes:
        images: shape (B, 3, H, W), values in [0, 1].
        mean: of the sensor of each image, shape (B, 3).
        std: likewise, > 0.
        natural: whether hue and saturation may be changed, bool, shape (B,).
    """

    images: Tensor
    mean: Tensor
    std: Tensor
    natural: Tensor


@dataclass(frozen=True)
class CropDraw:
    """What was drawn for the crops of B images: ``matrices``, shape (B, 2, 3), and the photometric changes."""

    matrices: Tensor
    photometric: PhotometricDraw

    def part(self, chosen: slice) -> CropDraw:
        """The draw of some of the images: what a process of several cuts of the common batch."""
        return CropDraw(self.matrices[chosen], self.photometric.part(chosen))


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


def draw_crops(count: int, size: tuple[int, int], settings: CropSettings, generator: torch.Generator) -> CropDraw:
    """Draw one crop of each of ``count`` images of ``size`` (height, width), on the generator's device."""
    matrices = crop_matrices(
        count,
        *size,
        scale=settings.scale,
        rotation=settings.rotation,
        flip=settings.flip,
        generator=generator,
    )
    return CropDraw(matrices, draw_photometric(count, settings.photometric, generator))


def cut_crops(batch: Batch, settings: CropSettings, drawn: CropDraw) -> Tensor:
    """Cut what was drawn for these images, change it photometrically and normalise it, shape (B, 3, *settings.size)."""
    crops = sample_crops(batch.images, drawn.matrices, settings.size)
    wanted = settings.photometric
    if wanted.jitter > 0:
        crops = jitter_bands(crops, drawn.photometric)
    if wanted.saturation > 0 or wanted.hue > 0:
        crops = shift_colours(crops, drawn.photometric, batch.natural)
    if wanted.blur > 0:
        crops = blur(crops, drawn.photometric)
    return normalise(crops, batch.mean, batch.std)


def augmented_crops(batch: Batch, settings: CropSettings, generator: torch.Generator) -> Tensor:
    """Draw and cut one augmented, normalised crop of each image, shape (B, 3, *settings.size)."""
    height, width = batch.images.shape[2:]
    return cut_crops(batch, settings, draw_crops(len(batch.images), (height, width), settings, generator))
