"""What is measured of the network while it trains: how it holds up on pairs that it does not learn from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from rice_ssl.evaluation.probe import knn_classes
from rice_ssl.training.batches import LabelledRows, Pictures, Rows

_EVALUATION_BATCH = 64


def effective_rank(embeddings: Tensor) -> float:
    """How many directions embeddings spread over: exp of the entropy of their normalised singular values.

    Args:
        embeddings: shape (N, E); their mean is taken off first.

    Returns:
        In [1, min(N - 1, E)]; 1 where all are alike.

    Source:
        Roy and Vetterli 2007, eq. 3-4. Differs: of the centred matrix, as a constant offset is not a direction of
        spread.
    """
    centred = (embeddings - embeddings.mean(dim=0)).double()
    gram = centred @ centred.T if len(centred) <= centred.shape[1] else centred.T @ centred
    values = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    total = float(values.sum())
    if total == 0:
        return 1.0
    return float(torch.special.entr(values / total).sum().exp())


class OnlineKnn:
    """kNN accuracy of each sensor's images: validation pairs against the training pairs, both with labels.

    Args:
        pictures: decoded pictures.
        train: pairs that neighbours are taken from.
        val: pairs that are classified.
        sensors: names of the S sensors.
    """

    def __init__(self, pictures: Pictures, train: LabelledRows, val: LabelledRows, sensors: Sequence[str]) -> None:
        """Find out which sensors have labelled images on both sides."""
        self.pictures, self.count = pictures, int(max(train.targets.max(initial=-1), val.targets.max(initial=-1))) + 1
        self.sides: dict[str, tuple[tuple[Rows, Rows], tuple[Rows, Rows]]] = {}
        for slot, sensor in enumerate(sensors):
            bank, query = (_of_slot(side, slot) for side in (train, val))
            if len(bank[0]) and len(query[0]):
                self.sides[sensor] = (bank, query)

    def accuracy(self, encoder: nn.Module) -> Mapping[str, float]:
        """``knn_accuracy_SENSOR`` of each sensor, in [0, 1]; empty without labels. Whole pictures, no crops."""
        was = encoder.training
        encoder.eval()
        found = {}
        for sensor, (bank, query) in self.sides.items():
            vectors = [self._embed(encoder, rows) for rows, _ in (bank, query)]
            predicted = knn_classes(vectors[1], vectors[0], bank[1], self.count)
            found[f"knn_accuracy_{sensor}"] = float((predicted == query[1]).mean())
        encoder.train(was)
        return found

    @torch.no_grad()
    def _embed(self, encoder: nn.Module, rows: Rows) -> npt.NDArray[np.float32]:
        parts = [
            functional.normalize(encoder(self.pictures.whole(rows[at : at + _EVALUATION_BATCH])).float(), dim=1).cpu()
            for at in range(0, len(rows), _EVALUATION_BATCH)
        ]
        return torch.cat(parts).numpy()


def _of_slot(pairs: LabelledRows, slot: int) -> tuple[Rows, Rows]:
    """Rows and classes of one sensor's labelled images."""
    there = (pairs.rows[:, slot] >= 0) & (pairs.targets >= 0)
    return pairs.rows[there, slot], pairs.targets[there]


def is_better(loss: float, best: float) -> bool:
    """Whether a validation loss is finite and lower than the best so far, which may be NaN for none."""
    return math.isfinite(loss) and not loss >= best
