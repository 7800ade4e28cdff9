"""The loss of pairs that the network does not learn from, on crops that never change."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.training.batches import Pictures, step_generator
from rice_ssl.training.objective import Objective
from rice_ssl.training.view_plan import ViewPlan


class Validation:
    """Losses of the validation pairs; every process computes them on all of these.

    Args:
        objective: as training has it.
        plan: crops of the validation pairs.
        pictures: decoded pictures.
        batch_size: samples whose codes are computed together; a rest of fewer is left out, where there is more.
        seed: of the crops.
    """

    def __init__(self, objective: Objective, plan: ViewPlan, pictures: Pictures, batch_size: int, seed: int) -> None:
        """Note what to judge."""
        self.objective = Objective(objective.config, objective.assigned, objective.local)
        self.plan, self.pictures, self.batch_size, self.seed = plan, pictures, batch_size, seed

    @torch.no_grad()
    def losses(self, model: nn.Module, prototypes: Tensor, queue: ProjectionQueue | None) -> tuple[float, float]:
        """Loss as training has it at this time, and the reference loss, in nats; NaN with fewer than two pairs.

        Args:
            model: in evaluation mode.
            prototypes: shape (K, P).
            queue: joins the codes where training uses it.
        """
        losses, references = self.each(model, prototypes, queue)
        return (float(np.mean(losses)), float(np.mean(references))) if losses else (math.nan, math.nan)

    @torch.no_grad()
    def each(
        self, model: nn.Module, prototypes: Tensor, queue: ProjectionQueue | None
    ) -> tuple[list[float], list[float]]:
        """The same of each batch; empty with fewer than two pairs."""
        count = len(self.plan.rows)
        losses: list[float] = []
        references: list[float] = []
        if count < 2:
            return losses, references
        for number, at in enumerate(range(0, count - count % self.batch_size or 1, self.batch_size)):
            samples = np.arange(at, min(at + self.batch_size, count))
            generator = step_generator(self.seed, number, self.pictures.device, purpose=1)
            crops = self.plan.crops(self.pictures, samples, generator)
            outputs = self.objective.outputs(model, (crops.assigned, crops.local))
            losses.append(float(self.objective.loss(outputs, prototypes, queue)[0].loss))
            references.append(self.objective.reference(outputs, prototypes))
        return losses, references
