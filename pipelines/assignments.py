"""``rice-ssl assignments``: which prototype each image of a sample had at every checkpoint that pretraining kept."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.special import softmax
from tqdm import tqdm

from rice_ssl.artifacts import RunStore, atomic_path, sha256_file
from rice_ssl.config import RunConfig
from rice_ssl.embeddings.extract import Networks, embed_batch
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.models.swav import SwAV
from rice_ssl.training.batches import Pictures, Rows
from rice_ssl.training.checkpoint import load_kept
from rice_ssl.training.device import launch, ranks_of_environment
from rice_ssl.training.kept import kept_checkpoints
from rice_ssl.training.pretrain import STAGE, build_swav
from rice_ssl.training.run_pictures import run_pictures, usable_rows


@dataclass(frozen=True)
class AssignmentsSummary:
    """What was made; ``unusable`` assignments are left out, as a network gave no finite numbers for them."""

    checkpoints: int
    images: int
    prototypes: int
    unusable: int

    def text(self) -> str:
        """Readable summary."""
        faults = f"; {self.unusable} were not finite and are left out" if self.unusable else ""
        return (
            f"assignments of {self.images} images to {self.prototypes} prototypes at {self.checkpoints} kept "
            f"checkpoints{faults}"
        )


def run_assignments(store: RunStore, config: RunConfig, *, progress: bool = True) -> AssignmentsSummary:
    """Embed a sample of the run's images with each kept checkpoint, and write the table ``assignments``.

    What was done of a call cut short is kept by checkpoint, and taken up by the next one.

    Args:
        store: the run; its pretraining must have kept checkpoints (``pretrain.keep_checkpoints``).
        config: its configuration.
        progress: whether to show a progress bar.

    Raises:
        ArtifactError: there is no kept checkpoint, or one cannot be read or is of another network.
        InputError: ``embed.history_images`` is 0.
    """
    paths = kept_checkpoints(store.root / "checkpoints" / STAGE)
    if not paths:
        raise ArtifactError(
            f"{store.root} has no kept checkpoints of its pretraining, so when its prototypes formed is not known. "
            "Train it anew with pretrain.keep_checkpoints, 20 for one."
        )
    if not config.embed.history_images:
        raise InputError("embed.history_images is 0: give how many images shall be embedded, 2000 for one.")
    device = launch(config.embed.accelerator, "32-true", ranks_of_environment()).device
    pictures, table, sensors = run_pictures(store, config, device, progress=progress)
    rows = sampled_rows(table, sensors, pictures, config.embed.history_images, config.seed)
    network = build_swav(config.encoder, config.pretrain)
    folder = store.root / "cache" / "assignments" / _resume_key(config, table, rows)
    parts: list[pd.DataFrame] = []
    epochs = _epochs(store)
    with tqdm(total=len(paths) * len(rows), desc="assignments", unit="image", disable=not progress) as bar:
        for step, path in paths.items():
            part = folder / f"{step:08d}-{sha256_file(path)[:16]}.npz"
            if not part.is_file():
                _load(network, path, device)
                found = _assign(network, pictures, rows, config.embed.batch_size, config.pretrain.temperature, bar)
                with atomic_path(part) as temporary, temporary.open("wb") as stream:
                    np.savez(stream, prototype=found[0], confidence=found[1])
            else:
                bar.update(len(rows))
            with np.load(part, allow_pickle=False) as kept:
                values = {"prototype": kept["prototype"], "confidence": kept["confidence"]}
            keys = table.iloc[rows][["pair_id", "sensor"]].reset_index(drop=True)
            parts.append(keys.assign(step=step, epoch=step / epochs, **values))
    every = pd.concat(parts, ignore_index=True)
    usable = np.isfinite(every["confidence"])
    store.write_table("assignments", every[usable].reset_index(drop=True))
    shutil.rmtree(folder.parent, ignore_errors=True)
    return AssignmentsSummary(len(paths), len(rows), config.pretrain.prototypes, int((~usable).sum()))


def sampled_rows(table: pd.DataFrame, sensors: Sequence[str], pictures: Pictures, most: int, seed: int) -> Rows:
    """Manifest rows of whole pairs, in random order of the pairs, that are ``most`` images at most; sorted.

    The first pair is taken in any case.
    """
    _, pairs = usable_rows(table, sensors, pictures)
    order = np.random.default_rng([seed, 3]).permutation(len(pairs))
    images = np.cumsum((pairs[order] >= 0).sum(axis=1))
    chosen = pairs[order[: max(1, int(np.searchsorted(images, most, side="right")))]]
    return np.sort(chosen[chosen >= 0])


def _resume_key(config: RunConfig, table: pd.DataFrame, rows: Rows) -> str:
    """Name of the resume folder: another one for other images, sizes or settings."""
    images = table.iloc[rows][["sensor", "sha256"]].to_numpy().tolist()
    parts = [images, list(config.data.image_size), asdict(config.encoder), config.pretrain.temperature]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _epochs(store: RunStore) -> float:
    """Steps of an epoch, from the log; NaN where it tells none."""
    if not store.has("metrics"):
        return float("nan")
    log = store.read_table("metrics", ["stage", "step", "epoch", "split"])
    log = log[(log["stage"] == STAGE) & (log["split"] == "train") & (log["epoch"] > 0)]
    return float((log["step"] / log["epoch"]).iloc[-1]) if len(log) else float("nan")


def _load(network: SwAV, path: Path, device: torch.device) -> None:
    """Put a kept checkpoint's weights into the network, in evaluation mode."""
    state = load_kept(path)
    try:
        network.load_state_dict(state["network"])
    except (KeyError, RuntimeError):
        raise ArtifactError(
            f"The checkpoint {path} is not of this run's network: give the encoder and pretrain sections that it was "
            "trained with, or train it anew."
        ) from None
    network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]


def _assign(
    network: SwAV, pictures: Pictures, rows: Rows, batch_size: int, temperature: float, bar: tqdm[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Prototype of each image, and its soft-max probability; NaN where it is not finite."""
    logits = []
    for at in range(0, len(rows), batch_size):
        batch = rows[at : at + batch_size]
        found = embed_batch(pictures.whole(batch), Networks(swav=network))["prototype_logits"]
        logits.append(found.double().cpu().numpy())
        bar.update(len(batch))
    scores = softmax(np.concatenate(logits) / temperature, axis=1)
    best = scores.argmax(axis=1)
    return best.astype(np.int64), np.take_along_axis(scores, best[:, None], axis=1)[:, 0]
