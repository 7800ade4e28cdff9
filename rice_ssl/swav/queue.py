"""The queue of projections that joins a small batch when codes are computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from rice_ssl.errors import InputError

Kind = Literal["per-view", "original"]


class ProjectionQueue(nn.Module):
    """First in, first out memory of projections; part of every checkpoint.

    ``per-view``: one memory for each assigned view, filled from the first step on, and usable only when full.
    ``original``: as the package behind mwalimu-128 has it: one memory, of the first assigned view alone, joined to the
    codes of every view; full of random unit vectors from the start; and ``before_codes`` a batch is put in *before* its
    codes are computed, so that it is counted twice.

    Args:
        views: assigned views, >= 1.
        length: projections kept for each view, >= 0; 0 means no queue.
        size: size of a projection.
        batch_size: projections that arrive at once.
        kind: one of the above.

    Raises:
        InputError: the length is no multiple of the batch size.

    Source:
        Caron et al. 2020, section 3.1 (arXiv 2006.09882); self-supervised 1.0.4 for ``original``.
    """

    projections: Tensor
    filled: Tensor

    def __init__(self, views: int, length: int, size: int, batch_size: int, kind: Kind = "per-view") -> None:
        """Make an empty queue; an ``original`` one draws its vectors from PyTorch's global generator."""
        super().__init__()
        if length % batch_size:
            raise InputError(
                f"pretrain.queue_length is {length}, which is no multiple of pretrain.batch_size ({batch_size}): "
                f"take {length // batch_size * batch_size or batch_size}."
            )
        self.length, self.kind = length, kind
        original = kind == "original"
        random = functional.normalize(torch.randn(1, length, size), dim=2) if original else None
        self.register_buffer("projections", torch.zeros(views, length, size) if random is None else random)
        self.register_buffer("filled", torch.tensor(length if original else 0))

    @property
    def before_codes(self) -> bool:
        """Whether a batch goes in before its codes are computed."""
        return self.kind == "original"

    @property
    def is_full(self) -> bool:
        """Whether every slot holds a projection."""
        return self.length > 0 and int(self.filled) >= self.length

    def view(self, view: int) -> Tensor:
        """Projections that join one assigned view, newest first, shape (length, size)."""
        return self.projections[0 if self.kind == "original" else view]

    @torch.no_grad()
    def push(self, projections: Sequence[Tensor]) -> None:
        """Put a batch in front, for each view that is kept, and let the oldest go.

        Args:
            projections: one (B, size) tensor for each assigned view.
        """
        if self.length == 0:
            return
        for view, batch in enumerate(projections[: len(self.projections)]):
            kept = self.projections[view, : self.length - len(batch)].clone()
            self.projections[view] = torch.cat([batch.to(self.projections.dtype), kept])
        self.filled += len(projections[0])
