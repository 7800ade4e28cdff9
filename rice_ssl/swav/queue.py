"""The queue of projections that joins a small batch when codes are computed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rice_ssl.errors import InputError


class ProjectionQueue(nn.Module):
    """First in, first out, one row of memory for each assigned view; part of every checkpoint.

    It is filled from the first step on, and gives its projections only when full.

    Args:
        views: assigned views, >= 1.
        length: projections kept for each view, >= 0; 0 means no queue.
        size: size of a projection.
        batch_size: projections that arrive at once.

    Raises:
        InputError: the length is no multiple of the batch size.
    """

    projections: Tensor
    filled: Tensor

    def __init__(self, views: int, length: int, size: int, batch_size: int) -> None:
        """Make an empty queue."""
        super().__init__()
        if length % batch_size:
            raise InputError(
                f"Queue length {length} is no multiple of batch size {batch_size}: "
                f"take {length // batch_size * batch_size or batch_size}."
            )
        self.length = length
        self.register_buffer("projections", torch.zeros(views, length, size))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    @property
    def is_full(self) -> bool:
        """Whether every slot holds a projection."""
        return self.length > 0 and int(self.filled) >= self.length

    def view(self, view: int) -> Tensor:
        """Projections of one assigned view, newest first, shape (length, size)."""
        return self.projections[view]

    @torch.no_grad()
    def push(self, projections: list[Tensor]) -> None:
        """Put a batch in front, for each view, and let the oldest go.

        Args:
            projections: one (B, size) tensor for each assigned view.
        """
        if self.length == 0:
            return
        for view, batch in enumerate(projections):
            kept = self.projections[view, : self.length - len(batch)].clone()
            self.projections[view] = torch.cat([batch.to(self.projections.dtype), kept])
        self.filled += len(projections[0])
