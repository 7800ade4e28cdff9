"""Photometric changes that are safe for any bands: no hue or saturation, which mean nothing on a false-colour image."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from rice_ssl.transforms.geometry import uniform

BLUR_SIGMA = (0.3, 1.5)
"""Range of the Gaussian blur's standard deviation, in pixels of the crop."""
_BLUR_RADIUS = 3


def jitter_bands(images: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Change brightness and contrast of each image, and half as much the gain of each band.

    Args:
        images: shape (B, 3, h, w), values in [0, 1].
        strength: factors are drawn from [1 - strength, 1 + strength]; 0 changes nothing.
        generator: source of all randomness.

    Returns:
        Same shape, clipped to [0, 1].
    """
    count = len(images)
    brightness = uniform(count, 1 - strength, 1 + strength, generator).view(-1, 1, 1, 1)
    contrast = uniform(count, 1 - strength, 1 + strength, generator).view(-1, 1, 1, 1)
    gain = uniform(count * 3, 1 - strength / 2, 1 + strength / 2, generator).view(-1, 3, 1, 1)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (((images - mean) * contrast + mean) * brightness * gain).clamp(0, 1)


def blur(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Blur each image with a given probability by a Gaussian of its own width.

    Args:
        images: shape (B, 3, h, w).
        probability: in [0, 1].
        generator: source of all randomness.
    """
    count, bands, height, width = images.shape
    sigma = uniform(count, *BLUR_SIGMA, generator)
    chosen = torch.rand(count, generator=generator, device=generator.device) < probability
    if not bool(chosen.any()):
        return images
    picked = images[chosen]
    offsets = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / sigma[chosen, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(bands, dim=0)
    flat = functional.pad(picked.reshape(1, -1, height, width), [_BLUR_RADIUS] * 4, mode="replicate")
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=len(kernel))
    flat = functional.conv2d(flat, kernel[:, None, None, :], groups=len(kernel))
    out = images.clone()
    out[chosen] = flat.reshape(picked.shape)
    return out
