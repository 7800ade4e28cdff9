"""Balanced codes: the Sinkhorn-Knopp step of SwAV."""

from __future__ import annotations

import torch
from torch import Tensor

from rice_ssl.swav.ranks import Ranks


@torch.no_grad()
def balanced_codes(
    logits: Tensor,
    *,
    epsilon: float = 0.05,
    rounds: int = 3,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Tensor:
    """Turn prototype logits into soft codes that use all prototypes equally.

    Computed in float32: exp(1 / 0.05) overflows float16.

    Args:
        logits: cosine similarities in [-1, 1], shape (N, K): N projections (batch and queue), K prototypes.
        epsilon: entropy weight, > 0, no unit. Smaller is sharper.
        rounds: Sinkhorn-Knopp rounds, >= 1.
        ranks: processes that each hold some of the rows; the codes are balanced over the rows of all.

    Returns:
        Codes, shape (N, K), float32. Rows sum to 1; columns approach N / K.

    Raises:
        ValueError: not 2-D, not finite, or a setting out of range; the message gives the value.

    Source:
        Caron et al. 2020, eq. 3-5 (arXiv 2006.09882). Differs: works in log space.
    """
    if logits.ndim != 2:
        raise ValueError(f"logits have {logits.ndim} dimensions, shape {tuple(logits.shape)}; give (N, K)")
    if epsilon <= 0 or rounds < 1:
        raise ValueError(f"epsilon is {epsilon} and rounds is {rounds}; give epsilon > 0 and rounds >= 1")
    scores = logits.float() / epsilon
    if not torch.isfinite(scores).all():
        raise ValueError("logits hold NaN or infinity; the projections before them are not finite")
    for _ in range(rounds):
        scores = scores - ranks.logsumexp(scores)  # every prototype gets the same mass
        scores = scores - torch.logsumexp(scores, dim=1, keepdim=True)  # every image hands out a mass of 1
    return scores.exp()


def entropy(codes: Tensor) -> Tensor:
    """Mean entropy of codes in nats, in [0, ln K].

    Args:
        codes: rows that sum to 1, shape (N, K).
    """
    total: Tensor = torch.special.entr(codes).sum(dim=1)
    return total.mean()
