"""Everything that is kept of an image, from one forward pass of each encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from rice_ssl.artifacts import atomic_path
from rice_ssl.attribution.grad_cam import grad_cam
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.swav import SwAV
from rice_ssl.training.batches import Pictures
from rice_ssl.transforms.views import normalise

CHUNK = 512
"""Images whose results are kept in one file of the resume folder."""
Arrays = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Networks:
    """The trained networks of a run; either may be missing."""

    swav: SwAV | None
    classifier: Classifier | None


def extract(
    pictures: Pictures,
    rows: npt.NDArray[np.int64],
    networks: Networks,
    *,
    batch_size: int,
    folder: Path,
    progress: bool = True,
) -> Arrays:
    """Embeddings, projections, prototype logits, logits and CAMs of images.

    SwAV's encoder gives ``embedding`` (N, E), ``projection`` (N, P) and ``prototype_logits`` (N, K), cosines; the
    classifier's gives ``logits`` (N, C) and ``cam`` (N, C, h, w). Without SwAV, ``embedding`` is the classifier's. Each
    encoder sees each image once.

    Args:
        pictures: decoded pictures; whole pictures are used, not crops.
        rows: manifest rows wanted, shape (N,).
        networks: at least one of the two.
        batch_size: images at once.
        folder: finished chunks are kept here, and taken up by the next call; the caller removes it.
        progress: whether to show a progress bar.
    """
    parts: list[Arrays] = []
    bar = tqdm(total=len(rows), desc="embed", unit="image", disable=not progress)
    with bar:
        for start in range(0, len(rows), CHUNK):
            path = folder / f"{start:09d}.npz"
            chunk = rows[start : start + CHUNK]
            if path.is_file():
                with np.load(path, allow_pickle=False) as kept:
                    parts.append({name: kept[name] for name in kept.files})
                bar.update(len(chunk))
                continue
            found: dict[str, list[npt.NDArray[np.float32]]] = {}
            for at in range(0, len(chunk), batch_size):
                batch = chunk[at : at + batch_size]
                for name, values in embed_batch(normalise(*pictures.batch(batch)), networks).items():
                    found.setdefault(name, []).append(values.float().cpu().numpy())
                bar.update(len(batch))
            parts.append({name: np.concatenate(values) for name, values in found.items()})
            with atomic_path(path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, **parts[-1])  # type: ignore[arg-type]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@torch.no_grad()
def embed_batch(images: torch.Tensor, networks: Networks) -> dict[str, torch.Tensor]:
    """The values named in :func:`extract` of a batch of normalised images, shape (B, 3, h, w)."""
    found: dict[str, torch.Tensor] = {}
    if networks.swav is not None:
        embedding, projection, prototype_logits = networks.swav(images)
        found |= {"embedding": embedding, "projection": projection, "prototype_logits": prototype_logits}
    if networks.classifier is not None:
        classifier = networks.classifier
        features = classifier.encoder.feature_map(images)
        logits, cams = grad_cam(features, lambda leaf: classifier.classify(classifier.encoder.pool(leaf)))
        found |= {"logits": logits, "cam": cams}
        if networks.swav is None:
            found["embedding"] = classifier.encoder.pool(features)
    return found
