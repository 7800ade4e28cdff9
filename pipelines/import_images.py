"""``rice-ssl import``: from a folder of images to a manifest folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rice_ssl.artifacts import atomic_path
from rice_ssl.data.folder import import_folder
from rice_ssl.data.manifest import Manifest, write_manifest
from rice_ssl.data.zindi import import_zindi
from rice_ssl.sensors import Sensor


@dataclass(frozen=True)
class ImportSummary:
    """What an import found.

    Attributes:
        manifest: the manifest folder.
        source: ``zindi`` or ``folder``.
        simulated: whether the images say that they are simulated.
        pairs: number of pairs of each split.
        images: number of images of each sensor.
        classes: number of labelled pairs of each class, test pairs included where their labels were given.
        without_twin: number of pairs that lack a sensor's image, of the given sides ``labelled`` and ``test``.
        kinds: number of findings of each kind, most frequent first.
        examples: the first finding's sentence of each kind.
        clusters: number of clusters of each kind of duplicate.
        findings: number of all findings.
    """

    manifest: str
    source: str
    simulated: bool
    pairs: dict[str, int]
    images: dict[str, int]
    classes: dict[str, int]
    without_twin: dict[str, int]
    kinds: dict[str, int]
    examples: dict[str, str]
    clusters: dict[str, int]
    findings: int

    def text(self) -> str:
        """Readable summary."""
        lines = [
            f"{sum(self.pairs.values())} pairs ({_counts(self.pairs)}); images: {_counts(self.images)}"
            + (" (simulated)" if self.simulated else ""),
            f"labels: {_counts(self.classes) or 'none'}",
        ]
        if self.without_twin:
            sides = [f"{count} {side}" for side, count in self.without_twin.items()]
            lines.append(f"pairs without a twin: {' + '.join(sides)}")
        for kind, count in self.kinds.items():
            where = f" in {self.clusters[kind]} clusters" if kind in self.clusters else ""
            lines.append(f"{kind.replace('_', ' ')}: {count}{where}, e.g. {self.examples[kind]}")
        told = f"all {self.findings} findings in findings.parquet" if self.findings else "no findings"
        lines.append(f"manifest: {self.manifest} ({told})")
        return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _finish(manifest: Manifest, out: Path, findings_csv: Path | None) -> ImportSummary:
    write_manifest(manifest, out)
    if findings_csv is not None:
        with atomic_path(findings_csv) as temporary:
            manifest.findings.to_csv(temporary, index=False)
    pairs, findings = manifest.table.groupby("pair_id").first(), manifest.findings
    lonely = pairs.index.isin(findings.loc[findings["kind"] == "missing_twin", "pair_id"])
    side = (
        pairs["split"]
        .where(pairs["split"] == "test", "labelled")
        .where((pairs["split"] == "test") | (pairs["fold"] >= 0), "unlabelled")
    )
    duplicates = findings[findings["kind"].isin(["exact_duplicate", "near_duplicate"])]
    kinds = {str(kind): int(count) for kind, count in findings["kind"].value_counts().items()}
    first = findings.drop_duplicates("kind").set_index("kind")["detail"]
    return ImportSummary(
        manifest=out.as_posix(),
        source=manifest.source,
        simulated=manifest.simulated,
        pairs={name: int((pairs["split"] == name).sum()) for name in ("train", "val", "test")},
        images={sensor.name: int((manifest.table["sensor"] == sensor.name).sum()) for sensor in manifest.sensors},
        classes={
            name: int((pairs["label"] == name).sum()) for name in manifest.classes if (pairs["label"] == name).any()
        },
        without_twin={
            name: int((side[lonely] == name).sum())
            for name in ("labelled", "unlabelled", "test")
            if (side[lonely] == name).any()
        },
        kinds=kinds,
        examples={kind: str(first[kind]) for kind in kinds},
        clusters={str(k): int(v) for k, v in duplicates.groupby("kind")["cluster"].nunique().items()},
        findings=len(findings),
    )


def run_import_zindi(
    root: Path,
    out: Path,
    *,
    folds: int = 5,
    validation_fold: int = 0,
    seed: int = 0,
    test_labels: Path | None = None,
    findings_csv: Path | None = None,
    progress: bool = True,
) -> ImportSummary:
    """Import the challenge's layout and write the manifest folder ``out``; ``findings_csv`` gets the findings as CSV.

    The other arguments, and what is raised, are those of :func:`rice_ssl.data.zindi.import_zindi`.
    """
    manifest = import_zindi(
        root, folds=folds, validation_fold=validation_fold, seed=seed, test_labels=test_labels, progress=progress
    )
    return _finish(manifest, out, findings_csv)


def run_import_folder(
    root: Path,
    sensors: Sequence[Sensor],
    labels: Path | None,
    out: Path,
    *,
    folds: int = 5,
    validation_fold: int = 0,
    seed: int = 0,
    findings_csv: Path | None = None,
    progress: bool = True,
) -> ImportSummary:
    """Import by patterns and write the manifest folder ``out``; ``findings_csv`` gets the findings as CSV.

    The other arguments, and what is raised, are those of :func:`rice_ssl.data.folder.import_folder`.
    """
    manifest = import_folder(
        root, sensors, labels, folds=folds, validation_fold=validation_fold, seed=seed, progress=progress
    )
    return _finish(manifest, out, findings_csv)
