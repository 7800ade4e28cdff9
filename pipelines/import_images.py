"""``rice-ssl import``: from a folder of images to a manifest folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rice_ssl.data.folder import import_folder
from rice_ssl.data.manifest import Manifest, write_manifest
from rice_ssl.data.zindi import import_zindi
from rice_ssl.sensors import Sensor


@dataclass(frozen=True)
class ImportSummary:
    """What an import found; ``without_twin`` counts pairs that lack a sensor's image, by split."""

    manifest: str
    source: str
    simulated: bool
    pairs: dict[str, int]
    images: dict[str, int]
    classes: dict[str, int]
    without_twin: dict[str, int]
    kinds: dict[str, int]
    examples: dict[str, str]
    findings: int

    def text(self) -> str:
        """Readable summary."""
        lines = [
            f"{sum(self.pairs.values())} pairs ({_counts(self.pairs)}); images: {_counts(self.images)}"
            + (" (simulated)" if self.simulated else ""),
            f"labels: {_counts(self.classes) or 'none'}",
        ]
        if self.without_twin:
            per_split = " + ".join(f"{count} {split}" for split, count in self.without_twin.items())
            lines.append(f"pairs without a twin: {per_split}")
        lines += [f"{kind.replace('_', ' ')}: {count}, e.g. {self.examples[kind]}" for kind, count in self.kinds.items()]
        lines.append(f"manifest: {self.manifest} (all {self.findings} findings in findings.parquet)")
        return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _finish(manifest: Manifest, out: Path) -> ImportSummary:
    write_manifest(manifest, out)
    pairs = manifest.table.groupby("pair_id").first()
    sensors = manifest.table.groupby("pair_id")["sensor"].nunique()
    lonely = manifest.findings[manifest.findings["kind"] == "missing_twin"]["pair_id"].unique()
    side = pairs["split"].where(pairs["split"] == "test", "labelled")
    kinds = manifest.findings["kind"].value_counts()
    return ImportSummary(
        manifest=out.as_posix(),
        source=manifest.source,
        simulated=manifest.simulated,
        pairs={str(k): int(v) for k, v in pairs["split"].value_counts().items()},
        images={str(k): int(v) for k, v in manifest.table["sensor"].value_counts().items()},
        classes={str(k): int(v) for k, v in pairs["label"].value_counts().items()},
        without_twin={str(k): int(v) for k, v in side[sensors.index.isin(lonely)].value_counts().items()},
        kinds={str(k): int(v) for k, v in kinds.items()},
        examples={str(k): str(v) for k, v in manifest.findings.groupby("kind")["detail"].first().items()},
        findings=len(manifest.findings),
    )


def run_import_zindi(
    root: Path,
    out: Path,
    *,
    folds: int = 5,
    validation_fold: int = 0,
    seed: int = 0,
    test_labels: Path | None = None,
    progress: bool = True,
) -> ImportSummary:
    """Import the challenge's layout and write the manifest folder ``out``; see :func:`rice_ssl.data.zindi.import_zindi`."""
    manifest = import_zindi(
        root, folds=folds, validation_fold=validation_fold, seed=seed, test_labels=test_labels, progress=progress
    )
    return _finish(manifest, out)


def run_import_folder(
    root: Path,
    sensors: Sequence[Sensor],
    labels: Path | None,
    out: Path,
    *,
    folds: int = 5,
    validation_fold: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> ImportSummary:
    """Import by patterns and write the manifest folder ``out``; see :func:`rice_ssl.data.folder.import_folder`."""
    manifest = import_folder(
        root, sensors, labels, folds=folds, validation_fold=validation_fold, seed=seed, progress=progress
    )
    return _finish(manifest, out)
