"""Where a training runs, through Lightning Fabric: one process, or several under torchrun."""

from __future__ import annotations

import os
from typing import Literal

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy

from rice_ssl.errors import InputError
from rice_ssl.swav.ranks import Ranks

Precision = Literal["32-true", "16-mixed", "bf16-mixed"]


def ranks_of_environment() -> Ranks:
    """This process among those that torchrun started; the only one where torchrun did not."""
    return Ranks(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def refuse_unfit_device(accelerator: str, precision: str) -> None:
    """Refuse ``cuda`` on a machine without it, and float16 where there is no GPU to scale its losses for.

    Raises:
        InputError: there is no CUDA device for what is asked.
    """
    if accelerator == "cuda" and not torch.cuda.is_available():
        raise InputError("accelerator is 'cuda', but this machine has no CUDA device: take 'auto' or 'cpu'.")
    if precision == "16-mixed" and (accelerator == "cpu" or not torch.cuda.is_available()):
        raise InputError(
            "precision is '16-mixed', which needs a CUDA device, and this training is on the CPU: take '32-true'."
        )


def launch(accelerator: str, precision: Precision, ranks: Ranks = Ranks()) -> Fabric:  # noqa: B008
    """A launched Fabric; with several processes it waits until all of them have come this far.

    Args:
        accelerator: ``auto``, ``cpu`` or ``cuda``.
        precision: Fabric's name of it.
        ranks: this process among those that torchrun started.

    Raises:
        InputError: ``cuda`` is asked for and not there, or float16 without it, or there are more processes than GPUs.
    """
    refuse_unfit_device(accelerator, precision)
    here = int(os.environ.get("LOCAL_WORLD_SIZE", ranks.world))
    gpus = torch.cuda.device_count()
    if here > 1 and accelerator != "cpu" and 0 < gpus < here:
        raise InputError(
            f"torchrun started {here} processes on this machine, which has {gpus} GPUs: take --nproc-per-node {gpus}, "
            "or accelerator 'cpu'."
        )
    if ranks.world == 1:
        fabric = Fabric(accelerator=accelerator, devices=1, precision=precision)
    else:
        fabric = Fabric(
            accelerator=accelerator,
            devices=here,
            num_nodes=ranks.world // here,
            precision=precision,
            # timm keeps layers behind the last feature map that we do not use, convnext's head.norm for one
            strategy=DDPStrategy(find_unused_parameters=True),
        )
    fabric.launch()
    return fabric
