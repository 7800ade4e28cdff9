"""Everything that is kept of an image, from one forward pass of each encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rice_ssl.attribution.grad_cam import grad_cam
from rice_ssl.embeddings.chunks import Arrays, in_chunks
from rice_ssl.models.classifier import FusedClassifier, PairClassifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.swav import SwAV
from rice_ssl.swav.ranks import Ranks
from rice_ssl.training.batches import Pictures

CHUNK = 512
"""Images whose results are kept in one file of the resume folder."""


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

    def compute(wanted: range, advance: Callable[[int], None]) -> Arrays:
        found: dict[str, list[npt.NDArray[np.float32]]] = {}
        for at in range(wanted.start, wanted.stop, batch_size):
            chosen = slice(at, min(at + batch_size, wanted.stop))
            of_batch = None if slots is None else torch.from_numpy(slots[chosen])
            for name, values in embed_batch(pictures.whole(rows[chosen]), networks, of_batch).items():
                found.setdefault(name, []).append(values.float().cpu().numpy())
            advance(chosen.stop - at)
        return {name: np.concatenate(values) for name, values in found.items()}

    return in_chunks(len(rows), CHUNK, folder, compute, title="embed", unit="image", progress=progress, ranks=ranks)


@torch.no_grad()
def embed_batch(images: torch.Tensor, networks: Networks, slots: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
    """The values named in :func:`extract` of a batch of normalised images, shape (B, 3, h, w)."""
    found: dict[str, torch.Tensor] = {}
    maps: dict[Encoder, torch.Tensor] = {}

    def feature_map(encoder: Encoder) -> torch.Tensor:
        """One pass serves all, also where SwAV and the classifier have one encoder."""
        if encoder not in maps:
            maps[encoder] = encoder.feature_map(images)
        return maps[encoder]

    if networks.swav is not None:
        swav = networks.swav
        found["embedding"] = swav.encoder.pool(feature_map(swav.encoder))
        found["projection"] = swav.project(found["embedding"])
        found["prototype_logits"] = swav.prototypes(found["projection"])
    if networks.classifier is not None:
        classifier = networks.classifier
        features = feature_map(classifier.encoder)
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
