"""The encoder's stages: discriminative learning rates, and which of them learn yet."""

from __future__ import annotations

from typing import Any

from timm.models import group_parameters
from torch import nn

from rice_ssl.models.encoder import Encoder


def encoder_stages(encoder: Encoder) -> list[list[nn.Parameter]]:
    """Parameters of an encoder's stages, the stem first, as timm groups them; one stage where timm knows none."""
    network = encoder.network
    every = dict(network.named_parameters())
    matcher = getattr(network, "group_matcher", None)
    if matcher is None:
        return [list(every.values())]
    groups = group_parameters(network, matcher(coarse=True))
    stages = [[every[name] for name in names if name in every] for _, names in sorted(groups.items())]
    return [stage for stage in stages if stage]


def parameter_groups(
    stages: list[list[nn.Parameter]], head: list[nn.Parameter], *, encoder_factor: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Groups for an optimizer, each with the ``factor`` of its learning rate: the head's is 1.

    Args:
        stages: the stem first.
        head: what follows the encoder.
        encoder_factor: of the last stage, > 0.
        layer_decay: of each stage against the one above it, in (0, 1].

    Source:
        Howard and Ruder 2018 (arXiv 1801.06146): discriminative fine-tuning.
    """
    groups: list[dict[str, Any]] = [
        {"params": stage, "factor": encoder_factor * layer_decay**depth}
        for depth, stage in zip(range(len(stages) - 1, -1, -1), stages, strict=True)
    ]
    return [*groups, {"params": head, "factor": 1.0}]


def learning_stages(epoch: int, stages: int, *, frozen_epochs: int, unfreeze_epochs: int) -> int:
    """How many stages, from the last one down, learn in an epoch (counted from 0).

    Source:
        Howard and Ruder 2018 (arXiv 1801.06146): gradual unfreezing.
    """
    if epoch < frozen_epochs:
        return 0
    if unfreeze_epochs == 0:
        return stages
    return min(stages, 1 + (epoch - frozen_epochs) // unfreeze_epochs)


def thaw(encoder: Encoder, stages: list[list[nn.Parameter]], learning: int) -> None:
    """Let the last ``learning`` stages learn; the statistics of normalisation stand still where the rest does."""
    for number, stage in enumerate(stages):
        for parameter in stage:
            parameter.requires_grad_(number >= len(stages) - learning)
    for module in encoder.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
