"""Encoders that other programs trained, turned into ours."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError
from rice_ssl.models.encoder import Encoder

FASTAI_ARCH = "xresnet34"
_WRAPPERS = ("encoder.", "module.", "model.", "network.", "0.")
"""What programs put before every key of an encoder that they keep inside another module."""
_STEM = {
    "0.0": "conv1.0",
    "0.1": "conv1.1",
    "1.0": "conv1.3",
    "1.1": "conv1.4",
    "2.0": "conv1.6",
    "2.1": "bn1",
}
_BLOCK = re.compile(r"(?P<stage>[4-7])\.(?P<block>\d+)\.(?P<path>convpath|idpath)\.(?P<at>\d)\.(?P<part>[01])$")
_FOUND = {("convpath", "0", "0"): "conv1", ("convpath", "0", "1"): "bn1", ("convpath", "1", "0"): "conv2"}
_FOUND |= {("convpath", "1", "1"): "bn2"}


@dataclass(frozen=True)
class ImportedEncoder:
    """An encoder with foreign weights, and what of the file was not used (heads, buffers of other parts)."""

    encoder: Encoder
    unused: tuple[str, ...]


def import_encoder(path: Path, config: EncoderConfig) -> ImportedEncoder:
    """Read the encoder of a PyTorch file.

    Args:
        path: a state dictionary, or one of ``model`` beside an optimiser, as fastai's ``Learner.save`` writes it. It is
            loaded with ``weights_only``, so nothing in it is executed.
        config: which network it is; ``xresnet34`` is read by fastai's key names, any other by timm's.

    Raises:
        InputError: the file is missing, holds more than finite tensors, or does not fit; the message names keys and
            shapes.

    Source:
        fastai's ``XResNet`` and timm's ``resnet34d``, the same computation with other names.
    """
    encoder = Encoder(config)
    state = _unwrapped(_read(path), fastai=config.name == FASTAI_ARCH)
    renamed = {_timm_key(key) if config.name == FASTAI_ARCH else key: (key, value) for key, value in state.items()}
    own = encoder.network.state_dict()
    lacking = [key for key in own if key not in renamed]
    misfits = [
        f"{renamed[key][0]} has shape {tuple(renamed[key][1].shape)} where {tuple(value.shape)} is expected"
        for key, value in own.items()
        if key in renamed and renamed[key][1].shape != value.shape
    ]
    if lacking or misfits:
        faults = [f"it lacks {_foreign_name(key, config.name)}" for key in lacking] + misfits
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise InputError(
            f"{path} is no {config.name}: {'; '.join(faults[:3])}{more}. Give --arch the network that it is of, and "
            "--option what it was made with."
        )
    broken = [key for key in own if not bool(torch.isfinite(renamed[key][1]).all())]
    if broken:
        raise InputError(
            f"{path} holds values that are not finite in {renamed[broken[0]][0]}: it is no trained encoder."
        )
    encoder.network.load_state_dict({key: renamed[key][1] for key in own})
    return ImportedEncoder(encoder, tuple(key for name, (key, _) in renamed.items() if name not in own))


def _read(path: Path) -> dict[str, Tensor]:
    """Tensors of a file by key."""
    if not path.is_file():
        raise InputError(f"There is no file {path}: give the path of a PyTorch file (.pth).")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, zipfile.BadZipFile):
        raise InputError(
            f"{path} is no PyTorch file of tensors alone, and others are not loaded, as they could execute code: save "
            "the encoder's state_dict()."
        ) from None
    for name in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise InputError(f"{path} holds no state dictionary: save the encoder's state_dict().")
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _unwrapped(state: dict[str, Tensor], *, fastai: bool) -> dict[str, Tensor]:
    """The state without what wrappers put before an encoder's keys, and without the parts beside it."""
    if not state or (fastai and f"{next(iter(_STEM))}.weight" in state):
        return state
    for prefix in _WRAPPERS:
        inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        if inside and (fastai or len(inside) == len(state)):
            return _unwrapped(inside, fastai=fastai)
    return state


def _timm_key(key: str) -> str:
    """Timm's name of a fastai xresnet's key; a key of no such network stays as it is."""
    module, _, name = key.rpartition(".")
    if module in _STEM:
        return f"{_STEM[module]}.{name}"
    match = _BLOCK.match(module)
    if match is None:
        return key
    place = f"layer{int(match['stage']) - 3}.{match['block']}"
    inner = _FOUND.get((match["path"], match["at"], match["part"]))
    if match["path"] == "idpath":
        inner = f"downsample.{int(match['part']) + 1}"
    return key if inner is None else f"{place}.{inner}.{name}"


def _foreign_name(key: str, arch: str) -> str:
    return f"{key} (timm's name)" if arch == FASTAI_ARCH else key
