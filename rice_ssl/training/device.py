"""Where a training runs, through Lightning Fabric."""

from __future__ import annotations

from typing import Literal

import torch
from lightning.fabric import Fabric

from rice_ssl.errors import InputError

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]


def refuse_missing_gpu(accelerator: str) -> None:
    """Refuse ``cuda`` on a machine without it.

    Raises:
        InputError: there is no CUDA device.
    """
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise InputError("accelerator is 'cuda', but this machine has no CUDA device: take 'auto' or 'cpu'.")


def launch(accelerator: str, precision: Precision, devices: int = 1) -> Fabric:
    """A launched Fabric.

    Args:
        accelerator: ``auto``, ``cpu`` or ``cuda``.
        precision: Fabric's name of it.
        devices: how many.

    Raises:
        InputError: ``cuda`` is asked for and not there.
    """
    refuse_missing_gpu(accelerator)
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=precision)
    fabric.launch()
    return fabric
