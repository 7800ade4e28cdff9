"""The manifest: one table, one row per image, keyed (pair_id, sensor)."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from rice_ssl.artifacts import TABLES, RunStore, atomic_path
from rice_ssl.errors import ArtifactError
from rice_ssl.sensors import Sensor

_DATASET_FILE = "dataset.json"
_SAFE_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\Z")
MANIFEST_COLUMNS = list(TABLES["manifest"].columns)
FINDING_COLUMNS = list(TABLES["findings"].columns)


@dataclass(frozen=True)
class Manifest:
    """Images of one dataset.

    Attributes:
        table: one row per image, columns as in ``TABLES["manifest"]``.
        root: folder that ``path`` is relative to, as the user gave it.
        sensors: the sensors of which there is at least one image.
        classes: class names, in the order of probabilities everywhere.
        source: ``zindi`` or ``folder``.
        simulated: whether the images were drawn by ``rice-ssl simulate``.
        findings: what is wrong with the images, columns as in ``TABLES["findings"]``.
    """

    table: pd.DataFrame
    root: Path
    sensors: tuple[Sensor, ...]
    classes: tuple[str, ...]
    source: str
    simulated: bool
    findings: pd.DataFrame


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; ``detail`` is a sentence, ``cluster`` numbers duplicates and is -1 elsewhere."""

    kind: str
    pair_id: str
    sensor: str
    detail: str
    cluster: int = -1


def is_safe_id(pair_id: str) -> bool:
    """Whether an id is plain enough to be part of a path: letters, digits, '.', '_', '-', not led by a dot."""
    return bool(_SAFE_ID.match(pair_id)) and ".." not in pair_id


def findings_table(findings: list[Finding]) -> pd.DataFrame:
    """Findings as a table."""
    return pd.DataFrame([asdict(finding) for finding in findings], columns=FINDING_COLUMNS)


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write a manifest folder: ``manifest.parquet``, ``findings.parquet`` and ``dataset.json``."""
    store = RunStore(folder)
    store.write_table("manifest", manifest.table)
    store.write_table("findings", manifest.findings)
    content = {
        "root": manifest.root.as_posix(),
        "sensors": [asdict(sensor) for sensor in manifest.sensors],
        "classes": list(manifest.classes),
        "source": manifest.source,
        "simulated": manifest.simulated,
    }
    with atomic_path(folder / _DATASET_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read what :func:`write_manifest` wrote.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    store = RunStore(folder)
    path = folder / _DATASET_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        sensors = tuple(sensor_from_dict(entry) for entry in content["sensors"])
        root, classes = Path(content["root"]), tuple(map(str, content["classes"]))
        source, simulated = str(content["source"]), bool(content["simulated"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ArtifactError(f"{folder} is no manifest folder ({path} cannot be read). Make one with `rice-ssl import`.") from None
    return Manifest(
        store.read_table("manifest"), root, sensors, classes, source, simulated, store.read_table("findings")
    )


def sensor_from_dict(entry: dict[str, object]) -> Sensor:
    """A sensor as run.json and dataset.json hold it."""
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Sensor(**values)  # type: ignore[arg-type]
