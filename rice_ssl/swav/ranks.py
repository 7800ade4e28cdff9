"""The processes of one training, and what they tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """One process among ``world``; alone, every method gives back what it is given.

    With more than one, PyTorch's default process group must be initialised (Lightning Fabric does), and all processes
    must call the same methods in the same order.

    Attributes:
        rank: number of this process, in [0, world).
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """This process' share of a batch of ``count``, which must be divisible by ``world``; shares lie in rank order.

        Raises:
            ValueError: it is not divisible.
        """
        if count % self.world:
            raise ValueError(f"a batch of {count} cannot be shared by {self.world} processes; give a multiple")
        size = count // self.world
        return slice(self.rank * size, (self.rank + 1) * size)

    def gather(self, tensor: Tensor) -> Tensor:
        """The tensors of all processes, all of one shape (n, ...), joined in rank order, shape (n * world, ...)."""
        if self.world == 1:
            return tensor
        parts = [torch.empty_like(tensor) for _ in range(self.world)]
        dist.all_gather(parts, tensor.contiguous())
        return torch.cat(parts)

    def logsumexp(self, scores: Tensor) -> Tensor:
        """Log of the sum of exponentials over the rows (n, K) of all processes, shape (1, K)."""
        if self.world == 1:
            return torch.logsumexp(scores, dim=0, keepdim=True)
        top = scores.amax(dim=0, keepdim=True)
        dist.all_reduce(top, dist.ReduceOp.MAX)
        total = (scores - top).exp().sum(dim=0, keepdim=True)
        dist.all_reduce(total)
        return top + total.log()

    def mean(self, *values: float) -> list[float]:
        """Mean over the processes of each value."""
        if self.world == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total, dist.ReduceOp.SUM, group=_cpu_group())
        return [float(value) / self.world for value in total]

    def wait(self) -> None:
        """Wait until all processes have come this far."""
        if self.world > 1:
            dist.barrier(group=_cpu_group())

    def leave(self) -> None:
        """Part from the other processes when all of them are done; a group still up when Python ends may abort it."""
        if self.world > 1 and dist.is_initialized():
            self.wait()
            _groups.clear()
            dist.destroy_process_group()

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in at least one process."""
        return self.mean(float(flag))[0] > 0


_groups: list[Any] = []


def _cpu_group() -> Any:
    """A group whose messages are numbers on the CPU: NCCL's own takes none, and would make every step wait."""
    if not _groups:
        _groups.append(None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo"))
    return _groups[0]
