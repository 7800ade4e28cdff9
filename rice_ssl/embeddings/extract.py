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
from rice_ssl.models.classifier import FusedClassifier, PairClassifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.swav import SwAV
from rice_ssl.swav.ranks import Ranks
from rice_ssl.training.batches import Pictures

CHUNK = 512
"""Images whose results are kept in one file of the resume folder."""
Arrays = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Networks:
    """The trained networks of a run: SwAV's, the classifier's or both; else an encoder alone."""

    swav: SwAV | None = None
    classifier: PairClassifier | None = None
    encoder: Encoder | None = None


def extract(
    pictures: Pictures,
    rows: npt.NDArray[np.int64],
    networks: Networks,
    *,
    batch_size: int,
    folder: Path,
    slots: npt.NDArray[np.int64] | None = None,
    progress: bool = True,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Arrays:
    """Embeddings, projections, prototype logits, logits and CAMs of images.

    SwAV's encoder gives ``embedding`` (N, E), ``projection`` (N, P) and ``prototype_logits`` (N, K), cosines; the
    classifier's gives ``logits`` (N, C) and ``cam`` (N, C, h, w), of the image judged alone; a fused one also gives
    ``features`` (N, E), its own embedding, from which pairs are judged. Without SwAV, ``embedding`` is the
    classifier's, or that of the encoder alone. Each encoder sees each image once.

    Args:
        pictures: decoded pictures; whole pictures are used, not crops.
        rows: manifest rows wanted, shape (N,).
        networks: at least one of them.
        batch_size: images at once.
        slots: place of each row's sensor among the sensors, shape (N,); a fused classifier needs it.
        folder: finished chunks are kept here, and taken up by the next call; the caller removes it.
        progress: whether to show a progress bar.
        ranks: processes that share the chunks, and the folder; the leading one gets the results, the others nothing.
    """
    starts = range(0, len(rows), CHUNK)
    own = starts[ranks.rank :: ranks.world]
    with tqdm(total=len(rows), desc="embed", unit="image", disable=not (progress and ranks.leads)) as bar:
        for start in own:
            chunk = rows[start : start + CHUNK]
            path = _chunk_path(folder, start)
            if not path.is_file():
                found: dict[str, list[npt.NDArray[np.float32]]] = {}
                for at in range(0, len(chunk), batch_size):
                    batch = chunk[at : at + batch_size]
                    of_batch = None if slots is None else torch.from_numpy(slots[start + at :][: len(batch)])
                    for name, values in embed_batch(pictures.whole(batch), networks, of_batch).items():
                        found.setdefault(name, []).append(values.float().cpu().numpy())
                    bar.update(len(batch) * ranks.world)
                with atomic_path(path) as temporary, temporary.open("wb") as stream:
                    np.savez(stream, **{name: np.concatenate(values) for name, values in found.items()})  # type: ignore[arg-type]
            else:
                bar.update(len(chunk) * ranks.world)
    ranks.wait()
    if not ranks.leads:
        return {}
    parts: list[Arrays] = []
    for start in starts:
        with np.load(_chunk_path(folder, start), allow_pickle=False) as kept:
            parts.append({name: kept[name] for name in kept.files})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _chunk_path(folder: Path, start: int) -> Path:
    return folder / f"{start:09d}.npz"


@torch.no_grad()
def embed_batch(images: torch.Tensor, networks: Networks, slots: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    """The values named in :func:`extract` of a batch of normalised images, shape (B, 3, h, w)."""
    found: dict[str, torch.Tensor] = {}
    if networks.swav is not None:
        embedding, projection, prototype_logits = networks.swav(images)
        found |= {"embedding": embedding, "projection": projection, "prototype_logits": prototype_logits}
    if networks.classifier is not None:
        classifier = networks.classifier
        features = classifier.encoder.feature_map(images)
        where = None if slots is None else slots.to(images.device)
        logits, cams = grad_cam(features, lambda leaf: classifier.classify(classifier.encoder.pool(leaf), where))
        found |= {"logits": logits, "cam": cams}
        pooled = classifier.encoder.pool(features)
        if networks.swav is None:
            found["embedding"] = pooled
        if isinstance(classifier, FusedClassifier):
            found["features"] = pooled
    if not found and networks.encoder is not None:
        found["embedding"] = networks.encoder(images)
    return found
