"""CAMs of any of the encoder's stages, in one forward pass that is kept from the earliest of them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from rice_ssl.attribution.grad_cam import maps_by_class, refuse_unknown_methods
from rice_ssl.errors import InputError
from rice_ssl.models.encoder import Encoder

WHOLE = "features"
"""Name of the last feature map where timm names no stages."""


def stage_names(encoder: Encoder) -> list[str]:
    """Names of the stages whose maps can be had, from the first to the last, as timm names their modules.

    ``layer1`` to ``layer4`` for a ResNet (and ``act1``, its stem), ``stages.0`` to ``stages.3`` for a ConvNeXt,
    ``layers.0`` to ``layers.3`` for a Swin transformer, ``blocks.0`` to ``blocks.11`` for a vision transformer.

    The last name stands for :meth:`Encoder.feature_map`, from which the embedding is pooled. For ResNets and ConvNeXts
    that is what the stage gives. Where a network goes on before it pools, it is what comes then: behind the last
    normalisation for Swin and vision transformers, behind the last convolution for EfficientNets.
    """
    stages = _stages(encoder)
    modules = dict(encoder.network.named_modules())
    return [*(name for name in [*stages][:-1] if name in modules), [*stages][-1]]


def _stages(encoder: Encoder) -> dict[str, int]:
    """Channels of each stage that timm knows of, by name."""
    noted = getattr(encoder.network, "feature_info", None) or []
    found = {str(one["module"]): int(one["num_chs"]) for one in noted if one.get("module")}
    return found or {WHOLE: int(encoder.network.num_features)}


def layer_cams(
    encoder: Encoder,
    images: Tensor,
    classify: Callable[[Tensor], Tensor],
    *,
    layers: Sequence[str],
    methods: Sequence[str] = ("grad_cam",),
) -> tuple[Tensor, dict[str, dict[str, Tensor]]]:
    """Logits and CAMs of every class in several layers, from one forward pass.

    Gradients are kept from the earliest of the layers on; what comes before it costs no more than prediction. Not for
    two threads at once on one encoder, whose modules are watched meanwhile.

    Args:
        encoder: in evaluation mode.
        images: normalised, shape (B, 3, H, W).
        classify: embeddings, shape (B, E), to logits, shape (B, C).
        layers: of :func:`stage_names`, at least one.
        methods: of :data:`rice_ssl.attribution.grad_cam.CAM_METHODS`.

    Returns:
        Logits, shape (B, C), and by layer and method maps, shape (B, C, h, w), >= 0, not normalised; h and w are the
        layer's. Tokens of a vision transformer are laid out on their grid, without class and register tokens.

    Raises:
        InputError: a layer or method is unknown, or a layer gives no feature map; the message names it.
    """
    refuse_unknown_methods(methods)
    known = stage_names(encoder)
    unknown = [name for name in layers if name not in known]
    if unknown or not layers:
        given = repr(unknown[0]) if unknown else "none"
        raise InputError(f"The layer asked for is {given}: those of {encoder.name} are {', '.join(known)}.")
    kept, features = _watched(encoder, images, [name for name in layers if name != known[-1]])
    with torch.enable_grad():
        logits = classify(encoder.pool(features))
    grid, stages = (int(features.shape[2]), int(features.shape[3])), _stages(encoder)
    lay_out = [_lay_out(encoder, name, stages[name], grid) if name in kept else _as_it_is for name in layers]
    for name, own in zip(layers, lay_out, strict=True):
        if name in kept:
            own(kept[name].detach())  # refuses what is no map before anything is differentiated
    found = maps_by_class(logits, [kept.get(name, features) for name in layers], lay_out, methods)
    return logits.detach(), dict(zip(layers, found, strict=True))


def _watched(encoder: Encoder, images: Tensor, names: Sequence[str]) -> tuple[dict[str, Tensor], Tensor]:
    """What the modules of these names give, and the last feature map; the graph begins at the earliest of them."""
    kept: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Any], Tensor]:
        def keep(module: nn.Module, given: Any, output: Any) -> Tensor:
            if not isinstance(output, Tensor):
                raise _no_map(encoder, name, f"a {type(output).__name__}")
            if not torch.is_grad_enabled():
                torch.set_grad_enabled(True)  # until the block below is left
                output = output.detach().requires_grad_()
            kept[name] = output
            return torch.clone(output)  # what follows may work in place, which must not change the map

        return keep

    with ExitStack() as hooks, torch.no_grad():
        for name in names:
            hooks.enter_context(encoder.network.get_submodule(name).register_forward_hook(watch(name)))
        features = encoder.feature_map(images)
    missed = [name for name in names if name not in kept]
    if missed:
        raise _no_map(encoder, missed[0], "nothing")
    return kept, features if names else features.detach().requires_grad_()


def _as_it_is(values: Tensor) -> Tensor:
    return values


def _lay_out(encoder: Encoder, name: str, channels: int, grid: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """What turns a layer's values into (B, D, h, w).

    Args:
        encoder: whose layer it is.
        name: of the layer.
        channels: of the layer, as timm notes them.
        grid: height and width of the last feature map; tokens lie on the same one.
    """
    channels_last = getattr(encoder.network, "output_fmt", None) == "NHWC"
    prefix = int(getattr(encoder.network, "num_prefix_tokens", 0) or 0)

    def laid_out(values: Tensor) -> Tensor:
        if values.ndim == 3:
            extra = values.shape[1] - grid[0] * grid[1]
            if extra not in {0, prefix}:
                raise _no_map(encoder, name, f"{values.shape[1]} tokens for a grid of {grid[0]}x{grid[1]}")
            return values[:, extra:].transpose(1, 2).reshape(len(values), -1, *grid)
        if values.ndim != 4:
            raise _no_map(encoder, name, f"values of shape {tuple(values.shape)}")
        if values.shape[3] == channels and (channels_last or values.shape[1] != channels):
            return values.permute(0, 3, 1, 2)
        return values

    return laid_out


def _no_map(encoder: Encoder, name: str, what: str) -> InputError:
    return InputError(
        f"Layer {name} of {encoder.name} gives {what}, which is no feature map: "
        f"ask for another one, such as {stage_names(encoder)[-1]}."
    )
