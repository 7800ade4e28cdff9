"""Embeddings of pairs that never were photographed: clusters within classes, the twin near its own pair.

For tests of scale. Nothing was trained, no picture was taken: what a screen shows of them says nothing about leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from rice_ssl.errors import InputError

Floats = npt.NDArray[np.float32]

CLASSES: Final = ("blast", "brown", "healthy")
CLUSTERS: Final = 8
"""Of each class."""
PAIRS_IN_PART: Final = 25_000
"""Drawn at once; a pair depends on the settings and its number alone, not on how many are drawn."""
PROJECTION: Final = 64
"""Dimensions of the projections, unless the embeddings have fewer."""
TEMPERATURE: Final = 0.1
TEST, VALIDATION, TRAINING = 0, 1, 2
FOLDS: Final = 5

_LATENT = 10  # dimensions in which the pairs of a cluster differ: so few that some are near, and others far
_WIDTH, _TWIN, _NOISE, _SENSOR = 0.6, 0.15, 0.05, 0.25  # of a cluster, between twins, of an image, between sensors
_ASTRAY, _WRONG_LABEL, _TEST_SHARE = 0.04, 0.06, 0.25
_DEAD, _ONE_SENSOR = 0.1, 0.1  # shares of the prototypes


@dataclass(frozen=True)
class EmbeddingsConfig:
    """What to simulate.

    Attributes:
        pairs: of images, >= 1.
        dimensions: of the embeddings, 4 to 4096.
        prototypes: 2 to 10,000.
        seed: 0 to 2**32 - 1.
    """

    pairs: int
    dimensions: int = 128
    prototypes: int = 300
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings out of range.

        Raises:
            InputError: names the setting, its value and the range.
        """
        for name, low, high in (
            ("pairs", 1, 10_000_000),
            ("dimensions", 4, 4096),
            ("prototypes", 2, 10_000),
            ("seed", 0, 2**32 - 1),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value}; give a whole number from {low} to {high}.")


@dataclass(frozen=True)
class Part:
    """Some pairs, n of them; axis 1 of what has two is the sensor, the second being that of the twin.

    Attributes:
        first: number of the first pair.
        label: number of the class, shape (n,).
        split: ``TEST``, ``VALIDATION`` or ``TRAINING``, shape (n,).
        fold: 0..4, or -1 of test pairs, shape (n,).
        cluster: of each image, shape (n, 2).
        embedding: shape (n, 2, D).
        projection: of unit length, shape (n, 2, P).
        prototype_logits: cosines, shape (n, 2, K).
        logits: of the classes, shape (n, 2, C).
        places: on each layout, shape (n, 2, 2 or 3): two that look as UMAP's do, one by PCA in three dimensions.
    """

    first: int
    label: npt.NDArray[np.int8]
    split: npt.NDArray[np.int8]
    fold: npt.NDArray[np.int64]
    cluster: npt.NDArray[np.int16]
    embedding: Floats
    projection: Floats
    prototype_logits: Floats
    logits: Floats
    places: tuple[Floats, Floats, Floats]


@dataclass(frozen=True)
class Assigned:
    """The nearest prototype of images, as ``rice-ssl embed`` notes it; each of shape (N,)."""

    prototype: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    second: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float32]


def assigned(prototype_logits: Floats) -> Assigned:
    """Nearest and second prototype, soft-max probability of the first, entropy in nats, of logits of shape (N, K)."""
    log_p = log_softmax(prototype_logits / np.float32(TEMPERATURE), axis=1)
    first = log_p.argmax(axis=1)
    rows = np.arange(len(log_p))
    entropy = -np.einsum("nk,nk->n", np.exp(log_p), log_p)
    best = log_p[rows, first]
    log_p[rows, first] = -np.inf
    return Assigned(first, np.exp(best), log_p.argmax(axis=1), entropy)


