"""Import images of any two (or more) cameras by their file-name patterns."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from rice_ssl.data.assemble import ImageEntry, SplitOptions, assemble
from rice_ssl.data.csv_table import read_csv_table
from rice_ssl.data.manifest import Finding, Manifest, is_safe_id
from rice_ssl.data.sites import sites_of_pairs
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
    """Find the images of each sensor in a folder and pair them by id.

    Args:
        root: folder of the images.
        sensors: the cameras; a file belongs to the sensor whose pattern has the most fixed letters of those it fits, so
            ``a_rgn.png`` is the image of ``a`` under ``{id}_rgn.png``, not of ``a_rgn`` under ``{id}.png``.
        labels: CSV ``pair_id,label`` and optionally ``group`` (or ``site``) and ``split`` (``test`` holds a pair out).
            Pairs without a label have fold -1: pretraining alone uses them.
        folds: by pair and group, stratified by label.
        validation_fold: the fold that becomes the split ``val``.
        seed: of the folds.
        progress: whether to show a progress bar.

    Raises:
        InputError: the folder, a pattern or the labels cannot be used, no file fits a pattern, no image can be read, or
            a setting is out of range.
    """
    split = SplitOptions(folds, validation_fold, seed)
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder that holds the images.")
    _check_sensors(sensors)
    findings: list[Finding] = []
    found = _match(root, sensors, findings)
    if not found:
        patterns = ", ".join(sensor.pattern for sensor in sensors)
        raise InputError(f"No file of {root} fits {patterns}: check the folder and the patterns.")
    told = _Labels() if labels is None else _read_labels(labels, findings)
    here = {pair_id for pair_id, _ in found}
    for pair_id in told.listed:
        if pair_id not in here:
            findings.append(Finding("missing_file", pair_id, "", f"{labels} lists {pair_id}, but it has no image."))
    entries = [
        ImageEntry(pair_id, sensor, path, told.label_of.get(pair_id), pair_id in told.held_out)
        for (pair_id, sensor), path in sorted(found.items())
    ]
    classes = tuple(sorted(set(told.label_of.values())))
    return assemble(
        root,
        entries,
        sensors,
        classes,
        findings,
        split,
        source="folder",
        sites=told.sites,
        folders=[PurePosixPath(sensor.pattern.split("{id}")[0] + "x").parent.as_posix() for sensor in sensors],
        progress=progress,
    )


def _check_sensors(sensors: Sequence[Sensor]) -> None:
    if not sensors:
        raise InputError("No sensor was given: give at least one pattern, e.g. rgb='{id}.jpg'.")
    names, patterns = [sensor.name for sensor in sensors], [sensor.pattern for sensor in sensors]
    if len(set(names)) < len(names):
        raise InputError(f"Sensors {', '.join(names)} are not all different: give each a name of its own.")
    if len(set(patterns)) < len(patterns):
        raise InputError(f"Patterns {', '.join(patterns)} are not all different: give each sensor one of its own.")
    for sensor in sensors:
        parts = PurePosixPath(sensor.pattern)
        if parts.is_absolute() or ".." in parts.parts or "\\" in sensor.pattern or "\0" in sensor.pattern:
            raise InputError(
                f"Pattern {sensor.pattern!r} of {sensor.name!r} leads out of the folder: give one below it, with '/'."
            )


def _match(root: Path, sensors: Sequence[Sensor], findings: list[Finding]) -> dict[tuple[str, str], str]:
    """Path, relative to the folder, of each (pair_id, sensor)."""
    taken: set[str] = set()
    found: dict[tuple[str, str], str] = {}
    for sensor in sorted(sensors, key=lambda sensor: -len(sensor.pattern)):
        before, after = PurePosixPath(sensor.pattern).as_posix().split("{id}")
        pattern = re.compile(f"{re.escape(before)}([^/]+){re.escape(after)}", re.DOTALL)
        for path in sorted(root.glob(f"{glob.escape(before)}*{glob.escape(after)}")):
            name = path.relative_to(root).as_posix()
            match = pattern.fullmatch(name)
            if match is None or name in taken or not (path.is_file() or path.is_symlink()):
                continue
            taken.add(name)
            pair_id = match.group(1)
            if is_safe_id(pair_id):
                found[pair_id, sensor.name] = name
            else:
                detail = f"The id of {name[:80]!r} is not plain (letters, digits, '.', '_', '-'); the file was refused."
                findings.append(Finding("unsafe_id", repr(pair_id[:80])[1:-1], sensor.name, detail))
    return found


@dataclass
class _Labels:
    """What the labels' table says of the pairs."""

    listed: list[str] = field(default_factory=list)
    label_of: dict[str, str] = field(default_factory=dict)
    held_out: set[str] = field(default_factory=set)
    sites: dict[str, str] | None = None


def _read_labels(path: Path, findings: list[Finding]) -> _Labels:
    table = read_csv_table(path, ("pair_id", "label"))
    table = table.rename(columns={name: str(name).lower() for name in table.columns})
    safe = table["pair_id"].map(is_safe_id).astype(bool)
    for pair_id in table.loc[~safe, "pair_id"]:
        detail = f"pair_id {pair_id[:80]!r} of {path.name} is not plain; the row was refused."
        findings.append(Finding("unsafe_id", pair_id[:80], "", detail))
    table = table[safe]
    labels: dict[str, set[str]] = {}
    for pair_id, label in zip(table["pair_id"], table["label"], strict=True):
        labels.setdefault(pair_id, set()).update({label} if label else ())
    for pair_id, names in labels.items():
        if len(names) > 1:
            detail = (
                f"{pair_id} is labelled {' and '.join(sorted(names))}; it is kept without a label, for pretraining."
            )
            findings.append(Finding("conflicting_labels", pair_id, "", detail))
    return _Labels(
        listed=list(labels),
        label_of={pair_id: next(iter(names)) for pair_id, names in labels.items() if len(names) == 1},
        held_out=_held_out(table, findings),
        sites=sites_of_pairs(table, path, findings) if {"site", "group"} & set(table.columns) else None,
    )


def _held_out(table: pd.DataFrame, findings: list[Finding]) -> set[str]:
    """Pairs that the column ``split`` calls ``test``; which of the others validate is the folds' business."""
    if "split" not in table:
        return set()
    for pair_id, word in zip(table["pair_id"], table["split"], strict=True):
        if word.lower() not in {"test", "train", ""}:
            detail = f"{pair_id} has the split {word[:40]!r}; only 'test' is taken from there, the folds choose 'val'."
            findings.append(Finding("unknown_split", pair_id, "", detail))
    return set(table.loc[table["split"].str.lower() == "test", "pair_id"])
