"""SwAV's network: encoder, projection head and prototypes."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rice_ssl.models.encoder import Encoder


class SwAV(nn.Module):
    """Encoder, a projection head (Linear, BatchNorm, ReLU, Linear; L2-normalised) and prototypes without bias.

    Args:
        encoder: shared by all sensors.
        hidden: width of the head's hidden layer.
        projection: size of a projection.
        prototypes: number of prototypes, K.

    Source:
        Caron et al. 2020, section 3 (arXiv 2006.09882).
    """

    def __init__(self, encoder: Encoder, *, hidden: int, projection: int, prototypes: int) -> None:
        """Make head and prototypes with random weights."""
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Linear(encoder.embedding_size, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, projection),
        )
        self.prototypes = nn.Linear(projection, prototypes, bias=False)
        self.normalise_prototypes()

    @torch.no_grad()
    def normalise_prototypes(self) -> None:
        """Give every prototype unit length again (after every step, as the paper has it)."""
        self.prototypes.weight.copy_(functional.normalize(self.prototypes.weight, dim=1))

    def project(self, embedding: Tensor) -> Tensor:
        """Projections of unit length, shape (B, projection), of embeddings, shape (B, E)."""
        return functional.normalize(self.head(embedding), dim=1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embedding (B, E), projection (B, P) and prototype logits (B, K), cosines, of images (B, 3, h, w)."""
        embedding = self.encoder(images)
        projection = self.project(embedding)
        return embedding, projection, cast(Tensor, self.prototypes(projection))
