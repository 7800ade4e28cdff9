"""Maps of a run's images, and how far those of a sample may be trusted.

Pairs are handled in chunks that are kept on disk. Values are laid out by pair and sensor, shape (P, S, ...); where a
pair lacks a sensor's image, maps are zero and figures are NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from rice_ssl.attribution.baseline_maps import centred_gaussian, random_maps
from rice_ssl.attribution.faithfulness import deletion_insertion, road
from rice_ssl.attribution.grad_cam import CAM_METHODS
from rice_ssl.attribution.input_attribution import (
    band_shares,
    grid_maps,
    integrated_gradients,
    occlusion,
    window_means,
)
from rice_ssl.attribution.layers import layer_cams
from rice_ssl.attribution.predict import Classify, judge_alone
from rice_ssl.attribution.removal import blurred
from rice_ssl.attribution.targets import prototype_maps, similarity_maps
from rice_ssl.config import AttributionConfig
from rice_ssl.embeddings.chunks import Arrays, in_chunks
from rice_ssl.embeddings.extract import Networks
from rice_ssl.models.classifier import PairClassifier
from rice_ssl.swav.ranks import Ranks
from rice_ssl.training.batches import Pictures, Rows

CAMS = tuple(CAM_METHODS)
"""Methods that need one pass; the others ask the network many times."""
RANDOM, GAUSSIAN = "random", "gaussian"
PROTOTYPE, SIMILARITY = "prototype", "similarity"
_PAIRS, _MEASURED_PAIRS = 128, 4
"""Pairs in one file of the resume folder: of maps, and of measurements, which take a second an image."""
_ROAD_RANDOM = 3
"""Random maps that ROAD is measured on: it is slow, and their mean is all that is asked of them."""
Kind = tuple[str, str]
"""Method and layer of a map."""


@dataclass(frozen=True)
class Explainer:
    """What explains images: a run's networks and settings.

    Attributes:
        networks: with a classifier.
        classifier: the same one.
        config: the settings.
        layers: names of the encoder's stages that get CAMs, the last one last.
        seed: of the random maps.
    """

    networks: Networks
    classifier: PairClassifier
    config: AttributionConfig
    layers: Sequence[str]
    seed: int

    @property
    def cams(self) -> list[str]:
        """The CAM methods asked for."""
        return [method for method in CAMS if method in self.config.methods]

    def classify(self, slot: int) -> Classify:
        """Logits of images of one sensor, each judged alone."""
        return judge_alone(self.classifier, slot)

    def layer_maps(self, classifier: PairClassifier, images: Tensor, slot: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits, shape (B, C), and CAMs, shape (B, C, h, w), by ``method.layer``, of images of one sensor."""
        slots = torch.full((len(images),), slot, device=images.device)
        logits, found = layer_cams(
            classifier.encoder,
            images,
            lambda embedding: classifier.classify(embedding, slots),
            layers=self.layers,
            methods=self.cams,
        )
        return logits, {f"{method}.{layer}": maps for layer, own in found.items() for method, maps in own.items()}


