"""CAMs of what is no class: of the prototype an image belongs to, and of the likeness of two images."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from rice_ssl.attribution.grad_cam import CAM_METHODS
from rice_ssl.errors import InputError
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.swav import SwAV


def prototype_cams(swav: SwAV, images: Tensor, prototypes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Which region makes an image belong to its prototype, or to a given one.

    Args:
        swav: in evaluation mode.
        images: normalised, shape (B, 3, H, W).
        prototypes: numbers, int64, shape (B,), each in [0, K); where None, those of the largest prototype logits.

    Returns:
        The numbers, shape (B,), and Grad-CAMs of their prototype logits, shape (B, h, w), >= 0; a prototype logit is a
        cosine, so the maps have no unit.

    Raises:
        InputError: numbers that do not fit; the message gives them.
    """
    with torch.no_grad():
        features = swav.encoder.feature_map(images)
    return prototype_maps(swav, features, prototypes)


def prototype_maps(swav: SwAV, features: Tensor, prototypes: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """:func:`prototype_cams` of feature maps of SwAV's encoder, shape (B, D, h, w)."""
    leaf = features.detach().requires_grad_()
    with torch.enable_grad():
        logits = cast(Tensor, swav.prototypes(swav.project(swav.encoder.pool(leaf))))
        numbers = logits.argmax(dim=1) if prototypes is None else _checked(prototypes, logits)
        (gradient,) = torch.autograd.grad(logits.gather(1, numbers[:, None]).sum(), leaf)
    return numbers, CAM_METHODS["grad_cam"](leaf.detach(), gradient)


def _checked(prototypes: Tensor, logits: Tensor) -> Tensor:
    numbers = prototypes.to(logits.device)
    count = logits.shape[1]
    if numbers.shape != logits.shape[:1] or bool(((numbers < 0) | (numbers >= count)).any()):
        raise InputError(
            f"Prototypes {numbers.tolist()} were asked for: give each of the {len(logits)} images a number from 0 to "
            f"{count - 1}."
        )
    return numbers.long()


def similarity_cams(encoder: Encoder, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Which regions of two images make the encoder take them for the same.

    Args:
        encoder: in evaluation mode.
        first: normalised images, shape (B, 3, H, W).
        second: those that they are compared with, one by one, of the same shape.

    Returns:
        Cosines of the embeddings, in [-1, 1], shape (B,), and Grad-CAMs of the cosine in the last feature map of the
        first and of the second images, each of shape (B, h, w), >= 0, without a unit.

    Raises:
        InputError: as many first images as second ones are needed.

    Source:
        Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391) with the cosine as its score. Stylianou et al. 2019 (arXiv
        1901.00536) instead split the cosine of averaged embeddings exactly into a part for each cell; the gradient,
        unlike that split, also serves maximum pooling, and leaves out what a change of the embedding's length would
        do: with average pooling a map sums to 0 before its ReLU, and shows where an image is more like the other one
        than it is on the whole. Chen et al. 2020 (arXiv 2001.06538) adapt Grad-CAM to embeddings by the loss of
        triplets, and average its weights over many of them; here a pair needs no other images.
    """
    if first.shape != second.shape:
        raise InputError(
            f"The first images are of shape {tuple(first.shape)}, the second of {tuple(second.shape)}: give as many of "
            "one size."
        )
    with torch.no_grad():
        features = encoder.feature_map(torch.cat([first, second]))
    return similarity_maps(encoder, *features.chunk(2))


def similarity_maps(encoder: Encoder, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """:func:`similarity_cams` of feature maps of the encoder, each of shape (B, D, h, w)."""
    leaves = [features.detach().requires_grad_() for features in (first, second)]
    with torch.enable_grad():
        cosines = functional.cosine_similarity(encoder.pool(leaves[0]), encoder.pool(leaves[1]))
        gradients = torch.autograd.grad(cosines.sum(), leaves)
    of_first, of_second = (
        CAM_METHODS["grad_cam"](leaf.detach(), gradient) for leaf, gradient in zip(leaves, gradients, strict=True)
    )
    return cosines.detach(), of_first, of_second
