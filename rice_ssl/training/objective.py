"""The objective of a pretraining step: crops in, loss and what the loss alone would hide out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rice_ssl.config import PretrainConfig
from rice_ssl.swav.loss import SwappedLoss, swapped_loss
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.swav.sinkhorn import balanced_codes


@dataclass(frozen=True)
class StepOutput:
    """What a step computed: loss; projections (B, P), codes (B, K) of each assigned view; logits (B, K) of a crop."""

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
        """Note the settings."""
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
    def codes(self, projections: Sequence[Tensor], prototypes: Tensor, queue: ProjectionQueue | None) -> list[Tensor]:
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


def sensor_agreement(codes: Sequence[Tensor], slots: Sequence[int], complete: Tensor) -> float:
    """Share of pairs whose two sensors' images are assigned to one prototype (arg-max of their codes), in [0, 1].

    Args:
        codes: of each assigned view, each (B, K).
        slots: the slot (sensor) of each assigned view; the first two are compared.
        complete: whether the pair has both pictures, bool, shape (B,).

    Returns:
        NaN where there is nothing to compare: one sensor only, or no complete pair.
    """
    if len(slots) < 2 or slots[0] == slots[1] or not bool(complete.any()):
        return math.nan
    same = codes[0].argmax(dim=1) == codes[1].argmax(dim=1)
    return float(same[complete].float().mean())
