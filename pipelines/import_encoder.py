"""``rice-ssl import-encoder``: an encoder that another program trained, as weights that a run can begin with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rice_ssl.config import EncoderConfig, Pooling
from rice_ssl.errors import InputError
from rice_ssl.models.foreign import import_encoder
from rice_ssl.models.weights import save_weights


@dataclass(frozen=True)
class ImportEncoderSummary:
    """What was written; ``unused`` are keys of the file that are no part of the encoder, ``encoder`` the section."""

    out: str
    arch: str
    parameters: int
    embedding_size: int
    unused: tuple[str, ...]
    encoder: dict[str, Any]

    def text(self) -> str:
        """Readable summary."""
        left = f"; {len(self.unused)} keys not used (the first: {self.unused[0]})" if self.unused else ""
        return (
            f"{self.out}: {self.arch}, {self.parameters:,} parameters, embeddings of {self.embedding_size}{left}\n"
            f"Name it in a run's YAML: {json.dumps({'encoder': self.encoder})}"
        )


def run_import_encoder(
    file: Path,
    arch: str,
    *,
    out: Path | None = None,
    pooling: Pooling = "concat",
    options: Sequence[str] = (),
) -> ImportEncoderSummary:
    """Turn a PyTorch file into safetensors; see :func:`rice_ssl.models.foreign.import_encoder`.

    Args:
        file: what the other program wrote.
        arch: ``xresnet34``, or a timm name.
        out: file to write; ``file`` with the suffix ``.safetensors`` when None.
        pooling: of the embedding; it has no weights.
        options: ``NAME=VALUE`` for ``timm.create_model``, the value in YAML.

    Raises:
        InputError: the file does not fit, an option has no value, or ``out`` is ``file``.
    """
    given: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name:
            raise InputError(f"--option {option!r} lacks '=': write NAME=VALUE, e.g. output_stride=16.")
        try:
            given[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--option {option!r} has a value that is no YAML: quote it.") from None
    target = file.with_suffix(".safetensors") if out is None else out
    if target.resolve() == file.resolve():
        raise InputError(f"--out {target} is the file itself: name another one.")
    try:
        config = EncoderConfig(arch, given, pooling)
    except ValidationError as error:
        wrong = [name for name in given if name in map(str, error.errors()[0]["loc"])]
        shown = f" {wrong[0]} is {given[wrong[0]]!r}" if wrong else ""
        raise InputError(
            f"--option{shown}: give a number, text, true, false or a list of whole numbers as its value."
        ) from None
    found = import_encoder(file, config)
    save_weights(found.encoder, target, half=False, metadata={"imported_from": file.name, "arch": arch})
    return ImportEncoderSummary(
        out=target.as_posix(),
        arch=arch,
        parameters=sum(parameter.numel() for parameter in found.encoder.parameters()),
        embedding_size=found.encoder.embedding_size,
        unused=found.unused,
        encoder={"name": arch, "options": given, "pooling": pooling, "weights": target.as_posix()},
    )
