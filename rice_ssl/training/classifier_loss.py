"""The loss of the classifier: of each image judged alone, and of the pair."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional


def balanced_weights(targets: npt.NDArray[np.int64], classes: int) -> Tensor:
    """Weight of each class, N / (classes there * n_c), shape (C,); 0 for a class that has no pair.

    Source: scikit-learn's ``class_weight="balanced"``.
    """
    counts = np.bincount(targets, minlength=classes)
    there = counts > 0
    weights = np.divide(counts.sum() / max(1, there.sum()), counts, out=np.zeros(classes), where=there)
    return torch.tensor(weights, dtype=torch.float32)


def pair_loss(
    logits: Tensor,
    joined: Tensor,
    present: Tensor,
    targets: Tensor,
    *,
    smoothing: float = 0.0,
    weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy in nats: the mean over the images that are there, plus the pairs' where a pair has two or more.

    Args:
        logits: of images judged alone, shape (B, S, C).
        joined: of the pairs, shape (B, C).
        present: bool, shape (B, S).
        targets: class probabilities, shape (B, C).
        smoothing: of the labels, in [0, 1).
        weights: of the classes, shape (C,); none where None.
    """
    slots = logits.shape[1]
    each = functional.cross_entropy(
        logits.flatten(0, 1),
        targets.repeat_interleave(slots, dim=0),
        label_smoothing=smoothing,
        weight=weights,
        reduction="none",
    )
    loss = each[present.flatten()].mean()
    if slots > 1:
        loss = loss + functional.cross_entropy(joined, targets, label_smoothing=smoothing, weight=weights)
    return loss


def distillation_loss(
    logits: Tensor, joined: Tensor, present: Tensor, taught: tuple[Tensor, Tensor], temperature: float
) -> Tensor:
    """Divergence from a teacher's answers, in nats, of images and pairs as :func:`pair_loss` has it.

    Args:
        logits: the student's, shape (B, S, C).
        joined: of the pairs, shape (B, C).
        present: bool, shape (B, S).
        taught: the teacher's ``logits`` and ``joined`` on the same images.
        temperature: of both, > 0; the divergence is multiplied by its square, so that its gradient keeps its size.

    Source:
        Hinton et al. 2015 (arXiv 1503.02531), section 2.
    """

    def divergence(student: Tensor, teacher: Tensor) -> Tensor:
        return functional.kl_div(
            (student / temperature).log_softmax(dim=-1),
            (teacher / temperature).log_softmax(dim=-1),
            reduction="none",
            log_target=True,
        ).sum(dim=-1)

    loss = divergence(logits, taught[0])[present].mean()
    if logits.shape[1] > 1:
        loss = loss + divergence(joined, taught[1]).mean()
    return loss * temperature**2
