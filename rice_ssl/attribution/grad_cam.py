"""Grad-CAM of every class from the encoder's one forward pass."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def grad_cam(features: Tensor, classify: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Compute logits and a CAM for every class from a feature map.

    Only what follows the feature map is differentiated, so the encoder's forward pass is neither repeated nor kept.

    Args:
        features: last feature map, shape (B, D, h, w).
        classify: feature map to logits, shape (B, C); each row may depend on its own picture only (evaluation mode).

    Returns:
        Logits, shape (B, C), and CAMs, shape (B, C, h, w), >= 0, in the logits' unit, not normalised, so that maps of
        two sensors can be put on one scale.

    Source:
        Selvaraju et al. 2017, eq. 1-2 (arXiv 1610.02391): ReLU of the feature maps weighted by their mean gradient.
    """
    leaf = features.detach().requires_grad_()
    with torch.enable_grad():
        logits = classify(leaf)
        cams = []
        for number in range(logits.shape[1]):
            last = number == logits.shape[1] - 1
            (gradient,) = torch.autograd.grad(logits[:, number].sum(), leaf, retain_graph=not last)
            weight = gradient.mean(dim=(2, 3), keepdim=True)
            cams.append((weight * leaf.detach()).sum(dim=1).relu())
    return logits.detach(), torch.stack(cams, dim=1)
