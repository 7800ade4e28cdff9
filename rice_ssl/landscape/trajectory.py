"""What the tests need of a training: its kept checkpoints, and its loss on batches that stay the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import pandas as pd
from torch import Tensor

Side = Literal["without", "with"]
"""The objective without and with the event under test; the same where the event leaves the objective as it is."""
Loss = Callable[[Sequence[Tensor]], Tensor]
"""Parameters, as :meth:`Trajectory.parameters` orders them -> loss, a scalar that can be differentiated twice."""


class Trajectory(Protocol):
    """A training whose kept checkpoints can be looked at again.

    Own trainings implement it in :mod:`rice_ssl.landscape.swav_run`; for another trainer write one such class.
    """

    @property
    def kept(self) -> Sequence[int]:
        """Steps before which checkpoints were kept, rising."""

    @property
    def changes_objective(self) -> bool:
        """Whether the event under test makes the two sides differ."""

    def load(self, step: int) -> None:
        """Put everything as it was before that step."""

    def parameters(self) -> list[Tensor]:
        """What training moves, at the loaded point; the tensors may be written to."""

    def losses(self, split: str, side: Side) -> list[float]:
        """Loss of each fixed batch at the loaded checkpoint, as training computes it; empty where there is no batch."""

    def settle(self) -> None:
        """Estimate statistics of normalisation anew at the present parameters, and keep them from there on."""

    def frozen(self, side: Side) -> list[Loss]:
        """Loss of each fixed training batch as a function of the parameters alone.

        Codes, crops, queue and statistics of normalisation are those of the present point and stay as they are.
        """

    def continuation(self, step: int, steps: int, side: Side) -> pd.DataFrame | None:
        """Train on from a checkpoint with or without the event.

        Args:
            step: of the checkpoint.
            steps: to train.
            side: with or without the event.

        Returns:
            Columns step, loss, reference_loss (an objective that the event leaves as it is); None where the training
            cannot go on without the event.

        Raises:
            KeyboardInterrupt: it was stopped by a signal.
        """
