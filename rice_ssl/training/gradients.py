"""The gradient of a step, looked at before it reaches the weights."""

from __future__ import annotations

import math

import torch
from lightning.fabric.plugins.precision import Precision
from torch import nn
from torch.optim import Optimizer

from rice_ssl.errors import TrainingError


def gradient_norm(network: nn.Module) -> float:
    """L2 norm of all gradients together."""
    norms = [p.grad.detach().norm() for p in network.parameters() if p.grad is not None]
    return float(torch.stack(norms).norm()) if norms else 0.0


def checked_gradient_norm(network: nn.Module, optimizer: Optimizer, precision: Precision, step: int) -> float:
    """Undo the loss scaling, if any, and give the gradient's norm.

    Under float16 an infinite gradient is met in passing, and the loss scaler skips that step by itself.

    Args:
        network: after the backward pass.
        optimizer: of its parameters, as PyTorch has it.
        precision: Fabric's plugin, which knows the loss scaling.
        step: for the message.

    Raises:
        TrainingError: the norm is not finite and there is no loss scaling; the weights are still good.
    """
    precision.unscale_gradients(optimizer)
    norm = gradient_norm(network)
    if not math.isfinite(norm) and getattr(precision, "scaler", None) is None:
        raise TrainingError(
            f"The gradient became {norm} at step {step}: lower the learning rate, train with precision 32-true, or use "
            "crops large enough for the encoder's last feature map. The last checkpoint is kept."
        )
    return norm
