"""The classifiers: one encoder for every sensor's images, and how a pair is judged from what its images give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from rice_ssl.config import EncoderConfig, FinetuneConfig
from rice_ssl.errors import InputError
from rice_ssl.models.encoder import Encoder
from rice_ssl.sensors import FUSED, SHARED

INITIAL_SCALE = 1.5
"""A pair's two pictures carry more evidence than one, and less than two independent ones would (factor 2)."""


class Classifier(nn.Module):
    """Encoder and head; all sensors share all weights, and each image is judged by itself.

    The logits of a pair are ``scale`` times the mean of its sensors' logits, so what each sensor contributes can be
    read off, and a pair with one picture has that picture's logits.

    Args:
        encoder: images to embeddings.
        classes: number of classes, >= 2.
        dropout: share of the embedding left out in training, in [0, 1).
        hidden: units of a hidden layer in the head; 0: none.
    """

    def __init__(self, encoder: Encoder, classes: int, dropout: float = 0.0, hidden: int = 0) -> None:
        """Put a head with random weights on the encoder."""
        super().__init__()
        self.encoder = encoder
        size = encoder.embedding_size
        layers = [nn.BatchNorm1d(size), nn.Dropout(dropout), *_last_layers(size, hidden, classes, dropout)]
        self.head = nn.Sequential(*layers)
        self.log_scale = nn.Parameter(torch.tensor(INITIAL_SCALE).log())

    def classify(self, embedding: Tensor, slots: Tensor | None = None) -> Tensor:
        """Logits, shape (B, classes), of embeddings of single images, shape (B, E); ``slots`` makes no difference."""
        return cast(Tensor, self.head(embedding))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (B, classes), of normalised images, shape (B, 3, h, w)."""
        return self.classify(self.encoder(images))

    def judge(self, embeddings: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Judge pairs from the embeddings of their images.

        Args:
            embeddings: shape (B, S, E).
            present: whether that image is there, bool, shape (B, S); at least one a pair.

        Returns:
            Logits of each image judged alone, shape (B, S, classes), and of the pair, shape (B, classes).
        """
        pairs, slots, _ = embeddings.shape
        logits = self.classify(embeddings.flatten(0, 1)).view(pairs, slots, -1)
        return logits, self.join(logits, present)

    def join(self, logits: Tensor, present: Tensor) -> Tensor:
        """Logits of pairs.

        Args:
            logits: of each pair's pictures, shape (B, S, classes).
            present: whether that picture is there, bool, shape (B, S); at least one a pair.

        Returns:
            Shape (B, classes).
        """
        weight = present.to(logits.dtype).unsqueeze(2)
        count = weight.sum(dim=1)
        mean = (logits * weight).sum(dim=1) / count.clamp(min=1)
        return torch.where(count > 1, self.log_scale.exp() * mean, mean)


class FusedClassifier(nn.Module):
    """Encoder and a head on the embeddings of all of a pair's images, joined; images may be missing.

    Each sensor's embedding is normalised over the batch (by statistics of its own), and that of a missing image is
    then zero: the mean of those that are there. What a sensor's image says alone is judged with the others missing.

    Args:
        encoder: images to embeddings; the same weights for every sensor.
        classes: number of classes, >= 2.
        sensors: how many images a pair has at most, >= 2.
        dropout: share of the joined embedding left out in training, in [0, 1).
        hidden: units of a hidden layer; with 0 the pair's logits are sums of what each sensor gives.
    """

    def __init__(self, encoder: Encoder, classes: int, sensors: int, dropout: float = 0.0, hidden: int = 0) -> None:
        """Put a head with random weights on the encoder."""
        super().__init__()
        self.encoder = encoder
        size = encoder.embedding_size
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for _ in range(sensors))
        self.head = nn.Sequential(nn.Dropout(dropout), *_last_layers(sensors * size, hidden, classes, dropout))

    def classify(self, embedding: Tensor, slots: Tensor | None = None) -> Tensor:
        """Logits, shape (B, classes), of embeddings of single images, shape (B, E), with the pair's others missing.

        Args:
            embedding: shape (B, E).
            slots: place of each image's sensor among the sensors, shape (B,).

        Raises:
            ValueError: no ``slots``.
        """
        if slots is None:
            raise ValueError("a fused classifier needs the sensor of each image: give slots")
        present = nn.functional.one_hot(slots, len(self.norms)).bool()
        every = embedding.unsqueeze(1).expand(-1, len(self.norms), -1)
        return self._head(self._normed(every, present), present)

    def judge(self, embeddings: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Judge pairs, see :meth:`Classifier.judge`."""
        normed = self._normed(embeddings, present)
        alone = torch.eye(len(self.norms), device=embeddings.device).bool()
        single = [self._head(normed, alone[slot].expand(len(normed), -1)) for slot in range(len(self.norms))]
        return torch.stack(single, dim=1), self._head(normed, present)

    def _normed(self, embeddings: Tensor, present: Tensor) -> Tensor:
        """Embeddings normalised over the images that are there, shape (B, S, E); 0 where there is none."""
        found = []
        for slot, norm in enumerate(self.norms):
            there = present[:, slot]
            if bool(there.all()):
                found.append(norm(embeddings[:, slot]))
                continue
            values = torch.zeros_like(embeddings[:, slot])
            if not self.training or int(there.sum()) > 1:  # one image has no spread to be normalised by
                values[there] = norm(embeddings[there, slot]).to(values.dtype)
            found.append(values)
        return torch.stack(found, dim=1)

    def _head(self, normed: Tensor, present: Tensor) -> Tensor:
        return cast(Tensor, self.head((normed * present.unsqueeze(2)).flatten(1)))


PairClassifier = Classifier | FusedClassifier


def _last_layers(size: int, hidden: int, classes: int, dropout: float) -> list[nn.Module]:
    if hidden == 0:
        return [nn.Linear(size, classes)]
    return [
        nn.Linear(size, hidden),
        nn.ReLU(),
        nn.BatchNorm1d(hidden),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    ]


def used_slots(config: FinetuneConfig, sensors: Sequence[str]) -> list[int]:
    """Places, among a run's sensors, of those that a classifier learns from.

    Raises:
        InputError: ``config.sensors`` is the name of no sensor.
    """
    if config.sensors in {SHARED, FUSED}:
        return list(range(len(sensors)))
    if config.sensors not in sensors:
        raise InputError(
            f"finetune.sensors is {config.sensors!r}, but the images are of {', '.join(sensors)}: name one of these, "
            f"or {SHARED} or {FUSED}."
        )
    return [list(sensors).index(config.sensors)]


def build_classifier(
    encoder: EncoderConfig, config: FinetuneConfig, classes: int, sensors: Sequence[str]
) -> PairClassifier:
    """The classifier that a run's settings ask for, with random weights.

    Args:
        encoder: the network.
        config: its ``sensors``, ``hidden`` and ``dropout`` are used.
        classes: number of classes.
        sensors: names of the run's sensors, in order.

    Raises:
        InputError: the encoder does not exist, or ``config.sensors`` does not fit ``sensors``.
    """
    slots = used_slots(config, sensors)
    if config.sensors == FUSED and len(slots) > 1:
        return FusedClassifier(Encoder(encoder), classes, len(slots), config.dropout, config.hidden)
    return Classifier(Encoder(encoder), classes, config.dropout, config.hidden)
