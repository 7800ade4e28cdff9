"""The objective of a pretraining step: crops in, loss and what the loss alone would hide out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rice_ssl.config import PretrainConfig
from rice_ssl.models.swav import SwAV
from rice_ssl.swav.loss import SwappedLoss, swapped_loss
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.swav.sinkhorn import balanced_codes


@dataclass(frozen=True)
class StepOutput:
    """What a step computed: its loss, projections (B, P) and codes (B, K) of each assigned view, logits of every crop."""

    result: SwappedLoss
    projections: list[Tensor]
    codes: list[Tensor]
    logits: list[Tensor]


class Objective:
    """Swapped prediction over all crops, codes from the batch and, when asked, the queue.

    Args:
        config: epsilon, rounds, temperature.
        assigned: number of assigned views.
        local: number of local crops.
    """

    def __init__(self, config: PretrainConfig, assigned: int, local: int) -> None:
        self.config, self.assigned, self.local = config, assigned, local

    def __call__(
        self, model: nn.Module, prototypes: Tensor, crops: tuple[Tensor, Tensor | None], queue: ProjectionQueue | None
    ) -> StepOutput:
        """Run the network on crops (see :meth:`ViewPlan.crops`) and compute the loss."""
        first, second = crops
        _, projection, logits = model(first)
        every = list(logits.chunk(self.assigned))
        if second is not None:
            every += list(model(second)[2].chunk(self.local))
        projections = list(projection.chunk(self.assigned))
        codes = self.codes(projections, prototypes, queue)
        return StepOutput(self._loss(every, codes), projections, codes, every)

    @torch.no_grad()
    def reference(self, output: StepOutput, prototypes: Tensor) -> float:
        """The same step's loss without the queue: an objective that the queue's start does not change."""
        codes = self.codes(output.projections, prototypes, None)
        return float(self._loss([crop.detach() for crop in output.logits], codes).loss)

    @torch.no_grad()
    def codes(
        self, projections: Sequence[Tensor], prototypes: Tensor, queue: ProjectionQueue | None
    ) -> list[Tensor]:
        """Codes of each assigned view's batch, balanced together with that view's queue where one is given."""
        found = []
        for view, own in enumerate(projections):
            joined = own if queue is None else torch.cat([own.float(), queue.view(view)])
            logits = joined.float() @ prototypes.float().T
            codes = balanced_codes(logits, epsilon=self.config.epsilon, rounds=self.config.sinkhorn_rounds)
            found.append(codes[: len(own)])
        return found

    def _loss(self, logits: Sequence[Tensor], codes: Sequence[Tensor]) -> SwappedLoss:
        return swapped_loss(logits, codes, range(self.assigned), temperature=self.config.temperature)


def assignment_metrics(codes: Sequence[Tensor], slots: Sequence[int]) -> dict[str, float]:
    """How a batch uses its prototypes.

    Args:
        codes: of each assigned view, each (B, K).
        slots: the slot (sensor) of each assigned view.

    Returns:
        ``prototype_perplexity``: exp of the entropy of the arg-max assignments' frequencies, in [1, K];
        ``dead_prototypes``: prototypes that no image of the batch is assigned to;
        ``sensor_agreement``: share of pairs whose two sensors' views are assigned to one prototype (two slots only).
    """
    picks = torch.stack([code.argmax(dim=1) for code in codes])
    share = torch.bincount(picks.flatten(), minlength=codes[0].shape[1]).float() / picks.numel()
    found = {
        "prototype_perplexity": float(torch.special.entr(share).sum().exp()),
        "dead_prototypes": float((share == 0).sum()),
    }
    if len(slots) > 1 and slots[0] != slots[1]:
        found["sensor_agreement"] = float((picks[0] == picks[1]).float().mean())
    return found
