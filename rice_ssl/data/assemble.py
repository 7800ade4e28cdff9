"""From a list of image files to a manifest: look at every file, find twins and duplicates, split by pair and group."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
from tqdm import tqdm

from rice_ssl.artifacts import sha256_file
from rice_ssl.data.duplicates import clusters_of_equal, clusters_of_near
from rice_ssl.data.image_file import open_image
from rice_ssl.data.manifest import MANIFEST_COLUMNS, Finding, Manifest, findings_table
from rice_ssl.data.splits import assign_folds, join_groups
from rice_ssl.errors import InputError
from rice_ssl.sensors import Sensor

SIMULATED_FILE = "SIMULATED.json"
_WORKERS = 2


@dataclass(frozen=True)
class ImageEntry:
    """An image that should be there. ``label`` is None where unknown, ``held_out`` marks a test pair."""

    pair_id: str
    sensor: str
    path: str
    label: str | None
    held_out: bool


@dataclass(frozen=True)
class _Look:
    width: int
    height: int
    sha256: str
    phash: int
    fault: tuple[str, str] | None = None


def assemble(
    root: Path,
    entries: Sequence[ImageEntry],
    sensors: Sequence[Sensor],
    classes: Sequence[str],
    findings: list[Finding],
    *,
    source: str,
    folds: int,
    validation_fold: int,
    seed: int,
    groups: pd.Series | None = None,
    progress: bool = True,
) -> Manifest:
    """Make the manifest.

    Args:
        root: folder of the images.
        entries: what should be there, one for each image; labels agree within a pair.
        sensors: of the entries.
        classes: class names in order.
        findings: what was found so far; more is added.
        source: ``zindi`` or ``folder``.
        folds: of the labelled pairs; reduced, with a finding, where there are fewer groups.
        validation_fold: the fold that becomes the split ``val``.
        seed: of the split.
        groups: site of each pair, indexed by pair_id; pairs of one site stay together.
        progress: whether to show a progress bar.

    Raises:
        InputError: no image can be read.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        looks = list(
            tqdm(
                pool.map(lambda entry: _look(root, entry.path), entries),
                total=len(entries),
                desc="import",
                unit="image",
                disable=not progress,
            )
        )
    rows = []
    for entry, look in zip(entries, looks, strict=True):
        if look.fault is not None:
            findings.append(Finding(look.fault[0], entry.pair_id, entry.sensor, look.fault[1]))
        else:
            rows.append((entry, look))
    if not rows:
        raise InputError(f"No image of {root} can be read ({len(entries)} were expected): check the folder and its files.")
    table = pd.DataFrame(
        {
            "pair_id": [entry.pair_id for entry, _ in rows],
            "sensor": [entry.sensor for entry, _ in rows],
            "path": [entry.path for entry, _ in rows],
            "label": pd.Series([entry.label for entry, _ in rows], dtype="object"),
            "held_out": [entry.held_out for entry, _ in rows],
            "width": [look.width for _, look in rows],
            "height": [look.height for _, look in rows],
            "sha256": [look.sha256 for _, look in rows],
            "phash": np.array([look.phash for _, look in rows], dtype=np.uint64),
        }
    )
    present = [sensor for sensor in sensors if (table["sensor"] == sensor.name).any()]
    findings += _missing_twins(table, sensors, {(f.pair_id, f.sensor) for f in findings})
    near = _duplicates(table, findings)
    pairs = table.groupby("pair_id", sort=False).first()
    sites = None if groups is None else groups.reindex(pairs.index)
    keys = ([] if sites is None else [sites]) + near
    pairs["group"] = join_groups([key.reindex(pairs.index) for key in keys] or [pd.Series(None, pairs.index, dtype=object)])
    _straddling(pairs, findings)
    labels = pairs["label"].where(~pairs["held_out"])
    count = int(pairs.loc[labels.notna(), "group"].nunique())
    if 2 <= count < folds:
        findings.append(
            Finding("fewer_folds", "", "", f"The labelled pairs form {count} groups: {count} folds instead of {folds}.")
        )
        folds, validation_fold = count, min(validation_fold, count - 1)
    if count >= 2:
        pairs["fold"] = assign_folds(labels, pairs["group"], folds=folds, seed=seed)
    else:
        pairs["fold"] = labels.notna().astype("int64") - 1
        validation_fold = -2
    pairs["split"] = np.where(pairs["held_out"], "test", np.where(pairs["fold"] == validation_fold, "val", "train"))
    for column in ("group", "fold", "split"):
        table[column] = table["pair_id"].map(pairs[column])
    order = {sensor.name: position for position, sensor in enumerate(sensors)}
    table = table.sort_values(["pair_id", "sensor"], key=lambda c: c.map(order) if c.name == "sensor" else c)
    return Manifest(
        table[MANIFEST_COLUMNS].reset_index(drop=True),
        root,
        tuple(present),
        tuple(classes),
        source,
        _is_simulated(root),
        findings_table(findings),
    )