class SimulatedEmbeddings:
    """Where the clusters and prototypes lie, and the pairs drawn around them.

    Args:
        config: the settings.

    Attributes:
        prototypes: of unit length, in the space of the projections, shape (K, P).
        prototype_cluster: of each, shape (K,).
        prototype_places: on the first layout, shape (K, 2).
    """

    def __init__(self, config: EmbeddingsConfig) -> None:
        """Lay out clusters and prototypes; no pair is drawn yet."""
        self.config = config
        rng = np.random.default_rng([config.seed, 1])
        size, count = config.dimensions, len(CLASSES) * CLUSTERS
        latent = min(_LATENT, size)
        self._classes = _unit(rng.normal(size=(len(CLASSES), size)))
        own = _unit(rng.normal(size=(count, size)))
        self._class_of = np.repeat(np.arange(len(CLASSES)), CLUSTERS)
        self._centres = _unit(self._classes[self._class_of] + own)
        self._axes = (_WIDTH * _unit(rng.normal(size=(count, latent, size))) / np.sqrt(latent)).astype(np.float32)
        self._sensors = _SENSOR * _unit(rng.normal(size=(2, size)))
        self._weights = rng.dirichlet(np.full(count, 4.0))
        self._head = np.linalg.qr(rng.normal(size=(size, min(PROJECTION, size))))[0].astype(np.float32)
        self._layouts = [self._layout(np.random.default_rng([config.seed, 2, number])) for number in range(2)]
        spread = (self._centres[:, None] + self._sensors[None]).reshape(-1, size)
        self._mean = spread.mean(axis=0)
        self._components = np.linalg.svd(spread - self._mean, full_matrices=False)[2][:3].T
        self._place_prototypes(rng)

    def _layout(self, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Middle of each cluster, and how its pairs are turned and stretched around it."""
        count = len(self._centres)
        angle = 2 * np.pi * (rng.permutation(count) + rng.uniform(0, 0.5, count)) / count
        middle = rng.uniform(4, 12, count)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return middle.astype(np.float32), rng.normal(0, 1.2, (count, 2, 2)).astype(np.float32)

    def _place_prototypes(self, rng: np.random.Generator) -> None:
        config, count = self.config, len(self._centres)
        cluster = rng.choice(count, config.prototypes, p=self._weights)
        latent = rng.normal(size=(config.prototypes, self._axes.shape[1])).astype(np.float32)
        vectors = self._centres[cluster] + np.einsum("kl,kld->kd", latent, self._axes[cluster])
        one_sensor = rng.random(config.prototypes) < _ONE_SENSOR
        vectors[one_sensor] += 3 * self._sensors[rng.integers(0, 2, int(one_sensor.sum()))]
        dead = rng.random(config.prototypes) < _DEAD
        vectors[dead] = rng.normal(size=(int(dead.sum()), config.dimensions))
        self.prototypes = _unit(vectors.astype(np.float32) @ self._head)
        self.prototype_cluster = cluster
        middle, turned = self._layouts[0]
        self.prototype_places = middle[cluster] + np.einsum("kl,klm->km", latent[:, :2], turned[cluster])

    def parts(self) -> Iterator[Part]:
        """All pairs, at most 25,000 at a time."""
        for number, first in enumerate(range(0, self.config.pairs, PAIRS_IN_PART)):
            yield self._part(number, first, min(PAIRS_IN_PART, self.config.pairs - first))

    def _part(self, number: int, first: int, count: int) -> Part:
        rng = np.random.default_rng([self.config.seed, 3, number])
        n, size, latents = PAIRS_IN_PART, self.config.dimensions, self._axes.shape[1]
        cluster = np.repeat(rng.choice(len(self._centres), (n, 1), p=self._weights), 2, axis=1)
        astray = rng.random(n) < _ASTRAY  # pairs whose second image looks as another kind of leaf
        cluster[astray, 1] = rng.integers(0, len(self._centres), int(astray.sum()))
        label = self._class_of[cluster[:, 0]]
        wrong = rng.random(n) < _WRONG_LABEL
        label[wrong] = rng.integers(0, len(CLASSES), int(wrong.sum()))
        test, fold = rng.random(n) < _TEST_SHARE, rng.integers(0, FOLDS, n)
        split = np.where(test, TEST, np.where(fold == 0, VALIDATION, TRAINING))
        latent = rng.standard_normal((n, 1, latents), dtype=np.float32) + _TWIN * rng.standard_normal(
            (n, 2, latents), dtype=np.float32
        )
        jitter = rng.standard_normal((n, 2, len(CLASSES)), dtype=np.float32)
        cluster, latent, jitter = cluster[:count], latent[:count], jitter[:count]
        embedding = rng.standard_normal((count, 2, size), dtype=np.float32)  # the last to be drawn
        embedding *= np.float32(_NOISE / np.sqrt(size))
        embedding += self._sensors.astype(np.float32)
        flat, of = embedding.reshape(-1, size), cluster.reshape(-1)
        turned: list[Floats] = [np.empty((len(flat), 2), dtype=np.float32) for _ in self._layouts]
        around = latent.reshape(-1, latents)
        for one in range(len(self._centres)):
            rows = np.flatnonzero(of == one)
            flat[rows] += self._centres[one].astype(np.float32) + around[rows] @ self._axes[one]
            for places, (middle, turn) in zip(turned, self._layouts, strict=True):
                places[rows] = middle[one] + around[rows, :2] @ turn[one]
        projection = _unit(flat @ self._head)
        logits = 12 * (_unit(flat) @ self._classes.T.astype(np.float32)).reshape(count, 2, -1) + jitter
        linear = (flat - self._mean.astype(np.float32)) @ self._components.astype(np.float32)
        return Part(
            first=first,
            label=label[:count].astype(np.int8),
            split=split[:count].astype(np.int8),
            fold=np.where(test, -1, fold)[:count],
            cluster=cluster.astype(np.int16),
            embedding=embedding,
            projection=projection.reshape(count, 2, -1),
            prototype_logits=(projection @ self.prototypes.T).reshape(count, 2, -1),
            logits=logits,
            places=(turned[0].reshape(count, 2, 2), turned[1].reshape(count, 2, 2), linear.reshape(count, 2, 3)),
        )


def _unit(vectors: npt.NDArray[np.floating]) -> Floats:
    scaled: Floats = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return scaled
