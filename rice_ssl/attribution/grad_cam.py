"""Class activation maps of every class from the encoder's one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from rice_ssl.errors import InputError


def gradient_weighted(activation: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM of a feature map, see :data:`CAM_METHODS`.

    Source:
        Selvaraju et al. 2017, eq. 1-2 (arXiv 1610.02391): ReLU of the channels weighted by their mean gradient.
    """
    return (gradient.mean(dim=(2, 3), keepdim=True) * activation).sum(dim=1).relu()


def positive_gradient_weighted(activation: Tensor, gradient: Tensor) -> Tensor:
    """Grad-CAM++ of a feature map, see :data:`CAM_METHODS`.

    Source:
        Chattopadhay et al. 2018, eq. 7 and 19 (arXiv 1710.11063), in the form that is used everywhere, among others
        by pytorch-grad-cam: second and third derivatives are powers of the first, as of exp(logit), and the factor
        exp(logit) of the whole map is left out. Differs: eq. 19 is reduced to
        1 / (2 + gradient x sum of the channel), which is the same. pytorch-grad-cam adds 1e-6 to the unreduced
        denominator, which takes over where gradients are below about .001, as they are behind average pooling. The
        equation is made for channels >= 0 (after a ReLU); a sum below 0 counts as 0, so that nothing is divided by 0.
    """
    positive = gradient.relu()
    share = 1 / (2 + positive * activation.sum(dim=(2, 3), keepdim=True).relu())
    return ((positive * share).sum(dim=(2, 3), keepdim=True) * activation).sum(dim=1).relu()


def cell_weighted(activation: Tensor, gradient: Tensor) -> Tensor:
    """LayerCAM of a feature map, see :data:`CAM_METHODS`.

    Source:
        Jiang et al. 2021 (doi 10.1109/TIP.2021.3089943): every cell has its own weight, the positive gradient
        there, so that early layers give fine maps.
    """
    return (gradient.relu() * activation).sum(dim=1).relu()


CAM_METHODS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "grad_cam": gradient_weighted,
    "grad_cam_plus_plus": positive_gradient_weighted,
    "layer_cam": cell_weighted,
}
"""From a feature map and the gradient of a score there, both of shape (B, D, h, w), to maps (B, h, w), >= 0, not
normalised, so that maps of two sensors can be put on one scale. Those of Grad-CAM and LayerCAM grow with the score's
gradient in proportion and have the score's unit; those of Grad-CAM++ level off."""


def refuse_unknown_methods(methods: Sequence[str]) -> None:
    """Refuse what is no CAM method.

    Raises:
        InputError: it names the method, and those that there are.
    """
    unknown = [method for method in methods if method not in CAM_METHODS]
    if unknown or not methods:
        given = repr(unknown[0]) if unknown else "none"
        raise InputError(f"The CAM method asked for is {given}: name one or more of {', '.join(CAM_METHODS)}.")


def class_maps(
    features: Tensor, score: Callable[[Tensor], Tensor], methods: Sequence[str] = ("grad_cam",)
) -> tuple[Tensor, dict[str, Tensor]]:
    """Compute logits and maps of every class from a feature map, by one backward pass a class for all methods.

    Only what follows the feature map is differentiated, so the encoder's forward pass is neither repeated nor kept.

    Args:
        features: shape (B, D, h, w).
        score: feature map to logits, shape (B, C); each row may depend on its own picture only (evaluation mode).
        methods: of :data:`CAM_METHODS`.

    Returns:
        Logits, shape (B, C), and by method maps, shape (B, C, h, w), see :data:`CAM_METHODS`.

    Raises:
        InputError: a method is unknown.
    """
    refuse_unknown_methods(methods)
    leaf = features.detach().requires_grad_()
    with torch.enable_grad():
        logits = score(leaf)
    (maps,) = maps_by_class(logits, [leaf], [lambda values: values], methods)
    return logits.detach(), maps


@torch.enable_grad()
def maps_by_class(
    logits: Tensor, layers: Sequence[Tensor], lay_out: Sequence[Callable[[Tensor], Tensor]], methods: Sequence[str]
) -> list[dict[str, Tensor]]:
    """Maps of every class and layer; the graph that the logits hang on is used up.

    Args:
        logits: shape (B, C), computed from the layers.
        layers: what modules gave, in any layout.
        lay_out: for each layer, what makes a feature map, shape (B, D, h, w), of its values, and of gradients alike.
        methods: of :data:`CAM_METHODS`.

    Returns:
        For each layer, by method, shape (B, C, h, w).
    """
    activations = [own(layer.detach()) for own, layer in zip(lay_out, layers, strict=True)]
    found: list[dict[str, list[Tensor]]] = [{method: [] for method in methods} for _ in layers]
    for number in range(logits.shape[1]):
        last = number == logits.shape[1] - 1
        gradients = torch.autograd.grad(logits[:, number].sum(), layers, retain_graph=not last)
        for maps, own, activation, gradient in zip(found, lay_out, activations, gradients, strict=True):
            for method in methods:
                maps[method].append(CAM_METHODS[method](activation, own(gradient)))
    return [{method: torch.stack(own, dim=1) for method, own in maps.items()} for maps in found]


def grad_cam(features: Tensor, classify: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Compute logits, shape (B, C), and a Grad-CAM for every class, shape (B, C, h, w); see :func:`class_maps`."""
    logits, maps = class_maps(features, classify)
    return logits, maps["grad_cam"]
