"""MixUp and CutMix of pairs: each sensor's image with the same sensor's of another pair, or with its own twin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Mix:
    """What was drawn for a batch of B pairs.

    Attributes:
        share: of the pair's own pixels and label, in [0, 1], shape (B,).
        partner: pair that each is mixed with, shape (B,).
        box: top, bottom, left, right of the rectangle that CutMix takes from the partner, in pixels; None for MixUp.
        across: whether the pair's images are mixed with each other instead (its label stays), bool, shape (B,).
    """

    share: Tensor
    partner: Tensor
    box: tuple[int, int, int, int] | None
    across: Tensor


def draw_mix(
    present: Tensor, size: tuple[int, int], *, mixup: float, cutmix: float, across: float, generator: torch.Generator
) -> Mix:
    """Draw how the pairs of a batch are mixed.

    Args:
        present: whether each pair's image of each sensor is there, bool, shape (B, S). A pair whose partner has not the
            same sensors is not mixed.
        size: height and width of the images.
        mixup: alpha of the beta distribution; 0: none.
        cutmix: likewise; with both, either is taken with probability 1/2.
        across: probability that a pair's images are mixed with each other.
        generator: on the CPU; source of all randomness.

    Source:
        Zhang et al. 2018 (arXiv 1710.09412), and Yun et al. 2019 (arXiv 1905.04899). Differs: the larger share is the
        pair's own, as fastai has it.
    """
    count = len(present)
    coin, twins = torch.rand(2, generator=generator), torch.rand(count, generator=generator)
    partner = torch.randperm(count, generator=generator)
    cut = cutmix > 0 and (mixup == 0 or float(coin[0]) < 0.5)
    alpha = cutmix if cut else mixup
    share = 1.0 if alpha == 0 else _beta(alpha, generator)
    share = max(share, 1 - share)
    box = None
    if cut:
        box, share = _box(size, share, generator)
    there = present.cpu()
    fits = (there == there[partner]).all(dim=1)
    shares = torch.where(fits, share, 1.0)
    complete = there.all(dim=1) & (there.shape[1] > 1)
    return Mix(shares, partner, box, (twins < across) & complete)


def _beta(alpha: float, generator: torch.Generator) -> float:
    """A beta(alpha, alpha) number from a generator's state."""
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        return float(torch.distributions.Beta(alpha, alpha).sample())
    finally:
        torch.random.set_rng_state(state)


def _box(size: tuple[int, int], share: float, generator: torch.Generator) -> tuple[tuple[int, int, int, int], float]:
    """A rectangle of 1 - ``share`` of the area around a random centre, cut at the border, and the share then left."""
    height, width = size
    half = [round(side * math.sqrt(1 - share) / 2) for side in size]
    at = [int(torch.randint(side, (1,), generator=generator)) for side in size]
    top, bottom = max(0, at[0] - half[0]), min(height, at[0] + half[0])
    left, right = max(0, at[1] - half[1]), min(width, at[1] + half[1])
    return (top, bottom, left, right), 1 - (bottom - top) * (right - left) / (height * width)


def mix_images(images: list[Tensor], mix: Mix) -> list[Tensor]:
    """Images of each sensor, shape (B, 3, h, w), mixed as drawn; ``across`` takes the next sensor's image."""
    device = images[0].device
    share, partner, across = mix.share.to(device), mix.partner.to(device), mix.across.to(device)
    found = []
    for slot, own in enumerate(images):
        twin = images[(slot + 1) % len(images)]
        weight = share[:, None, None, None]
        if mix.box is None:
            mixed = weight * own + (1 - weight) * own[partner]
        else:
            top, bottom, left, right = mix.box
            mixed = own.clone()
            cut = own[partner][:, :, top:bottom, left:right]
            whole = (share == 1)[:, None, None, None]
            mixed[:, :, top:bottom, left:right] = torch.where(whole, own[:, :, top:bottom, left:right], cut)
        if bool(across.any()):
            blend = 0.5 * own + 0.5 * twin
            mixed = torch.where(across[:, None, None, None], blend, mixed)
        found.append(mixed)
    return found


def mix_targets(targets: Tensor, mix: Mix) -> Tensor:
    """Class probabilities, shape (B, C), mixed as the images are; a pair mixed with its own twin keeps its own."""
    share, partner = mix.share.to(targets.device), mix.partner.to(targets.device)
    share = torch.where(mix.across.to(targets.device), 1.0, share)[:, None].to(targets.dtype)
    return share * targets + (1 - share) * targets[partner]
