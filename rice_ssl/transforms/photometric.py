"""Photometric changes: drawn for each image, done for the batch at once.

Brightness, contrast, the gain of each band and blur are safe for any bands. Hue and saturation mean nothing on a
false-colour image; they are drawn for every image and used on those that the caller names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from rice_ssl.transforms.geometry import uniform

BLUR_SIGMA = (0.3, 1.5)
"""Range of the Gaussian blur's standard deviation, in pixels of the crop."""
_BLUR_RADIUS = 3
_RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""NTSC's luma and chroma (FCC 1953, rounded as in the standard): a hue is an angle in its chroma plane."""


@dataclass(frozen=True)
class PhotometricSettings:
    """How strongly images are changed; 0 is not at all.

    Attributes:
        jitter: brightness and contrast are drawn from [1 - jitter, 1 + jitter], the gain of a band from half of that.
        blur: probability of a Gaussian blur.
        saturation: its factor is drawn from [1 - saturation, 1 + saturation].
        hue: its angle is drawn from [-hue, hue] turns, in [0, 0.5].
    """

    jitter: float = 0.0
    blur: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


@dataclass(frozen=True)
class PhotometricDraw:
    """What was drawn for each of B images: factors and angles (radians), shape (B,); ``gain`` (B, 3); blur in pixels.

    ``blurred`` says which images are blurred, bool.
    """

    brightness: Tensor
    contrast: Tensor
    gain: Tensor
    saturation: Tensor
    hue: Tensor
    sigma: Tensor
    blurred: Tensor

    def part(self, chosen: slice) -> PhotometricDraw:
        """The draw of some of the images."""
        return PhotometricDraw(*[getattr(self, field.name)[chosen] for field in fields(self)])


def draw_photometric(count: int, settings: PhotometricSettings, generator: torch.Generator) -> PhotometricDraw:
    """Draw the changes of ``count`` images, on the generator's device."""
    strength, saturation, turns = settings.jitter, settings.saturation, 2 * math.pi * settings.hue
    return PhotometricDraw(
        brightness=uniform(count, 1 - strength, 1 + strength, generator),
        contrast=uniform(count, 1 - strength, 1 + strength, generator),
        gain=uniform(count * 3, 1 - strength / 2, 1 + strength / 2, generator).view(-1, 3),
        saturation=uniform(count, 1 - saturation, 1 + saturation, generator),
        hue=uniform(count, -turns, turns, generator),
        sigma=uniform(count, *BLUR_SIGMA, generator),
        blurred=torch.rand(count, generator=generator, device=generator.device) < settings.blur,
    )


def jitter_bands(images: Tensor, drawn: PhotometricDraw) -> Tensor:
    """Change brightness and contrast of each image and the gain of each band.

    Args:
        images: shape (B, 3, h, w), values in [0, 1].
        drawn: of these images.

    Returns:
        Same shape, clipped to [0, 1].
    """
    brightness, contrast = (value.view(-1, 1, 1, 1) for value in (drawn.brightness, drawn.contrast))
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return (((images - mean) * contrast + mean) * brightness * drawn.gain[:, :, None, None]).clamp(0, 1)


def shift_colours(images: Tensor, drawn: PhotometricDraw, natural: Tensor) -> Tensor:
    """Turn the hue and scale the saturation of images whose bands are red, green and blue.

    Args:
        images: shape (B, 3, h, w), values in [0, 1].
        drawn: of these images.
        natural: which images to change, bool, shape (B,).

    Returns:
        Same shape, clipped to [0, 1]; an image that is not natural is as it was. Luma stays (but for the clipping).

    Source:
        A rotation in the chroma plane of YIQ. Differs from torchvision's ``adjust_hue``, which goes through HSV: this
        is linear, has no jump at grey, and needs no loop over images.
    """
    to_yiq = images.new_tensor(_RGB_TO_YIQ)
    cos, sin = drawn.saturation * torch.cos(drawn.hue), drawn.saturation * torch.sin(drawn.hue)
    turn = torch.zeros(len(images), 3, 3, dtype=images.dtype, device=images.device)
    turn[:, 0, 0] = 1
    turn[:, 1, 1], turn[:, 1, 2], turn[:, 2, 1], turn[:, 2, 2] = cos, -sin, sin, cos
    matrices = torch.linalg.inv(to_yiq) @ turn @ to_yiq
    changed = torch.einsum("bij,bjhw->bihw", matrices, images).clamp(0, 1)
    return torch.where(natural.view(-1, 1, 1, 1), changed, images)


def blur(images: Tensor, drawn: PhotometricDraw) -> Tensor:
    """Blur the images that the draw says by a Gaussian of their own width, shape (B, 3, h, w)."""
    _, bands, height, width = images.shape
    if not bool(drawn.blurred.any()):
        return images
    picked = images[drawn.blurred]
    offsets = torch.arange(-_BLUR_RADIUS, _BLUR_RADIUS + 1, device=images.device)
    kernel = torch.exp(-0.5 * (offsets / drawn.sigma[drawn.blurred, None]) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(bands, dim=0)
    flat = functional.pad(picked.reshape(1, -1, height, width), [_BLUR_RADIUS] * 4, mode="replicate")
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=len(kernel))
    flat = functional.conv2d(flat, kernel[:, None, None, :], groups=len(kernel))
    out = images.clone()
    out[drawn.blurred] = flat.reshape(picked.shape)
    return out
