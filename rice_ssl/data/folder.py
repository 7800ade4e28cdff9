"""Import images of any two (or more) cameras by their file-name patterns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from rice_ssl.data.assemble import ImageEntry, assemble
from rice_ssl.data.csv_table import read_csv_table
from rice_ssl.data.manifest import Finding, Manifest, is_safe_id
from rice_ssl.errors import InputError
from rice_ssl.sensors import Sensor


def import_folder(
    root: Path,
    sensors: Sequence[Sensor],
    labels: Path | None = None,
    *,
    folds: int = 5,
    validation_fold: int = 0,
    seed: int = 0,
    progress: bool = True,
) -> Manifest:
    """Find the images of each sensor below a folder and pair them by id.

    Args:
        root: folder of the images.
        sensors: the cameras; a file belongs to the sensor whose pattern fits it most closely (has the most fixed letters).
        labels: CSV ``pair_id,label`` and optionally ``group`` and ``split`` (``test`` holds a pair out). Pairs without a
            label are in the split ``train``, fold -1: pretraining sees them.
        folds: by pair and group, stratified by label.
        validation_fold: the fold that becomes the split ``val``.
        seed: of the folds.
        progress: whether to show a progress bar.

    Raises:
        InputError: the folder, a pattern or the labels cannot be used, or no file fits a pattern.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder that holds the images.")
    names = [sensor.name for sensor in sensors]
    if len(set(names)) < len(names):
        raise InputError(f"Sensors {', '.join(names)} are not all different: give every --sensor a name of its own.")
    findings: list[Finding] = []
    found = _match(root, sensors, findings)
    if not found:
        patterns = ", ".join(sensor.pattern for sensor in sensors)
        raise InputError(f"No file of {root} fits {patterns}: check the folder and the patterns.")
    table = None if labels is None else read_csv_table(labels, ("pair_id", "label"))
    label_of, held_out, groups = _labels(table, findings)
    for pair_id in label_of:
        if not any(pair_id == known for known, _ in found):
            findings.append(Finding("missing_file", pair_id, "", f"{pair_id} has a label, but no image."))
    entries = [
        ImageEntry(pair_id, sensor, path, label_of.get(pair_id), pair_id in held_out)
        for (pair_id, sensor), path in sorted(found.items())
    ]
    classes = tuple(sorted(set(label_of.values())))
    return assemble(
        root,
        entries,
        sensors,
        classes,
        findings,
        source="folder",
        folds=folds,
        validation_fold=validation_fold,
        seed=seed,
        groups=groups,
        progress=progress,
    )


def _match(root: Path, sensors: Sequence[Sensor], findings: list[Finding]) -> dict[tuple[str, str], str]:
    """Path, relative to the folder, of each (pair_id, sensor)."""
    patterns = []
    for sensor in sorted(sensors, key=lambda s: -len(s.pattern)):
        if PurePosixPath(sensor.pattern).is_absolute() or ".." in PurePosixPath(sensor.pattern).parts:
            raise InputError(f"Pattern {sensor.pattern!r} of {sensor.name!r} leads out of the folder: give one below it.")
        before, after = sensor.pattern.split("{id}")
        patterns.append((sensor.name, re.compile(f"{re.escape(before)}([^/]+){re.escape(after)}\\Z")))
    found: dict[tuple[str, str], str] = {}
    for path in sorted(root.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(root).as_posix()
        for sensor_name, pattern in patterns:
            match = pattern.match(name)
            if match is None:
                continue
            pair_id = match.group(1)
            if is_safe_id(pair_id):
                found[pair_id, sensor_name] = name
            else:
                detail = f"The id of {name[:80]!r} is not plain (letters, digits, '.', '_', '-'); the file was refused."
                findings.append(Finding("unsafe_id", pair_id[:80], sensor_name, detail))
            break
    return found


def _labels(
    table: pd.DataFrame | None, findings: list[Finding]
) -> tuple[dict[str, str], set[str], pd.Series | None]:
    """Label of each pair, the pairs held out, and their groups."""
    if table is None:
        return {}, set(), None
    label_of: dict[str, str] = {}
    refused: set[str] = set()
    for pair_id, label in zip(table["pair_id"], table["label"], strict=True):
        if label and label_of.setdefault(pair_id, label) != label:
            refused.add(pair_id)
    for pair_id in sorted(refused):
        findings.append(
            Finding("conflicting_labels", pair_id, "", f"{pair_id} has two labels; it is kept without a label.")
        )
        del label_of[pair_id]
    held_out = set(table.loc[table["split"].str.lower() == "test", "pair_id"]) if "split" in table else set()
    groups = None
    if "group" in table:
        groups = table[table["group"] != ""].drop_duplicates("pair_id").set_index("pair_id")["group"]
    return label_of, held_out, groups
