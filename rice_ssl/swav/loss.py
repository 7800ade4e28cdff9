"""The swapped prediction loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rice_ssl.swav.sinkhorn import entropy


@dataclass(frozen=True)
class SwappedLoss:
    """A batch's loss and its two parts.

    Attributes:
        loss: mean cross-entropy in nats, a scalar with a gradient.
        code_entropy: H(q), the part that no network can remove, in [0, ln K].
        kl: KL(q || p), the part that learning removes; ``loss`` = ``code_entropy`` + ``kl``.
    """

    loss: Tensor
    code_entropy: float
    kl: float


def swapped_loss(
    logits: Sequence[Tensor], codes: Sequence[Tensor], assigned: Sequence[int], *, temperature: float = 0.1
) -> SwappedLoss:
    """Predict the code of every assigned view from every other crop of the same sample.

    Args:
        logits: prototype logits of every crop, each (B, K).
        codes: balanced codes of the assigned views, each (B, K), rows sum to 1.
        assigned: index into ``logits`` of each entry of ``codes``.
        temperature: divides the logits, > 0.

    Returns:
        Mean over assigned views, and over the other crops of each.

    Raises:
        ValueError: fewer than two crops, or as many codes as assigned views are not given.

    Source:
        Caron et al. 2020, eq. 1-2 (arXiv 2006.09882), with the multi-crop mean of its section 3.2.
    """
    if len(logits) < 2 or len(codes) != len(assigned) or not codes:
        raise ValueError(f"{len(logits)} crops, {len(codes)} codes, {len(assigned)} assigned views; give 2+, n and n")
    exact = [crop.to(torch.promote_types(crop.dtype, torch.float32)) for crop in logits]  # float16 is too coarse
    predicted = [torch.log_softmax(crop / temperature, dim=1) for crop in exact]
    parts = []
    for code, own in zip(codes, assigned, strict=True):
        others = [-(code * log_p).sum(dim=1).mean() for crop, log_p in enumerate(predicted) if crop != own]
        parts.append(torch.stack(others).mean())
    loss = torch.stack(parts).mean()
    floor = float(torch.stack([entropy(code) for code in codes]).mean())
    return SwappedLoss(loss, floor, float(loss.detach()) - floor)
