"""The manifest: one table, one row per image, keyed (pair_id, sensor)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import pandas as pd

from rice_ssl.artifacts import SCHEMA_VERSION, TABLES, RunStore, atomic_path, sha256_file
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.sensors import Sensor

DATASET_FILE = "dataset.json"
_SAFE_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}\Z")
_REMEDY = "Make it anew with `rice-ssl import`."
MANIFEST_COLUMNS = list(TABLES["manifest"].columns)
FINDING_COLUMNS = list(TABLES["findings"].columns)


@dataclass(frozen=True)
class Manifest:
    """Images of one dataset.

    Attributes:
        table: one row per image, columns as in ``TABLES["manifest"]``, index 0 to N - 1, sorted by pair.
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
    """Whether an id is plain enough to be part of a path.

    1 to 128 letters, digits, '.', '_' or '-' (ASCII), not led by a dot, without '..'.
    """
    return bool(_SAFE_ID.match(pair_id)) and ".." not in pair_id


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """Findings as a table."""
    return pd.DataFrame([asdict(finding) for finding in findings], columns=FINDING_COLUMNS).astype({"cluster": "int64"})


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Write a manifest folder: ``manifest.parquet``, ``findings.parquet``, and ``dataset.json`` with their hashes.

    Raises:
        InputError: ``folder`` is a run directory, whose own manifest this would replace, or cannot be written.
    """
    store = RunStore(folder)
    if store.exists:
        raise InputError(f"{folder} is a run directory: name another folder for the manifest.")
    try:
        files = [store.write_table(name, frame) for name, frame in _tables(manifest).items()]
        content = {
            "schema_version": SCHEMA_VERSION,
            "root": manifest.root.as_posix(),
            "sensors": [asdict(sensor) for sensor in manifest.sensors],
            "classes": list(manifest.classes),
            "source": manifest.source,
            "simulated": manifest.simulated,
            "hashes": {file.name: sha256_file(file) for file in files},
        }
        with atomic_path(folder / DATASET_FILE) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"No manifest can be written to {folder} ({error.strerror}): name another folder.") from None


def _tables(manifest: Manifest) -> dict[str, pd.DataFrame]:
    return {"manifest": manifest.table, "findings": manifest.findings}


def read_manifest(folder: Path) -> Manifest:
    """Read what :func:`write_manifest` wrote.

    Raises:
        ArtifactError: a file is missing, damaged or of another version, or its rows cannot be those of a manifest (two
            images of one pair and sensor, or a path that leads out of the data folder).
    """
    path = folder / DATASET_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["schema_version"]
        sensors = tuple(sensor_from_dict(entry) for entry in content["sensors"])
        root, classes = Path(content["root"]), tuple(map(str, content["classes"]))
        source, simulated = str(content["source"]), bool(content["simulated"])
        hashes = {str(name): str(value) for name, value in content["hashes"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, InputError):
        raise ArtifactError(
            f"{folder} is no manifest folder ({path} cannot be read). Make one with `rice-ssl import`."
        ) from None
    if version != SCHEMA_VERSION:
        raise ArtifactError(f"{path} has schema version {version!r}, this version reads {SCHEMA_VERSION}. {_REMEDY}")
    store = RunStore(folder)
    table, findings = store.read_table("manifest"), store.read_table("findings")
    for name, noted in hashes.items():
        if sha256_file(folder / PurePosixPath(name).name) != noted:
            raise ArtifactError(f"{folder / name} was changed after the import wrote it. {_REMEDY}")
    _check_rows(table, folder)
    return Manifest(table, root, sensors, classes, source, simulated, findings)


def _check_rows(table: pd.DataFrame, folder: Path) -> None:
    twice = table.duplicated(["pair_id", "sensor"])
    if twice.any():
        pair_id, sensor = table.loc[twice, ["pair_id", "sensor"]].iloc[0]
        raise ArtifactError(f"The manifest in {folder} has two images of {pair_id} and {sensor}. {_REMEDY}")
    for name in table["path"]:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ArtifactError(f"The manifest in {folder} has the path {name!r}, out of its root. {_REMEDY}")


def sensor_from_dict(entry: dict[str, object]) -> Sensor:
    """A sensor as run.json and dataset.json hold it."""
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    return Sensor(**values)  # type: ignore[arg-type]
