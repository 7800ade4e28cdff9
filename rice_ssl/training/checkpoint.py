"""Checkpoints: written whole or not at all, the one before kept, loaded without unpickling code."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from rice_ssl.artifacts import atomic_path
from rice_ssl.config import FREE_TO_CHANGE, FinetuneConfig, PretrainConfig
from rice_ssl.errors import ArtifactError
from rice_ssl.training.kept import KEPT

LAST, PREVIOUS = "last.pt", "previous.pt"

_UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile)


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write ``last.pt`` atomically; what was ``last.pt`` becomes ``previous.pt``.

    Args:
        folder: the stage's checkpoint folder.
        state: tensors, numbers, text, and lists and dictionaries of them.
    """
    path = folder / LAST
    with atomic_path(path) as temporary:
        torch.save(state, temporary)
        if path.is_file():
            path.replace(folder / PREVIOUS)


def keep_checkpoint(folder: Path, state: dict[str, Any], step: int) -> None:
    """Write ``kept/STEP.pt`` atomically: the state before that step, which no later checkpoint replaces.

    Args:
        folder: the stage's checkpoint folder.
        state: as :func:`save_checkpoint` takes it.
        step: counted from 0.
    """
    (folder / KEPT).mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / KEPT / f"{step:08d}.pt") as temporary:
        torch.save(state, temporary)


def load_kept(path: Path) -> dict[str, Any]:
    """Load one of them.

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE:
        raise ArtifactError(
            f"The checkpoint {path} cannot be read. Remove it: the tests are made with those that are left."
        ) from None
    return state


def load_checkpoint(folder: Path) -> dict[str, Any] | None:
    """Load the newest readable checkpoint of a folder; None when there is none.

    What a killed process left half written is removed.

    Raises:
        ArtifactError: there are checkpoints, and none can be read.
    """
    for pattern in (f".{LAST}.*.part", f"{KEPT}/.*.part"):
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
    found = [folder / name for name in (LAST, PREVIOUS) if (folder / name).is_file()]
    for path in found:
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except _UNREADABLE:
            continue
        return state
    if found:
        raise ArtifactError(f"No checkpoint in {folder} can be read. Remove the folder to train from the start.")
    return None


def settings_note(config: PretrainConfig | FinetuneConfig, **others: Any) -> str:
    """What decides a training's numbers, as JSON: its settings but those free to change, and what else is given."""
    kept = {key: value for key, value in asdict(config).items() if key not in FREE_TO_CHANGE}
    return json.dumps({**kept, **others}, sort_keys=True)


def refuse_other_settings(state: Mapping[str, Any], settings: str, folder: Path) -> None:
    """Refuse a checkpoint that was made with other settings.

    Args:
        state: the checkpoint; its ``settings`` are what :func:`settings_note` gave then.
        settings: what it gives now.
        folder: of the checkpoint.

    Raises:
        ArtifactError: the message names what differs.
    """
    then, now = json.loads(str(state.get("settings", "{}"))), json.loads(settings)
    changed = sorted(name for name in now if then.get(name) != now[name])
    if changed:
        raise ArtifactError(
            f"The checkpoint in {folder} was made with another setting of {', '.join(changed)}. "
            f"Remove that folder to train anew, or go back to the former setting to resume."
        )
