"""The objective of a pretraining step: crops in, loss and what the loss alone would hide out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rice_ssl.config import PretrainConfig
from rice_ssl.swav.loss import SwappedLoss, swapped_loss
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.swav.ranks import Ranks
from rice_ssl.swav.sinkhorn import balanced_codes


@dataclass(frozen=True)
class Outputs:
    """What the network made of a batch's crops.

    Attributes:
        embeddings: of the assigned views, view by view, shape (A * B, E).
        projections: of each assigned view, (B, P).
        logits: prototype logits of every crop, (B, K), assigned views first.
    """

    embeddings: Tensor
    projections: list[Tensor]
    logits: list[Tensor]


class Objective:
    """Swapped prediction over all crops, codes from the batch and, when asked, the queue.

    Args:
        config: epsilon, rounds, temperature.
        assigned: number of assigned views.
        local: number of local crops.
        ranks: processes that share the batch; codes are balanced over the whole of it.
    """

    def __init__(self, config: PretrainConfig, assigned: int, local: int, ranks: Ranks = Ranks()) -> None:  # noqa: B008
        """Note the settings."""
        self.config, self.assigned, self.local, self.ranks = config, assigned, local, ranks

    def outputs(
        self, model: Callable[..., tuple[Tensor, Tensor, Tensor]], crops: tuple[Tensor, Tensor | None]
    ) -> Outputs:
        """Run the network on assigned views and local crops (see :meth:`ViewPlan.crops`)."""
        first, second = crops
        embeddings, projections, logits = model(*crops)
        count = len(first)
        every = list(logits[:count].chunk(self.assigned))
        every += list(logits[count:].chunk(self.local)) if second is not None else []
        return Outputs(embeddings[:count].detach(), list(projections[:count].chunk(self.assigned)), every)

    def loss(
        self, outputs: Outputs, prototypes: Tensor, queue: ProjectionQueue | None
    ) -> tuple[SwappedLoss, list[Tensor]]:
        """The loss, and the codes of each assigned view, each (B, K); ``queue`` joins them where it is given."""
        codes = self.codes(outputs.projections, prototypes, queue)
        return self._loss(outputs.logits, codes), codes

    @torch.no_grad()
    def reference(self, outputs: Outputs, prototypes: Tensor) -> float:
        """The same batch's loss without the queue: an objective that the queue's start does not change."""
        codes = self.codes(outputs.projections, prototypes, None)
        return float(self._loss([crop.detach() for crop in outputs.logits], codes).loss)

    @torch.no_grad()
    def codes(self, projections: Sequence[Tensor], prototypes: Tensor, queue: ProjectionQueue | None) -> list[Tensor]:
        """Codes of each assigned view's batch, balanced together with that view's queue where one is given.

        Of the queue, which all processes hold alike, each computes its share of the logits.
        """
        found = []
        for view, own in enumerate(projections):
            joined = own.float()
            if queue is not None:
                joined = torch.cat([joined, queue.view(view)[self.ranks.rank :: self.ranks.world]])
            logits = joined @ prototypes.float().T
            codes = balanced_codes(
                logits, epsilon=self.config.epsilon, rounds=self.config.sinkhorn_rounds, ranks=self.ranks
            )
            found.append(codes[: len(own)])
        return found

    def _loss(self, logits: Sequence[Tensor], codes: Sequence[Tensor]) -> SwappedLoss:
        return swapped_loss(logits, codes, range(self.assigned), temperature=self.config.temperature)


def sensor_agreement(assignments: Sequence[Tensor], slots: Sequence[int], complete: Tensor) -> float:
    """Share of pairs whose two sensors' images are assigned to one prototype (arg-max of their codes), in [0, 1].

    Args:
        assignments: of each assigned view, each (B,).
        slots: the slot (sensor) of each assigned view; the first two are compared.
        complete: whether the pair has both pictures, bool, shape (B,).

    Returns:
        NaN where there is nothing to compare: one sensor only, or no complete pair.
    """
    if len(slots) < 2 or slots[0] == slots[1] or not bool(complete.any()):
        return math.nan
    return float((assignments[0] == assignments[1])[complete].float().mean())
