"""A trained classifier as those see it who ask it about changed pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from rice_ssl.models.classifier import PairClassifier
from rice_ssl.training.judging import versions

Classify = Callable[[Tensor], Tensor]
"""Normalised pictures of one sensor, shape (B, 3, H, W), to logits, shape (B, C), each of its own picture only."""


def judge_alone(classifier: PairClassifier, slot: int) -> Classify:
    """What a classifier says of images of one sensor, each judged without its twin.

    Args:
        classifier: in evaluation mode.
        slot: place of the sensor among the run's.
    """

    def judged(images: Tensor) -> Tensor:
        slots = torch.full((len(images),), slot, device=images.device)
        return classifier.classify(classifier.encoder(images), slots)

    return judged


class Predict(Protocol):
    """A trained classifier, however it is made of networks."""

    def __call__(self, images: Sequence[Tensor | None], present: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of each sensor's picture, shape (B, S, C), and of the pairs, shape (B, C).

        Args:
            images: one entry a sensor: normalised pictures, shape (B, 3, H, W), anything where a pair lacks that
                sensor's; None where every pair does, then that sensor's logits may be anything.
            present: whether a pair has that sensor's picture, bool, shape (B, S); at least one a pair.
        """
        ...


class ClassifierPredict:
    """:class:`Predict` of networks, whose logits are averaged. A picture is embedded once while it stays the same.

    Args:
        networks: one or more, in evaluation mode, on the device of the pictures.
        views: versions of each picture that are judged, see :func:`rice_ssl.training.judging.versions`; logits are
            their mean.
    """

    def __init__(self, *networks: PairClassifier, views: int = 1) -> None:
        """Nothing is known yet."""
        self.networks, self.views = networks, views
        self._known: dict[int, tuple[Tensor, list[Tensor]]] = {}

    def __call__(self, images: Sequence[Tensor | None], present: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Predict`."""
        embedded = [None if image is None else self._embedded(slot, image) for slot, image in enumerate(images)]
        some = next(own for own in embedded if own is not None)
        found = []
        for number, embedding in enumerate(some):
            every = [torch.zeros_like(embedding) if own is None else own[number] for own in embedded]
            network = self.networks[number % len(self.networks)]
            found.append(network.judge(torch.stack(every, dim=1), present))
        each, joint = zip(*found, strict=True)
        return torch.stack(each).mean(dim=0), torch.stack(joint).mean(dim=0)

    def _embedded(self, slot: int, image: Tensor) -> list[Tensor]:
        """Embeddings of a picture: of its first version by each network, then of the next version."""
        known = self._known.get(slot)
        if known is None or known[0] is not image:
            made = [network.encoder(one) for one in versions(image, self.views) for network in self.networks]
            known = self._known[slot] = (image, made)
        return known[1]
