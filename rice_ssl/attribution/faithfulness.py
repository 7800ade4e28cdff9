"""Does a map show what the network looks at? Remove what it points to, and see whether the answer goes.

Every figure of a picture depends on that picture alone, whichever others it shares a batch with (but for rounding).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from rice_ssl.attribution.predict import Classify
from rice_ssl.attribution.removal import inpainted
from rice_ssl.errors import InputError

FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of the pixels that ROAD removes."""
_LEVELS = 2**20
"""Values of a map, as shares of its largest, that are told apart; float16 maps hold 2**11."""


@torch.no_grad()
def deletion_insertion(
    predict: Classify,
    images: Tensor,
    baselines: Tensor,
    maps: Tensor,
    classes: Tensor,
    *,
    steps: int = 10,
    batch_size: int = 128,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """Area under the class' probability while the most relevant pixels go, and while they come back.

    Args:
        predict: the classifier.
        images: normalised, shape (B, 3, H, W).
        baselines: what takes the pixels' place, e.g. :func:`rice_ssl.attribution.removal.blurred`, shape (B, 3, H, W).
        maps: M of each picture, of one resolution, shape (B, M, h, w); larger is more relevant, in any unit.
        classes: number of the class whose probability is followed, shape (B,).
        steps: equal ones, from nothing removed to all, >= 1.
        batch_size: pictures at once.
        seed: of the order of pixels that a map holds equal.

    Returns:
        Deletion (from the picture to the baseline; low is good) and insertion (from the baseline to the picture; high
        is good), each in [0, 1], shape (B, M).

    Raises:
        InputError: shapes do not match, a map is not finite, or a setting is out of range.

    Source:
        Petsiuk et al. 2018, algorithm 1 (arXiv 1806.07421); trapezoids over fractions 0 to 1. Differs: the same
        baseline for both, where theirs deletes to a constant and inserts into a blurred picture; steps are a share of
        the pixels. The whole picture and the whole baseline are asked about once for all maps.
    """
    _refuse_unfit(images, maps, classes, batch_size)
    if baselines.shape != images.shape or steps < 1:
        raise InputError(
            f"steps is {steps}, baselines have shape {tuple(baselines.shape)} and images {tuple(images.shape)}: "
            "take 1 step or more, and a baseline for each picture."
        )
    pixels = images.shape[2] * images.shape[3]
    counts = torch.tensor([round(k * pixels / steps) for k in range(1, steps)], device=images.device)
    inner = torch.zeros(maps.shape[0] * maps.shape[1], 2, device=images.device)
    for places, pictures, ranks in _ranked(maps, images, max(1, batch_size // max(1, 2 * len(counts))), seed):
        if len(counts) == 0:
            break
        gone = ranks.unsqueeze(1) < counts.view(1, -1, 1, 1)
        gone = gone.unsqueeze(2)  # (pictures, counts, 1, H, W): the same in all bands
        sharp, dull = images[pictures].unsqueeze(1), baselines[pictures].unsqueeze(1)
        both = torch.stack([torch.where(gone, dull, sharp), torch.where(gone, sharp, dull)], dim=1)
        asked = classes[pictures].repeat_interleave(2 * len(counts))
        found = _probability(predict, both.flatten(0, 2), asked, batch_size)
        inner[places] = found.view(len(pictures), 2, -1).sum(dim=2)
    ends = _probability(predict, images, classes, batch_size) + _probability(predict, baselines, classes, batch_size)
    areas = (inner.view(*maps.shape[:2], 2) + (ends / 2).view(-1, 1, 1)) / steps
    return areas[..., 0], areas[..., 1]


@torch.no_grad()
def road(
    predict: Classify,
    images: Tensor,
    maps: Tensor,
    classes: Tensor,
    *,
    fractions: Sequence[float] = FRACTIONS,
    noise: float = 0.01,
    batch_size: int = 128,
    seed: int = 0,
) -> Tensor:
    """How much more of the class' probability is left without the least relevant pixels than without the most relevant.

    Removed pixels are inpainted, which costs more than the network: about 0.04 s of one core for each map, order and
    fraction of a picture of 128 x 160.

    Args:
        predict: the classifier.
        images: normalised, shape (B, 3, H, W).
        maps: M of each picture, of one resolution, shape (B, M, h, w); larger is more relevant, in any unit.
        classes: number of the class whose probability is followed, shape (B,).
        fractions: of the pixels, to be removed, each in (0, 1).
        noise: of :func:`rice_ssl.attribution.removal.inpainted`, in the unit of normalised pictures.
        batch_size: pictures at once.
        seed: of the noise, and of the order of pixels that a map holds equal.

    Returns:
        Mean over fractions of p(least relevant removed) - p(most relevant removed), in [-1, 1], 0 for a map that knows
        nothing, shape (B, M).

    Raises:
        InputError: shapes do not match, a map is not finite, or a setting is out of range.

    Source:
        Rong et al. 2022 (arXiv 2202.00449). pytorch-grad-cam's ``ROADCombined`` is half of this, with fractions .1 to
        .9 by tenths, and removes more than the fraction where pixels are equal; ours then draws among them.
    """
    _refuse_unfit(images, maps, classes, batch_size)
    if not fractions or not all(0 < fraction < 1 for fraction in fractions):
        raise InputError(f"The fractions to remove are {tuple(fractions)}: give one or more between 0 and 1.")
    pixels = images.shape[2] * images.shape[3]
    counts = torch.tensor([round(fraction * pixels) for fraction in fractions], device=images.device).view(1, -1, 1, 1)
    found = torch.zeros(maps.shape[0] * maps.shape[1], device=images.device)
    per = 2 * len(fractions)
    for places, pictures, ranks in _ranked(maps, images, max(1, batch_size // per), seed):
        ranks = ranks.unsqueeze(1)
        removed = torch.cat([ranks < counts, ranks >= pixels - counts], dim=1).flatten(0, 1)
        filled = inpainted(images[pictures].repeat_interleave(per, dim=0), removed, noise=noise, seed=seed)
        left = _probability(predict, filled, classes[pictures].repeat_interleave(per), batch_size)
        most, least = left.view(len(pictures), 2, -1).mean(dim=2).unbind(dim=1)
        found[places] = least - most
    return found.view(maps.shape[:2])


def relevance_ranks(maps: Tensor, size: tuple[int, int], seed: int) -> Tensor:
    """Rank of every pixel of a picture, 0 for the most relevant.

    Where a map holds pixels equal, and a CAM is zero on half of the picture, their order is drawn: by their place, a
    map that is constant would remove the picture from the top down and so get a score of its own, good or bad, for
    nothing. The draw is the same for all maps, whichever they are ranked with. Equal are values that differ by less
    than a millionth of the map's largest, which is what enlarging rounds.

    Args:
        maps: shape (N, h, w).
        size: height and width of the picture; maps are enlarged bilinearly.
        seed: of the draw.

    Returns:
        A permutation of 0 to H * W - 1 each, int64, shape (N, H, W).
    """
    large = maps.unsqueeze(1).float()
    if large.shape[-2:] != size:
        large = interpolate(large, size=size, mode="bilinear", align_corners=False)
    flat = large.flatten(1)
    flat = (flat / flat.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny) * _LEVELS).round()
    drawn = torch.randperm(flat.shape[1], generator=torch.Generator().manual_seed(seed)).to(maps.device)
    order = drawn[flat[:, drawn].argsort(dim=1, descending=True, stable=True)]
    ranks = torch.empty_like(order)
    ranks.scatter_(1, order, torch.arange(flat.shape[1], device=maps.device).expand_as(order))
    return ranks.view(-1, *size)


def _ranked(maps: Tensor, images: Tensor, step: int, seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Some maps at a time: their places among all B * M, the numbers of their pictures, and their ranks."""
    flat = maps.flatten(0, 1)
    for places in torch.split(torch.arange(len(flat), device=images.device), step):
        ranks = relevance_ranks(flat[places].to(images.device), (images.shape[2], images.shape[3]), seed)
        yield places, places // maps.shape[1], ranks


def _probability(predict: Classify, images: Tensor, classes: Tensor, batch_size: int) -> Tensor:
    """Softmax probability of each picture's class, shape (N,)."""
    parts = [
        predict(some).float().softmax(dim=1).gather(1, number.unsqueeze(1)).squeeze(1)
        for some, number in zip(torch.split(images, batch_size), torch.split(classes, batch_size), strict=True)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, device=images.device)


def _refuse_unfit(images: Tensor, maps: Tensor, classes: Tensor, batch_size: int) -> None:
    if images.ndim != 4 or maps.ndim != 4 or not len(images) == len(maps) == len(classes):
        raise InputError(
            f"images have shape {tuple(images.shape)}, maps {tuple(maps.shape)} and classes {tuple(classes.shape)}: "
            "give (B, 3, H, W), (B, M, h, w) and (B,) of the same B pictures."
        )
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}: take 1 or more.")
    bad = int((~torch.isfinite(maps)).flatten(1).any(dim=1).sum())
    if bad:
        raise InputError(f"Maps of {bad} of {len(maps)} pictures hold values that are not finite: make them anew.")
