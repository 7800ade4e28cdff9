"""Weights on disk: safetensors, never a pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from rice_ssl.artifacts import atomic_path, file_hash
from rice_ssl.config import EncoderConfig
from rice_ssl.errors import ArtifactError, InputError

_HALF_MAX = torch.finfo(torch.float16).max


def save_weights(
    module: nn.Module, path: Path, *, half: bool = True, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a module's parameters and buffers atomically.

    Args:
        module: what to write.
        path: ``*.safetensors``.
        half: store parameters in float16: half the file, and a weight moves by at most 1 part in 2,000 (one below 6e-5
            by at most 3e-8). Buffers (the statistics of batch normalisation, which may be large) and parameters
            beyond float16's range stay as they are.
        metadata: text kept in the file's header.
    """
    buffers = {name for name, _ in module.named_buffers()}
    state = {}
    for key, value in module.state_dict().items():
        tensor = value.detach().cpu().contiguous()
        if half and tensor.is_floating_point() and key not in buffers and tensor.abs().amax() <= _HALF_MAX:
            tensor = tensor.half()
        state[key] = tensor
    with atomic_path(path) as temporary:
        save_file(state, str(temporary), metadata=None if metadata is None else dict(metadata))


def load_weights(module: nn.Module, path: Path, *, made_by: str = "rice-ssl run CONFIG", prefix: str = "") -> None:
    """Load what :func:`save_weights` wrote.

    Args:
        module: gets the weights, in its own precision.
        path: ``*.safetensors``.
        made_by: the command named when the file is missing or does not fit.
        prefix: load only the keys below it, without it (``encoder.`` takes an encoder out of a whole network).

    Raises:
        ArtifactError: the file is missing, damaged, or its keys or shapes do not fit; the message names the first ones.
    """
    if not path.is_file():
        raise ArtifactError(f"There are no weights at {path}. Make them with `{made_by}`.")
    try:
        state = {k.removeprefix(prefix): v for k, v in load_file(str(path)).items() if k.startswith(prefix)}
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"{path} cannot be read as safetensors ({error}). Make it anew with `{made_by}`.") from None
    own = module.state_dict()
    faults = [f"lacks {key}" for key in own if key not in state]
    faults += [f"has {key}, which is unknown" for key in state if key not in own]
    faults += [
        f"has {key} of shape {tuple(state[key].shape)} where {tuple(own[key].shape)} is expected"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if faults:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise ArtifactError(
            f"{path} does not fit the network of this run: it {'; '.join(faults[:3])}{more}. "
            f"Use the run's own encoder settings, or make it anew with `{made_by}`."
        )
    with torch.no_grad():
        module.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()})


Network = TypeVar("Network", bound=nn.Module)


def load_ready(network: Network, path: Path, device: torch.device, *, made_by: str) -> Network:
    """Load a network's weights and put it where it works, in evaluation mode; see :func:`load_weights`."""
    load_weights(network, path, made_by=made_by)
    network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    return network


def begin_encoder(encoder: nn.Module, config: EncoderConfig) -> str | None:
    """Load the weights that an encoder begins with, where its settings name some.

    Returns:
        SHA-256 of the file, None where the encoder keeps its random weights.

    Raises:
        InputError: the file is not there.
        ArtifactError: it is damaged, or of another network.
    """
    if config.weights is None:
        return None
    path = Path(config.weights)
    if not path.is_file():
        raise InputError(
            f"encoder.weights is {config.weights!r}, which is no file: make it with `rice-ssl import-encoder FILE "
            f"--arch {config.name}`, or leave it out."
        )
    load_weights(encoder, path, made_by=f"rice-ssl import-encoder FILE --arch {config.name}")
    return file_hash(config.weights)
