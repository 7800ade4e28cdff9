"""Attributions to the picture itself, for which the network is asked many times: integrated gradients and occlusion."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from captum.attr import IntegratedGradients
from torch import Tensor
from torch.nn import functional

from rice_ssl.attribution.predict import Classify
from rice_ssl.errors import InputError


def integrated_gradients(
    predict: Classify,
    images: Tensor,
    baselines: Tensor,
    *,
    steps: int,
    classes: Sequence[int] | None = None,
    batch_size: int = 64,
) -> Tensor:
    """How much each value of a picture adds to a class's logit, on the straight way from a baseline picture.

    Args:
        predict: the classifier.
        images: normalised, shape (B, 3, H, W).
        baselines: what they are compared with, of the same shape.
        steps: points of the Gauss-Legendre quadrature, >= 1.
        classes: numbers of the classes wanted; all where None.
        batch_size: pictures at once, which bounds the memory.

    Returns:
        In logits, signed, shape (B, C, 3, H, W), classes as asked for. A picture's values for a class add up to
        logit(image) - logit(baseline), but for what the quadrature misses.

    Raises:
        InputError: baselines of another shape, or less than one step.

    Source:
        Sundararajan et al. 2017, eq. 1 (arXiv 1703.01365), computed by captum, class by class.
    """
    _refuse_unlike(images, baselines)
    if steps < 1:
        raise InputError(f"{steps} steps of integration were asked for: ask for 1 or more.")
    if classes is None:
        with torch.no_grad():
            classes = range(predict(images[:1]).shape[1])
    peer = IntegratedGradients(predict)
    parts = [
        torch.stack(
            [
                peer.attribute(
                    images[at : at + batch_size],
                    baselines[at : at + batch_size],
                    target=number,
                    n_steps=steps,
                    internal_batch_size=batch_size,
                ).detach()
                for number in classes
            ],
            dim=1,
        )
        for at in range(0, len(images), batch_size)
    ]
    return torch.cat(parts).to(images.dtype)


@torch.no_grad()
def occlusion(
    predict: Classify, images: Tensor, baselines: Tensor, *, window: int, stride: int, batch_size: int = 64
) -> Tensor:
    """How far each class's logit drops where a square of the picture becomes that of a baseline picture.

    Args:
        predict: the classifier.
        images: normalised, shape (B, 3, H, W).
        baselines: what shows in the square, of the same shape.
        window: side of the square, pixels, >= 1; what reaches over the picture's edge is cut off.
        stride: pixels from one square to the next, in 1..window.
        batch_size: pictures at once, which bounds the memory.

    Returns:
        logit(image) - logit(occluded), signed, in logits, shape (B, C, gh, gw): square (i, j) begins ``i * stride``
        pixels down and ``j * stride`` pixels right. :func:`window_means` makes a map of the picture of it.

    Raises:
        InputError: baselines of another shape, or a window or stride out of range.

    Source:
        Zeiler and Fergus 2014, section 4.2 (arXiv 1311.2901), squares placed as captum's Occlusion places them; that
        one, however, asks the network anew for every class.
    """
    _refuse_unlike(images, baselines)
    if not 1 <= stride <= window:
        raise InputError(f"The window is {window} px, the stride {stride} px: the stride must be in 1..window.")
    count, (height, width) = len(images), images.shape[2:]
    rows, columns = _windows(height, window, stride), _windows(width, window, stride)
    before = predict(images)
    after: list[Tensor] = []
    jobs = [(image, top, left) for top in rows for left in columns for image in range(count)]
    for at in range(0, len(jobs), batch_size):
        part = jobs[at : at + batch_size]
        occluded = images[[image for image, _, _ in part]]
        for place, (image, top, left) in enumerate(part):
            square = (slice(None), slice(top, top + window), slice(left, left + window))
            occluded[place][square] = baselines[image][square]
        after.append(predict(occluded))
    answers = torch.cat(after).view(len(rows), len(columns), count, -1)
    return before[:, :, None, None] - answers.permute(2, 3, 0, 1)


def _windows(length: int, window: int, stride: int) -> range:
    """Where windows begin along a side: as many as are needed to reach its end."""
    return range(0, stride * (math.ceil(max(length - window, 0) / stride) + 1), stride)


def window_means(drops: Tensor, size: tuple[int, int], *, window: int, stride: int) -> Tensor:
    """A map of the picture: at each pixel the mean of the drops of all windows that cover it.

    Args:
        drops: of :func:`occlusion`, shape (B, C, gh, gw).
        size: the picture's height and width, pixels.
        window: as there.
        stride: as there.

    Returns:
        Shape (B, C, H, W), each band's value of captum's Occlusion.

    Raises:
        InputError: the drops are of other windows.
    """
    places = [_windows(length, window, stride) for length in size]
    if drops.shape[2:] != tuple(map(len, places)):
        raise InputError(
            f"There are {tuple(drops.shape[2:])} drops, but {tuple(map(len, places))} windows of {window} px, {stride} "
            f"px apart, on a picture of {size[0]}x{size[1]} px: give the numbers that the drops were made with."
        )
    down, right = (_coverage(own, length, window).to(drops) for own, length in zip(places, size, strict=True))
    covering = down.sum(dim=0)[:, None] * right.sum(dim=0)
    return torch.einsum("bcij,iy,jx->bcyx", drops, down, right) / covering


def _coverage(begins: range, length: int, window: int) -> Tensor:
    """Whether a window covers a pixel along a side, shape (windows, length), of 0 and 1."""
    pixel, begin = torch.arange(length), torch.tensor(begins)[:, None]
    return ((pixel >= begin) & (pixel < begin + window)).float()


def band_shares(attributions: Tensor) -> Tensor:
    """Share of each band in the absolute attribution of a picture.

    Args:
        attributions: to a picture's values, for one class, shape (B, 3, H, W).

    Returns:
        In [0, 1], shape (B, 3); rows sum to 1, and are NaN where nothing is attributed to any band.
    """
    strength = attributions.abs().sum(dim=(2, 3))
    return strength / strength.sum(dim=1, keepdim=True)


def grid_maps(attributions: Tensor, size: tuple[int, int]) -> Tensor:
    """Signed maps of few cells: bands summed, then the mean of each cell's pixels.

    Args:
        attributions: to pictures' values, shape (B, C, 3, H, W).
        size: height and width of the maps, in cells.

    Returns:
        Shape (B, C, h, w), in the attributions' unit, per pixel. Where cells hold equally many pixels, a map's mean is
        that of the attributions summed over bands.
    """
    return functional.adaptive_avg_pool2d(attributions.sum(dim=2), size)


def _refuse_unlike(images: Tensor, baselines: Tensor) -> None:
    if baselines.shape != images.shape:
        raise InputError(
            f"The baselines are of shape {tuple(baselines.shape)}, the images of {tuple(images.shape)}: give each "
            "image a baseline of its size."
        )
