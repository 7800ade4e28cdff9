"""``rice-ssl audit``: what is wrong with a run's images, pairs and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.artifacts import RunStore, atomic_path
from rice_ssl.audit.audit import audit
from rice_ssl.audit.images import load_images
from rice_ssl.config import RunConfig
from rice_ssl.data.manifest import sensor_from_dict
from rice_ssl.submission import judges_for


@dataclass(frozen=True)
class AuditSummary:
    """What was found.

    Attributes:
        run: the run directory.
        pairs: number of pairs.
        images: number of images that could be read.
        faults: number of images that could not.
        counts: findings of each kind.
        examples: the worst finding's sentence of each kind that was found.
        confident: pairs whose registration is confident, of those with images of two sensors.
        registered: pairs with images of two sensors.
        notes: sentences on sources, and on what was left out.
        findings: number of all findings.
    """

    run: str
    pairs: int
    images: int
    faults: int
    counts: dict[str, int]
    examples: dict[str, str]
    confident: int
    registered: int
    notes: tuple[str, ...] = field(default_factory=tuple)
    findings: int = 0

    def text(self) -> str:
        """Readable summary."""
        faults = f"; {self.faults} images could not be read" if self.faults else ""
        lines = [f"{self.run}: {self.pairs} pairs, {self.images} images, {self.findings} findings{faults}"]
        if self.registered:
            lines.append(f"registration: confident of {self.confident} of {self.registered} pairs")
        for kind, count in self.counts.items():
            example = f", e.g. {self.examples[kind]}" if kind in self.examples else ""
            lines.append(f"{kind.replace('_', ' ')}: {count}{example}")
        return "\n".join([*lines, *self.notes])


def run_audit(
    store: RunStore, config: RunConfig, *, findings_csv: Path | None = None, progress: bool = True
) -> AuditSummary:
    """Audit a run's images, and write what was found into it.

    Args:
        store: the run.
        config: its configuration.
        findings_csv: gets the findings as CSV, or None.
        progress: whether to show progress bars.

    Raises:
        ArtifactError: the run cannot be read.
        InputError: not one image can be read.
    """
    info = store.info()
    sensors = tuple(sensor_from_dict(entry) for entry in info["sensors"])
    images = load_images(
        store.read_table("manifest"),
        Path(info["data_root"]),
        sensors,
        Path(config.data.cache) if config.data.cache else store.root / "cache" / "audit",
        progress=progress,
    )
    judged = _judged(store, judges_for(config.finetune.sensors, [sensor.name for sensor in sensors]))
    found = audit(images, tuple(info["classes"]), judged=judged, embeddings=_embeddings(store), progress=progress)
    store.write_table("quality", found.quality)
    store.write_table("registration", found.registration)
    store.write_table("audit", found.findings)
    store.write_document("audit", found.document)
    if findings_csv is not None:
        with atomic_path(findings_csv) as temporary:
            found.findings.to_csv(temporary, index=False)
    first = found.findings.drop_duplicates("kind").set_index("kind")["detail"]
    document = found.document
    notes = [document["wrong_pairs"]["note"]]
    labels = document["labels"]
    notes.append(
        labels["note"] or f"Labels were judged by {labels['source']}, which agrees with {labels['agree']:.0%}."
    )
    return AuditSummary(
        run=store.root.as_posix(),
        pairs=document["pairs"],
        images=document["images"],
        faults=len(document["unreadable"]),
        counts=document["counts"],
        examples={str(kind): str(detail) for kind, detail in first.items()},
        confident=document["registration"].get("confident", 0),
        registered=document["registration"]["pairs"],
        notes=tuple(notes),
        findings=len(found.findings),
    )


def _judged(store: RunStore, judges: Sequence[str]) -> pd.DataFrame | None:
    """Cross-validation's rows of the first judge that there is; None where there is none."""
    if not store.has("cross_validation"):
        return None
    table = store.read_table("cross_validation")
    own = [table[table["sensor"] == judge] for judge in judges]
    return next((part for part in own if len(part)), None)


def _embeddings(store: RunStore) -> dict[tuple[str, str], npt.NDArray[np.float32]] | None:
    """Embedding of each pair and sensor; None where the run has none."""
    if not store.has("embeddings"):
        return None
    keys, vectors = store.read_table("embeddings", ["pair_id", "sensor"]), store.read_vectors("embeddings", "embedding")
    if vectors is None:
        return None
    finite = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    pair_ids, sensors = keys["pair_id"].tolist(), keys["sensor"].tolist()
    return {(pair_ids[row], sensors[row]): vectors[row] for row in finite}
