"""SwAV's network: encoder, projection head and prototypes."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rice_ssl.models.encoder import Encoder


class SwAV(nn.Module):
    """Encoder, a projection head (Linear, norm, ReLU, Linear; L2-normalised) and prototypes without bias.

    Args:
        encoder: shared by all sensors.
        hidden: width of the head's hidden layer.
        projection: size of a projection.
        prototypes: number of prototypes, K.
        head_norm: ``batch`` as in the paper, or ``layer``, whose result for an image does not depend on the batch.

    Source:
        Caron et al. 2020, section 3 (arXiv 2006.09882).
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        hidden: int,
        projection: int,
        prototypes: int,
        head_norm: Literal["batch", "layer"] = "batch",
    ) -> None:
        """Make head and prototypes with random weights."""
        super().__init__()
        self.encoder = encoder
        self.head = nn.Sequential(
            nn.Linear(encoder.embedding_size, hidden),
            nn.BatchNorm1d(hidden) if head_norm == "batch" else nn.LayerNorm(hidden),
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

    def forward(self, images: Tensor, smaller: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings (N, E), projections (N, P) and prototype logits (N, K), cosines, of images.

        Args:
            images: shape (B, 3, h, w).
            smaller: images of another size, shape (C, 3, h', w'), which come after; N is B + C. The encoder sees each
                size by itself, the head all together, as the paper's own code has it.
        """
        sizes = (images,) if smaller is None else (images, smaller)
        embedding = torch.cat([self.encoder(batch) for batch in sizes])
        projection = self.project(embedding)
        return embedding, projection, cast(Tensor, self.prototypes(projection))
