"""Watch over the last steps of pretraining: which prototypes they used, and whether training collapsed."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

PICKS_PER_PROTOTYPE = 8
"""Images kept for each prototype: used evenly, one in 3,000 prototypes would look dead by chance."""
STUCK_WITHIN = 1e-3
"""Losses this close to ln K on average (nats) count as stuck; learning moves single batches by 0.1 and more."""
_LEAST_STEPS, _MOST_STEPS = 20, 500


class CollapseWatch:
    """Losses and nearest prototypes of the last steps; part of every checkpoint.

    Args:
        prototypes: K.
        images: images judged at each step (batch size times assigned views).
        steps: of the whole training; a tenth of them (20 to 500) must look collapsed before it is called so.
    """

    def __init__(self, prototypes: int, images: int, steps: int) -> None:
        """Begin with nothing seen."""
        self.prototypes = prototypes
        self.steps = min(max(steps // 10, _LEAST_STEPS), _MOST_STEPS)
        self.kept = math.ceil(PICKS_PER_PROTOTYPE * prototypes / images) * images
        self._losses: list[float] = []
        self._picks = torch.zeros(0, dtype=torch.long)

    def note(self, loss: float, nearest: Tensor) -> None:
        """Take in a step.

        Args:
            loss: in nats.
            nearest: prototype that each image of the assigned views is nearest to, shape (images,).
        """
        self._losses = [*self._losses, loss][-self.steps :]
        self._picks = torch.cat([self._picks, nearest.cpu()])[-self.kept :]

    def use(self) -> dict[str, float]:
        """How the last images used the prototypes; an image counts for the one it is nearest to.

        Nearest, and not the arg-max of the code: codes are balanced even where the network gives all images one place.

        Returns:
            ``prototype_perplexity``: exp of the entropy of their shares, in [1, K]; ``dead_prototypes``: those that no
            image is nearest to. Over the last 8 K images; before that the first is too low, the second too high.
        """
        share = torch.bincount(self._picks, minlength=self.prototypes).double() / max(1, len(self._picks))
        return {
            "prototype_perplexity": float(torch.special.entr(share).sum().exp()),
            "dead_prototypes": float((share == 0).sum()),
        }

    def fault(self) -> str | None:
        """What is wrong with the last steps in half a sentence, or None."""
        floor = math.log(self.prototypes)
        if len(self._losses) == self.steps and sum(abs(x - floor) for x in self._losses) < STUCK_WITHIN * self.steps:
            return f"for {self.steps} steps the loss has stayed at ln K = {floor:.3f} nats (all prototypes look alike)"
        full = len(self._losses) == self.steps and len(self._picks) == self.kept
        if full and bool((self._picks == self._picks[0]).all()):
            return f"the last {self.kept} images are all nearest to one prototype"
        return None

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"losses": list(self._losses), "picks": self._picks.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state_dict` gave."""
        self._losses, self._picks = list(state["losses"]), state["picks"].clone()
