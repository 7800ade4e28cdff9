"""What is handed on of a leaf, of its images, and of the run that judged it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rice_ssl.evidence.words import verdict

MOST_LEAVES = 200
"""Leaves in one export, so that a page still opens on a telephone."""


@dataclass(frozen=True)
class FileHash:
    """SHA-256 of a file.

    Attributes:
        file: its path inside the run directory.
        sha256: 64 hexadecimal digits, as noted when it was written.
        state: whether the file is still that one, in words.
    """

    file: str
    sha256: str
    state: str


@dataclass(frozen=True)
class RunFacts:
    """The run that judged the leaves.

    Attributes:
        name: of the run.
        created: when it was begun, as ``run.json`` has it.
        simulated: whether its images are simulated, not photographed.
        weights_simulated: whether its images are not, but what its weights were trained on is.
        made: when the evidence was put together, ISO 8601.
        version: of this package.
        classes: names, in the order of probabilities.
        titles: how each sensor is written, in order.
        judged_by: ``predictions``, ``cross_validation``, or None where nothing was predicted.
        weights_of: name of the other run whose weights were used; None where they are the run's own.
        weights: of the networks; empty where none are noted.
        manifest: SHA-256 of ``manifest.parquet``.
        missing: what the run lacks of all this, a sentence each.
    """

    name: str
    created: str
    simulated: bool
    weights_simulated: bool
    made: str
    version: str
    classes: tuple[str, ...]
    titles: Mapping[str, str]
    judged_by: str | None
    weights_of: str | None
    weights: tuple[FileHash, ...]
    manifest: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class MapKind:
    """One kind of maps: ``method``, ``layer``, and how the method is written."""

    method: str
    layer: str
    title: str

    @property
    def name(self) -> str:
        """``method.layer``, as the file of maps."""
        return f"{self.method}.{self.layer}"

    @property
    def text(self) -> str:
        """As it is written for people."""
        layer = {"input": "", "last": ", last layer"}.get(self.layer, f", {self.layer}")
        return f"{self.title}{layer}"


@dataclass(frozen=True)
class ImageEvidence:
    """One image of a leaf.

    Attributes:
        sensor: name.
        title: how the sensor is written.
        file: its path in the data set, from the manifest.
        sha256: of the file, from the manifest.
        width: of the file, pixels.
        height: of the file, pixels.
        jpeg: the run's reduced picture; None where it keeps none, or one that cannot be read.
        prediction: class predicted from this image alone; None where nothing was.
        probabilities: of the classes, in [0, 1]; empty where there are none.
        cam: Grad-CAM of the predicted class, shape (h, w), >= 0, in logits; None where there is none.
        trust: by :attr:`MapKind.name`, row of the table ``trust``; only maps that were measured.
        bands: share of the evidence in each band, in [0, 1]; empty where not measured.
        nearest: pair ids of the same sensor's nearest images with labels (None: unlabelled) and cosines, nearest first.
    """

    sensor: str
    title: str
    file: str
    sha256: str
    width: int
    height: int
    jpeg: bytes | None = None
    prediction: str | None = None
    probabilities: tuple[float, ...] = ()
    cam: npt.NDArray[np.float32] | None = None
    trust: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    bands: Mapping[str, float] = field(default_factory=dict)
    nearest: tuple[tuple[str, str | None, float], ...] = ()

    def trust_of(self, kind: MapKind) -> Mapping[str, Any] | None:
        """What was measured of the map of the predicted class; None where nothing was, or of another class' map."""
        row = self.trust.get(kind.name)
        return row if row is not None and row["class_name"] == self.prediction else None

    def verdict(self, kind: MapKind) -> str:
        """Whether to believe that map, in words."""
        return verdict(self.trust_of(kind))


@dataclass(frozen=True)
class LeafEvidence:
    """One leaf.

    Attributes:
        pair_id: of the pair.
        label: its class, None where unknown.
        split: ``train``, ``val``, ``test``; ``oof`` where networks judged it that did not see it.
        images: in the order of the run's sensors.
        prediction: from all images together; None where there is none.
        probabilities: likewise; empty where there are none.
        agree: whether the first two images' predictions are the same; None where there are not two.
        divergence: Jensen-Shannon divergence of their probabilities, bits; None likewise.
        agreement: by :attr:`MapKind.name`, row of the table ``map_agreement``.
        cosine: of the first two images' embeddings; None where there are not two.
    """

    pair_id: str
    label: str | None
    split: str
    images: tuple[ImageEvidence, ...]
    prediction: str | None = None
    probabilities: tuple[float, ...] = ()
    agree: bool | None = None
    divergence: float | None = None
    agreement: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    cosine: float | None = None

    @property
    def scale(self) -> float:
        """Value that counts as the strongest evidence in both maps; 0 where there is none."""
        return max((float(image.cam.max()) for image in self.images if image.cam is not None), default=0.0)


@dataclass(frozen=True)
class Evidence:
    """Leaves, and the run that judged them.

    Attributes:
        run: the run.
        drawn: the kind of maps that is drawn; None where there are none.
        kinds: all kinds that were measured.
        leaves: in the order asked for.
    """

    run: RunFacts
    drawn: MapKind | None
    kinds: tuple[MapKind, ...]
    leaves: tuple[LeafEvidence, ...]