def explain(
    explainer: Explainer,
    pictures: Pictures,
    rows: Rows,
    folder: Path,
    *,
    progress: bool = True,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Arrays:
    """Maps that need one pass, of every image.

    Args:
        explainer: networks and settings.
        pictures: decoded pictures.
        rows: manifest rows of the pairs, shape (P, S), -1 for a missing image.
        folder: resume folder; the caller removes it.
        progress: whether to show a progress bar.
        ranks: processes that share the pairs and the folder; the leading one gets the arrays, the others none.

    Returns:
        In float16, by ``method.layer`` (P, S, C, h, w), >= 0, in logits: CAMs of every class. ``prototype``
        (P, S, h, w): Grad-CAM of the logit of the image's prototype, where there is SwAV. ``similarity`` (P, S, h, w):
        Grad-CAM of the cosine of the embeddings of the pair's first two images; zero where it has one.
    """

    def compute(wanted: range, advance: Callable[[int], None]) -> Arrays:
        found: dict[str, list[npt.NDArray[np.float32]]] = {}
        for at in range(wanted.start, wanted.stop, explainer.config.batch_size):
            part = rows[at : min(at + explainer.config.batch_size, wanted.stop)]
            for name, values in _one_pass(explainer, pictures, part).items():
                found.setdefault(name, []).append(values)
            advance(len(part))
        return {name: np.concatenate(values).astype(np.float16) for name, values in found.items()}

    return in_chunks(len(rows), _PAIRS, folder, compute, title="explain", unit="pair", progress=progress, ranks=ranks)


def _one_pass(explainer: Explainer, pictures: Pictures, rows: Rows) -> Arrays:
    """The values of :func:`explain` of a batch of pairs."""
    found: Arrays = {}

    def put(name: str, there: npt.NDArray[np.bool_], slot: int, values: Tensor) -> None:
        own = values.detach().float().cpu().numpy()
        if name not in found:
            found[name] = np.zeros((*rows.shape, *own.shape[1:]), dtype=np.float32)
        found[name][there, slot] = own

    swav, classifier = explainer.networks.swav, explainer.classifier
    encoder = classifier.encoder if swav is None else swav.encoder
    features: dict[int, Tensor] = {}
    for slot, there, images in _by_sensor(pictures, rows):
        for name, maps in explainer.layer_maps(classifier, images, slot)[1].items():
            put(name, there, slot, maps)
        with torch.no_grad():
            features[slot] = encoder.feature_map(images)
        if swav is not None:
            put(PROTOTYPE, there, slot, prototype_maps(swav, features[slot])[1])
    size = next(iter(features.values())).shape[-2:]
    found[SIMILARITY] = np.zeros((*rows.shape, *size), dtype=np.float32)
    both = np.asarray((rows[:, :2] >= 0).sum(axis=1) == 2)
    if both.any():
        own = [features[slot][torch.from_numpy(both[rows[:, slot] >= 0])] for slot in range(2)]
        for slot, maps in enumerate(similarity_maps(encoder, *own)[1:]):
            put(SIMILARITY, both, slot, maps)
    return found


def _by_sensor(pictures: Pictures, rows: Rows) -> Iterator[tuple[int, npt.NDArray[np.bool_], Tensor]]:
    """Number of each sensor, which of the pairs have its image, shape (P,), and these images."""
    for slot in range(rows.shape[1]):
        there = rows[:, slot] >= 0
        if there.any():
            yield slot, there, pictures.whole(rows[there, slot])


def measure(
    explainer: Explainer,
    pictures: Pictures,
    rows: Rows,
    sigmas: Sequence[float],
    folder: Path,
    *,
    progress: bool = True,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> tuple[list[Kind], Arrays]:
    """Maps that ask the network many times, and the faithfulness of every map for the class predicted.

    A map and the random ones that it is compared with are of one resolution: coarse maps remove pixels in blocks, which
    hurts a network less than as many pixels here and there.

    Args:
        explainer: networks and settings.
        pictures: decoded pictures.
        rows: manifest rows of the pairs, shape (P, S), -1 for a missing image.
        sigmas: of the blur that takes the place of what is removed, pixels, of each sensor.
        folder: resume folder; the caller removes it.
        progress: whether to show a progress bar.
        ranks: processes that share the pairs and the folder; the leading one gets the arrays, the others none.

    Returns:
        Method and layer of each of M maps measured, those of random and Gaussian maps last, and

        - ``integrated_gradients`` and ``occlusion`` (P, S, C, h, w), signed, in logits, on the last CAM's grid;
        - ``band_share`` and ``band_signed`` (P, S, 3);
        - ``predicted`` (P, S): number of the class predicted;
        - ``deletion``, ``insertion``, ``random_score``, ``gaussian_score``, ``p_random`` and ``road`` (P, S, M).
    """
    measured = _Measured(explainer, sigmas)

    def compute(wanted: range, advance: Callable[[int], None]) -> Arrays:
        found: list[Arrays] = []
        for pair in wanted:
            found.append(measured.pairs(pictures, rows[pair : pair + 1], pair))
            advance(1)
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    arrays = in_chunks(
        len(rows), _MEASURED_PAIRS, folder, compute, title="measure", unit="pair", progress=progress, ranks=ranks
    )
    return measured.kinds, arrays


class _Measured:
    """Measures pairs, one after the other."""

    def __init__(self, explainer: Explainer, sigmas: Sequence[float]) -> None:
        self.explainer, self.sigmas = explainer, sigmas
        config = explainer.config
        asked = [(method, layer) for layer in explainer.layers for method in explainer.cams]
        asked += [(method, "input") for method in ("integrated_gradients", "occlusion") if method in config.methods]
        self.kinds = [*asked, (RANDOM, "none"), (GAUSSIAN, "none")]

    def pairs(self, pictures: Pictures, rows: Rows, number: int) -> Arrays:
        """The values of :func:`measure` of one pair, shape (1, S, ...); ``number`` is its place in the sample."""
        found: Arrays = {}
        for slot, _, image in _by_sensor(pictures, rows):
            for name, values in self._image(image, slot, number).items():
                if name not in found:
                    blank = 0.0 if values.ndim == 3 else np.nan
                    found[name] = np.full((1, rows.shape[1], *values.shape), blank, dtype=np.float32)
                found[name][0, slot] = values
        return found

    def _image(self, image: Tensor, slot: int, number: int) -> Arrays:
        explainer, config = self.explainer, self.explainer.config
        classify, baseline = explainer.classify(slot), blurred(image, self.sigmas[slot])
        logits, cams = explainer.layer_maps(explainer.classifier, image, slot)
        predicted = logits.argmax(dim=1)
        grid = _size(next(reversed(cams.values())))
        maps: dict[Kind, Tensor] = {}
        found: dict[str, Tensor] = {}
        for name, own in cams.items():
            method, _, layer = name.partition(".")
            maps[method, layer] = own
        if "integrated_gradients" in config.methods:
            attributed = integrated_gradients(
                classify, image, baseline, steps=config.integration_steps, batch_size=config.batch_size
            )
            maps["integrated_gradients", "input"] = own = grid_maps(attributed, grid)
            found["integrated_gradients"] = own[0]
            of_class = attributed[:, int(predicted)]
            found["band_share"], found["band_signed"] = band_shares(of_class)[0], of_class.sum(dim=(2, 3))[0]
        if "occlusion" in config.methods:
            window = max(1, round(config.occlusion * min(image.shape[-2:])))
            squares = {"window": window, "stride": max(1, window // 2)}
            drops = occlusion(classify, image, baseline, **squares, batch_size=config.batch_size)
            whole = window_means(drops, (image.shape[-2], image.shape[-1]), **squares)
            maps["occlusion", "input"] = own = functional.adaptive_avg_pool2d(whole, grid)
            found["occlusion"] = own[0]
        of_class_maps = {kind: own[:, int(predicted)] for kind, own in maps.items()}
        arrays = {name: values.detach().float().cpu().numpy() for name, values in found.items()}
        figures = self._faithfulness(classify, image, baseline, of_class_maps, predicted, number)
        return {**arrays, **figures, "predicted": predicted[0].float().cpu().numpy()}

    def _faithfulness(
        self,
        classify: Classify,
        image: Tensor,
        baseline: Tensor,
        maps: dict[Kind, Tensor],
        predicted: Tensor,
        number: int,
    ) -> Arrays:
        config, kinds = self.explainer.config, self.kinds
        names = ("deletion", "insertion", "random_score", "gaussian_score", "p_random", "road")
        found: Arrays = {name: np.full(len(kinds), np.nan, dtype=np.float32) for name in names}
        sizes = list(dict.fromkeys(map(_size, maps.values())))
        for size in sizes:
            own = [kind for kind in kinds if kind in maps and _size(maps[kind]) == size]
            generator = torch.Generator().manual_seed(1_000_003 * self.explainer.seed + number)
            random = random_maps(config.random_maps, size, generator)
            others = torch.cat([random, centred_gaussian(*size)[None]]).to(image)
            every = torch.cat([*(maps[kind] for kind in own), others])[None]
            seed = self.explainer.seed + number  # of the order of equal pixels
            deletion, insertion = deletion_insertion(
                classify, image, baseline, every, predicted, steps=config.steps, batch_size=config.batch_size, seed=seed
            )
            down, up = (values[0].cpu().numpy() for values in (deletion, insertion))
            score = up - down
            chance, centre = score[len(own) : -1], score[-1]
            solved = None
            if number < config.road_images:
                few = torch.cat([every[:, : len(own) + min(_ROAD_RANDOM, config.random_maps)], every[:, -1:]], dim=1)
                solved = road(classify, image, few, predicted, batch_size=config.batch_size, seed=seed)[0].cpu().numpy()
            for place, kind in enumerate(own):
                where = kinds.index(kind)
                found["deletion"][where], found["insertion"][where] = down[place], up[place]
                found["random_score"][where], found["gaussian_score"][where] = chance.mean(), centre
                found["p_random"][where] = (1 + (chance >= score[place]).sum()) / (1 + len(chance))
                found["road"][where] = np.nan if solved is None else solved[place]
            if size == sizes[-1]:  # that of the last CAM, whose baselines are reported
                for where, several in ((-2, slice(len(own), -1)), (-1, slice(-1, None))):
                    found["deletion"][where], found["insertion"][where] = down[several].mean(), up[several].mean()
                    found["random_score"][where], found["gaussian_score"][where] = chance.mean(), centre
                    found["road"][where] = np.nan if solved is None else solved[several].mean()
        return found


def _size(maps: Tensor) -> tuple[int, int]:
    """Height and width, in cells."""
    return int(maps.shape[-2]), int(maps.shape[-1])