def _look(root: Path, name: str) -> _Look:
    path = root / name
    if not path.is_file():
        return _Look(0, 0, "", 0, ("missing_file", f"{name} is listed, but there is no such file."))
    if not path.resolve().is_relative_to(root.resolve()):
        return _Look(0, 0, "", 0, ("unsafe_path", f"{name} leads out of the folder through a link; it was not read."))
    try:
        image = open_image(path)
    except InputError as error:
        return _Look(0, 0, "", 0, ("unreadable", str(error)))
    bits = imagehash.phash(image).hash.flatten()
    return _Look(image.width, image.height, sha256_file(path), int.from_bytes(np.packbits(bits).tobytes()))


def _missing_twins(table: pd.DataFrame, sensors: Sequence[Sensor], known: set[tuple[str, str]]) -> list[Finding]:
    """A finding for every pair that lacks a sensor's image (even where the file's fault was told already)."""
    have = table.groupby("pair_id", sort=False)["sensor"].agg(set)
    found = []
    for pair_id, names in have.items():
        for sensor in sensors:
            if sensor.name not in names:
                found.append(
                    Finding("missing_twin", str(pair_id), sensor.name, f"{pair_id} has no {sensor.name} image to go with it.")
                )
    return found


def _duplicates(table: pd.DataFrame, findings: list[Finding]) -> list[pd.Series]:
    """Add findings of equal and nearly equal images; give each sensor's clusters as a key of its pairs."""
    keys = []
    number = 0
    for sensor, images in table.groupby("sensor", sort=False):
        equal = clusters_of_equal(images["sha256"].tolist())
        near = clusters_of_near(images["phash"].to_numpy(dtype=np.uint64))
        key = pd.Series(None, index=images["pair_id"].to_numpy(), dtype="object")
        for kind, clusters in (("exact_duplicate", equal), ("near_duplicate", near)):
            for cluster in range(int(clusters.max(initial=-1)) + 1):
                members = images["pair_id"].to_numpy()[clusters == cluster]
                same = len(set(images["sha256"].to_numpy()[clusters == cluster])) == 1
                key[members] = f"duplicates-{sensor}-{number}"
                if kind == "exact_duplicate" or not same:
                    word = "is the same file as" if kind == "exact_duplicate" else "looks like"
                    for member in members:
                        others = [m for m in members if m != member]
                        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
                        findings.append(
                            Finding(kind, member, str(sensor), f"{member} ({sensor}) {word} {others[0]}{more}.", number)
                        )
                number += 1
        keys.append(key)
    across = clusters_of_equal(table["sha256"].tolist())
    for cluster in range(int(across.max(initial=-1)) + 1):
        members = table[across == cluster]
        if members["sensor"].nunique() > 1 and members["pair_id"].nunique() == 1:
            pair_id = members["pair_id"].iloc[0]
            detail = f"The images of both sensors of {pair_id} are the same file."
            findings.append(Finding("same_image_for_both_sensors", pair_id, members["sensor"].iloc[1], detail))
    return keys


def _straddling(pairs: pd.DataFrame, findings: list[Finding]) -> None:
    """Report groups with pairs on both sides of the given test split."""
    mixed = pairs.groupby("group")["held_out"].transform("nunique") > 1
    for pair_id, group in pairs.loc[mixed & ~pairs["held_out"], "group"].items():
        detail = f"{pair_id} shares its group {group} (site or duplicate) with a test pair."
        findings.append(Finding("group_across_splits", str(pair_id), "", detail))


def _is_simulated(root: Path) -> bool:
    try:
        return bool(json.loads((root / SIMULATED_FILE).read_text(encoding="utf-8")).get("simulated"))
    except (OSError, ValueError, AttributeError):
        return False
