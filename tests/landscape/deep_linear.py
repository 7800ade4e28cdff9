"""A two-layer linear network trained from small weights: its plateaus are saddles of known negative curvature.

Loss 1/2 |W2 W1 x - y|^2 with whitened inputs and y = M x + noise, M = diag(s). With the strongest k modes learned and
all other weights near 0, the smallest Hessian eigenvalue is -s[k] (each unlearned mode adds -s u v, with eigenvalues
+-s), and the largest of a learned mode is 2 s (Baldi and Hornik 1989; Saxe et al. 2014, arXiv 1312.6120).
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import torch

SIZE, HIDDEN, BATCH = 6, 4, 48


class DeepLinear:
    """Trains at once and keeps checkpoints; a Trajectory of the tests on checkpoints."""

    changes_objective = False

    def __init__(self, modes=(1.0, 0.45), *, steps=2000, rate=0.1, scale=1e-6, keep=40, seed=0, noise=0.5):
        self.modes, self.steps = modes, steps
        self.rng = np.random.default_rng(seed)
        self.target = torch.zeros(SIZE, SIZE, dtype=torch.float64)
        for k, mode in enumerate(modes):
            self.target[k, k] = mode
        self.noise = noise
        self.weights = [
            torch.from_numpy(scale * self.rng.standard_normal(shape)).requires_grad_()
            for shape in ((HIDDEN, SIZE), (SIZE, HIDDEN))
        ]
        self.states, rows = {}, []
        for step in range(steps + 1):
            if step % (steps // keep) == 0:
                self.states[step] = copy.deepcopy([w.detach() for w in self.weights])
            if step == steps:
                break
            loss = self._loss(self.weights, *self._batch())
            value = float(loss.detach())
            gradient = torch.autograd.grad(loss, self.weights)
            norm = float(torch.cat([g.reshape(-1) for g in gradient]).norm())
            rows += [(step, "train", "loss", value), (step, "train", "grad_norm", norm)]
            with torch.no_grad():
                for weight, part in zip(self.weights, gradient, strict=True):
                    weight -= rate * part
        self.rows = pd.DataFrame(rows, columns=["step", "split", "name", "value"])
        self.batches = [self._batch() for _ in range(4)]

    def _batch(self):
        """Whitened inputs; noise that is nearly, not wholly, independent of them."""
        inputs = np.linalg.qr(self.rng.standard_normal((BATCH, SIZE)))[0] * np.sqrt(BATCH)
        noise = self.noise * self.rng.standard_normal((BATCH, SIZE))
        noise -= 0.95 * inputs @ (inputs.T @ noise) / BATCH
        inputs = torch.from_numpy(inputs)
        return inputs, inputs @ self.target.T + torch.from_numpy(noise)

    @staticmethod
    def _loss(weights, inputs, wanted):
        return 0.5 * ((inputs @ weights[0].T @ weights[1].T - wanted) ** 2).sum(dim=1).mean()

    @property
    def kept(self):
        return sorted(self.states)

    def load(self, step):
        for weight, kept in zip(self.weights, self.states[step], strict=True):
            weight.data.copy_(kept)

    def parameters(self):
        return self.weights

    def losses(self, split, side):
        return [float(self._loss(self.weights, *batch).detach()) for batch in self.batches] if split == "train" else []

    def settle(self):
        """There is no normalisation."""

    def frozen(self, side):
        return [lambda weights, batch=batch: self._loss(weights, *batch) for batch in self.batches]

    def continuation(self, step, steps, side):
        return None
