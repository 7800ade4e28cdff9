"""The classifier: one network for every sensor's images, and a pair's logits as a sum of its sensors' evidence."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from rice_ssl.models.encoder import Encoder

INITIAL_SCALE = 1.5
"""A pair's two pictures carry more evidence than one, and less than two independent ones would (factor 2)."""


class Classifier(nn.Module):
    """Encoder, dropout and a linear layer; both sensors share all weights.

    The logits of a pair are ``scale`` times the mean of its sensors' logits, so what each sensor contributes can be
    read off, and a pair with one picture has that picture's logits.

    Args:
        encoder: images to embeddings.
        classes: number of classes, >= 2.
        dropout: share of the embedding left out in training, in [0, 1).
    """

    def __init__(self, encoder: Encoder, classes: int, dropout: float = 0.0) -> None:
        """Put a head with random weights on the encoder."""
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.BatchNorm1d(encoder.embedding_size), nn.Dropout(dropout), nn.Linear(encoder.embedding_size, classes)
        )
        self.log_scale = nn.Parameter(torch.tensor(INITIAL_SCALE).log())

    def classify(self, embedding: Tensor) -> Tensor:
        """Logits, shape (B, classes), of embeddings, shape (B, E)."""
        return cast(Tensor, self.head(embedding))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, shape (B, classes), of normalised images, shape (B, 3, h, w)."""
        return self.classify(self.encoder(images))

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
