"""Does a map depend on what the network learned? Forget it stage by stage, and see whether the map changes."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from rice_ssl.errors import InputError
from rice_ssl.evaluation.map_agreement import spearman
from rice_ssl.models.classifier import PairClassifier

_STAGE = re.compile(r"(layers?|stages?|blocks?|features|s)\d*")
"""How timm names the parts of a network that are its stages (layer1, s1), or hold them (stages, blocks, layers)."""
_HEADS = ("head", "fc", "classifier")
"""What timm puts behind the last feature map, which our classifiers do not use."""


@dataclass(frozen=True)
class Stage:
    """What is re-initialised at once.

    Attributes:
        name: for people and files.
        prefixes: names of the modules, parameters and buffers that belong to it.
    """

    name: str
    prefixes: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether a parameter or buffer belongs to it."""
        return any(name == prefix or name.startswith(f"{prefix}.") for prefix in self.prefixes)


def stages(network: PairClassifier) -> tuple[Stage, ...]:
    """Stages of a classifier, from the head to the input.

    Args:
        network: with any timm encoder.

    Returns:
        ``head`` (all that follows the encoder), the encoder's stages in reverse (``layer4``, ``stages.3``,
        ``blocks.11``, as timm names them; a normalisation that follows the last of them is a stage, too), and ``stem``
        (all before the first of them, with a vision transformer's class token and positions).
    """
    head = tuple(name for name, _ in network.named_children() if name != "encoder")
    inner, root = network.encoder.network, "encoder.network"
    names = [name for name, child in inner.named_children() if name not in _HEADS and [*child.parameters()]]
    first = next((number for number, name in enumerate(names) if _STAGE.fullmatch(name)), 0)
    parts: list[str] = []
    for name in names[first:]:
        holds_them = _STAGE.fullmatch(name) and not name[-1].isdigit()
        inside = inner.get_submodule(name).named_children() if holds_them else ()
        parts += [f"{name}.{part}" for part, child in inside if [*child.parameters()]] or [name]
    own = [name for name, _ in inner.named_parameters(recurse=False)]
    stem = tuple(f"{root}.{name}" for name in [*names[:first], *own])
    trunk = [Stage(part, (f"{root}.{part}",)) for part in reversed(parts)]
    return (Stage("head", head), *trunk, *([Stage("stem", stem)] if stem else []))


def cascade(network: nn.Module, stages: Sequence[Stage], *, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Forget a network stage by stage: at each step one more stage is as if it had never been trained.

    Args:
        network: left as it is.
        stages: in the order in which they are forgotten; from the head to the input for the paper's cascade.
        seed: of the new weights, which are the same for a stage whatever stages come before it.

    Yields:
        Name of the stage, and a copy of the network, in evaluation mode, of which this and all earlier stages are
        re-initialised. It is one copy that is changed further: use it before the next one is asked for.

    Raises:
        InputError: a stage holds nothing of the network; the message names it.

    Source:
        Adebayo et al. 2018, section 3 (arXiv 1810.03292), cascading randomisation. Differs: whatever a network's own
        initialiser, weights of two or more dimensions are drawn as He et al. 2015 do (normal, variance 2 / inputs), so
        that signals neither die nor explode over many layers. Biases become 0. Batch and other normalisation becomes
        that of a new network: weight 1, bias 0, running mean 0, running variance 1; so it passes on what comes in, and
        no longer fits it. What else there is (scales of branches, class tokens, positions) is drawn from a normal of
        the trained values' mean and standard deviation, as zero or one would cut branches off.
    """
    made = copy.deepcopy(network).eval()
    for stage in stages:
        owners = [(name, module, own) for name, module in made.named_modules() for own in _own(module)]
        held = [(module, own) for name, module, own in owners if stage.holds(f"{name}.{own}" if name else own)]
        if not held:
            names = ", ".join(stage.prefixes)
            raise InputError(f"Stage {stage.name} ({names}) holds nothing of the network: name its modules.")
        generator = torch.Generator().manual_seed(seed)
        for module, own in held:
            _forget(module, own, generator)
        yield stage.name, made


def _own(module: nn.Module) -> list[str]:
    """Names of the parameters and buffers that a module has itself."""
    tensors = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
    return [name for name, _ in tensors]


@torch.no_grad()
def _forget(module: nn.Module, name: str, generator: torch.Generator) -> None:
    """Re-initialise one parameter or buffer of a module in place."""
    value: Tensor = getattr(module, name)
    normalises = "norm" in type(module).__name__.lower()
    if name in {"running_mean", "running_var", "num_batches_tracked"}:
        value.fill_(1 if name == "running_var" else 0)
    elif not isinstance(value, nn.Parameter):
        return  # a constant of the architecture, such as an index of positions, is not learned
    elif normalises and name in {"weight", "bias"}:
        value.fill_(1 if name == "weight" else 0)
    elif name.endswith("bias"):
        value.zero_()
    elif value.ndim >= 2 and name.endswith("weight"):
        fresh = torch.randn(value.shape, generator=generator) * math.sqrt(2 / value[0].numel())
        value.copy_(fresh)
    else:
        spread = float(value.std()) if value.numel() > 1 else float(value.abs())
        value.copy_(float(value.mean()) + spread * torch.randn(value.shape, generator=generator))


def rank_correlation(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Spearman's correlation of the absolute values of maps, cell by cell.

    Args:
        a: shape (N, h, w).
        b: of the same shape.

    Returns:
        In [-1, 1], equal cells at their mean rank, shape (N,). 0 where a map is constant: a map that the forgetful
        network no longer has, such as a CAM that is 0 everywhere, has nothing in common with the old one.

    Source:
        Adebayo et al. 2018 (arXiv 1810.03292): "Spearman rank correlation with absolute value".
    """
    found = spearman(np.abs(np.asarray(a, dtype=np.float64)), np.abs(np.asarray(b, dtype=np.float64)))
    return np.nan_to_num(found, nan=0.0)
