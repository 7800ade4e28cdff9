"""Extreme eigenvalues of the Hessian by Lanczos on Hessian-vector products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from rice_ssl.errors import TrainingError
from rice_ssl.landscape.trajectory import Loss

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Extremes:
    """Both ends of a spectrum.

    Attributes:
        lowest: smallest eigenvalues, rising, shape (D,).
        directions: their eigenvectors of unit length, shape (D, n).
        largest: the largest eigenvalue.
        residual: largest ||H v - lambda v|| among the two outermost pairs: each lies so close to an eigenvalue.
        products: Hessian-vector products that it took.
    """

    lowest: Floats
    directions: Floats
    largest: float
    residual: float
    products: int


class Hessian:
    """The Hessian of a loss at a point, as products with vectors.

    The graph of the gradient is built once and kept, so that a product costs one backward pass.

    Args:
        loss: of the parameters.
        parameters: the point, shapes as the loss wants them.
    """

    def __init__(self, loss: Loss, parameters: Sequence[Tensor]) -> None:
        """Compute loss and gradient at the point."""
        self._point = [parameter.detach().clone().requires_grad_() for parameter in parameters]
        value = loss(self._point)
        parts = (
            torch.autograd.grad(value, self._point, create_graph=True, allow_unused=True)
            if value.requires_grad
            else [None for _ in self._point]
        )
        if not any(part is not None and part.requires_grad for part in parts):
            raise TrainingError("The loss does not depend on the parameters by more than a line, so it has no Hessian.")
        self._gradient = [torch.zeros_like(p) if g is None else g for p, g in zip(self._point, parts, strict=True)]
        self.loss = float(value.detach())
        self.gradient = flat(self._gradient)
        self.size = len(self.gradient)
        self.products = 0

    def __matmul__(self, vector: Floats) -> Floats:
        """Product with a vector, shape (n,) or (n, 1)."""
        self.products += 1
        parts = unflat(np.asarray(vector, np.float64).reshape(-1), self._point)
        pairs = [(g, v) for g, v in zip(self._gradient, parts, strict=True) if g.requires_grad]
        product = torch.autograd.grad(
            [g for g, _ in pairs], self._point, [v for _, v in pairs], retain_graph=True, allow_unused=True
        )
        return flat([torch.zeros_like(p) if h is None else h for p, h in zip(self._point, product, strict=True)])

    def extremes(self, *, lowest: int = 4, tolerance: float = 1e-4, most: int = 400, seed: int = 0) -> Extremes:
        """Smallest eigenvalues with their directions, and the largest eigenvalue.

        Args:
            lowest: eigenvalues wanted of the lower end, >= 1.
            tolerance: relative accuracy of the eigenvalues at which Lanczos stops.
            most: Hessian-vector products after which it stops all the same; ``residual`` then says how far it came.
            seed: of the vector that it starts from.

        Raises:
            TrainingError: nothing converged within ``most`` products.

        Source:
            ARPACK's implicitly restarted Lanczos (Lehoucq, Sorensen and Yang 1998) through scipy.
        """
        before = self.products
        operator = LinearOperator((self.size, self.size), matvec=self.__matmul__, dtype=np.float64)
        start = np.random.default_rng(seed).standard_normal(self.size)
        wanted = 2 * lowest
        if self.size <= 4 * wanted:
            return self._dense(lowest)
        basis = min(self.size - 1, max(4 * wanted, 24))
        try:
            values, vectors = eigsh(
                operator,
                k=wanted,
                which="BE",
                v0=start,
                ncv=basis,
                tol=tolerance,
                maxiter=max(2, most // (basis - wanted)),
            )
        except ArpackNoConvergence as error:
            values, vectors = error.eigenvalues, error.eigenvectors
        if not len(values):
            raise TrainingError(f"Lanczos found no eigenvalue of the Hessian in {most} products: allow more of them.")
        order = np.argsort(values)
        values, vectors = values[order], vectors[:, order]
        kept = max(1, min(lowest, len(values) // 2))  # half of them are of the upper end
        ends = [0, -1]
        residual = max(float(np.linalg.norm(self @ vectors[:, k] - values[k] * vectors[:, k])) for k in ends)
        return Extremes(values[:kept], vectors[:, :kept].T, float(values[-1]), residual, self.products - before)

    def _dense(self, lowest: int) -> Extremes:
        """The same of so few parameters that Lanczos has no room: from the whole matrix."""
        matrix = np.stack([self @ row for row in np.eye(self.size)])
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        return Extremes(values[:lowest], vectors[:, :lowest].T, float(values[-1]), 0.0, self.size)


def flat(tensors: Sequence[Tensor]) -> Floats:
    """All numbers of some tensors as one vector of float64."""
    found: Floats = torch.cat([tensor.detach().reshape(-1).double().cpu() for tensor in tensors]).numpy()
    return found


def unflat(vector: Floats, like: Sequence[Tensor]) -> list[Tensor]:
    """One vector as tensors of the shapes, types and device of others."""
    parts = torch.split(torch.from_numpy(vector), [tensor.numel() for tensor in like])
    return [part.reshape(tensor.shape).to(tensor) for part, tensor in zip(parts, like, strict=True)]
