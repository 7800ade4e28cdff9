"""From a list of image files to a manifest: inspect every file, find twins and duplicates, split by pair and group."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rice_ssl.data.duplicates import DuplicateCluster, duplicate_findings, find_duplicates
from rice_ssl.data.inspection import inspect_images
from rice_ssl.data.manifest import MANIFEST_COLUMNS, Finding, Manifest, findings_table
from rice_ssl.data.splits import assign_folds, join_groups
from rice_ssl.errors import InputError
from rice_ssl.sensors import Sensor

SIMULATED_FILE = "SIMULATED.json"


@dataclass(frozen=True)
class ImageEntry:
    """An image that should be there. ``label`` is None where unknown, ``held_out`` marks a test pair."""

    pair_id: str
    sensor: str
    path: str
    label: str | None
    held_out: bool


@dataclass(frozen=True)
class SplitOptions:
    """How labelled pairs are split.

    Attributes:
        folds: how many, >= 2; fewer where the labelled pairs form fewer groups.
        validation_fold: the fold that becomes the split ``val``, 0 to folds - 1.
        seed: of the shuffle.

    Raises:
        InputError: a value out of range.
    """

    folds: int = 5
    validation_fold: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse folds that cannot be."""
        if self.folds < 2:
            raise InputError(f"folds is {self.folds}: give 2 or more.")
        if not 0 <= self.validation_fold < self.folds:
            raise InputError(f"validation_fold is {self.validation_fold}: give 0 to {self.folds - 1}.")


def assemble(
    root: Path,
    entries: Sequence[ImageEntry],
    sensors: Sequence[Sensor],
    classes: Sequence[str],
    findings: Sequence[Finding],
    split: SplitOptions,
    *,
    source: str,
    sites: Mapping[str, str] | None = None,
    folders: Sequence[str] = (),
    progress: bool = True,
) -> Manifest:
    """Make the manifest.

    Labelled pairs that are not held out get a fold and are ``val`` or ``train``; held-out pairs are ``test``. The
    others have fold -1 and no label: pretraining alone uses them. They are ``train``, but for those of a group whose
    labelled pairs validate: these are ``val``, so that pretraining does not see what it is validated on.

    Args:
        root: folder of the images.
        entries: what should be there, one for each (pair, sensor); labels and held_out agree within a pair.
        sensors: of the entries.
        classes: class names in order.
        findings: what was found so far.
        split: folds, and which one validates.
        source: ``zindi`` or ``folder``.
        sites: site of a pair; pairs of one site stay together.
        folders: image folders below ``root`` that the user chose, and that may be links.
        progress: whether to show a progress bar.

    Raises:
        InputError: no image can be read.
    """
    told = list(findings)
    inspections = inspect_images(root, [entry.path for entry in entries], folders=folders, progress=progress)
    good = []
    for entry, inspection in zip(entries, inspections, strict=True):
        if inspection.fault is None:
            good.append((entry, inspection))
        else:
            told.append(Finding(inspection.fault[0], entry.pair_id, entry.sensor, inspection.fault[1]))
    if not good:
        first = next((i.fault[1] for i in inspections if i.fault), "no row names an image that may be read")
        raise InputError(
            f"No image of {root} can be read ({len(entries)} were expected; the first: {first.rstrip('.')}): "
            "check the folder and its files."
        )
    table = pd.DataFrame(
        {
            "pair_id": [entry.pair_id for entry, _ in good],
            "sensor": [entry.sensor for entry, _ in good],
            "path": [entry.path for entry, _ in good],
            "label": pd.Series([entry.label for entry, _ in good], dtype="object"),
            "held_out": [entry.held_out for entry, _ in good],
            "width": [look.width for _, look in good],
            "height": [look.height for _, look in good],
            "sha256": [look.sha256 for _, look in good],
            "phash": np.array([look.phash for _, look in good], dtype=np.uint64),
        }
    )
    present = [sensor for sensor in sensors if (table["sensor"] == sensor.name).any()]
    told += _missing_twins(table, sensors)
    clusters = find_duplicates(table, np.stack([look.thumbnail for _, look in good]))
    told += duplicate_findings(clusters)
    pairs = table.groupby("pair_id", sort=False).first()
    told += _across_splits(pairs["held_out"], clusters, sites or {})
    told += _labels_differ(pairs["label"], clusters)
    pairs["group"] = join_groups(pairs.index.tolist(), [cluster.pair_ids for cluster in clusters], sites)
    told += _split_pairs(pairs, classes, split)
    for column in ("group", "fold", "split"):
        table[column] = table["pair_id"].map(pairs[column])
    table["place"] = table["sensor"].map({sensor.name: place for place, sensor in enumerate(sensors)})
    table = table.sort_values(["pair_id", "place"], ignore_index=True)[MANIFEST_COLUMNS]
    return Manifest(table, root, tuple(present), tuple(classes), source, _is_simulated(root), findings_table(told))


def _split_pairs(pairs: pd.DataFrame, classes: Sequence[str], split: SplitOptions) -> list[Finding]:
    """Set the columns ``fold`` and ``split``; tell where the data are too few for what was asked."""
    findings = []
    labels = pairs["label"].where(~pairs["held_out"])
    groups = int(pairs.loc[labels.notna(), "group"].nunique())
    folds = min(split.folds, groups)
    if 0 < groups < split.folds:
        detail = f"The labelled pairs form {groups} groups: {folds} folds instead of {split.folds}."
        if groups == 1:
            detail = "The labelled pairs form one group: all of them train, none validates."
        findings.append(Finding("fewer_folds", "", "", detail))
    if folds >= 2:
        pairs["fold"] = assign_folds(labels, pairs["group"], folds=folds, seed=split.seed)
        chosen = pairs["fold"] == min(split.validation_fold, folds - 1)
        # A group's labelled pairs share one fold; its unlabelled pairs (fold -1) look like them and go with them.
        validates = pairs["group"].isin(pairs.loc[chosen, "group"]).to_numpy()
    else:
        pairs["fold"] = labels.notna().astype("int64") - 1
        validates = np.zeros(len(pairs), dtype=bool)
    pairs["split"] = np.where(pairs["held_out"], "test", np.where(validates, "val", "train"))
    for name in classes:
        where = set(pairs.loc[labels == name, "split"])
        lacking = [side for side in ("train", "val") if side not in where]
        if lacking and labels.notna().any():
            detail = f"No pair labelled {name} is in the split {' or '.join(lacking)}."
            findings.append(Finding("class_missing", "", "", detail))
    return findings


def _missing_twins(table: pd.DataFrame, sensors: Sequence[Sensor]) -> list[Finding]:
    """A finding for every pair that lacks a sensor's image, also where the file's own fault was told already."""
    found = []
    for pair_id, names in table.groupby("pair_id", sort=False)["sensor"].agg(set).items():
        for sensor in sensors:
            if sensor.name not in names:
                detail = f"{pair_id} has no {sensor.name} image to go with it."
                found.append(Finding("missing_twin", str(pair_id), sensor.name, detail))
    return found


def _across_splits(
    held_out: pd.Series, clusters: Sequence[DuplicateCluster], sites: Mapping[str, str]
) -> list[Finding]:
    """Labelled pairs that share a picture, or a site, with a test pair: test figures would flatter."""
    found = []
    for number, cluster in enumerate(clusters):
        tested = [pair_id for pair_id in cluster.pair_ids if held_out[pair_id]]
        for pair_id in dict.fromkeys(cluster.pair_ids) if tested else ():
            if not held_out[pair_id]:
                detail = f"{pair_id} shares an image ({cluster.kind.replace('_', ' ')}) with test pair {tested[0]}."
                found.append(Finding("duplicate_across_splits", pair_id, "", detail, number))
    tested_at = Counter(sites[pair_id] for pair_id in held_out.index[held_out] if pair_id in sites)
    for pair_id in held_out.index[~held_out]:
        if tested_at[sites.get(pair_id, "")]:
            detail = f"{pair_id} is of site {sites[pair_id]}, as is a test pair."
            found.append(Finding("site_across_splits", str(pair_id), "", detail))
    return found


def _labels_differ(labels: pd.Series, clusters: Sequence[DuplicateCluster]) -> list[Finding]:
    """Duplicates whose pairs have different labels: somebody was wrong about one of them."""
    found = []
    for number, cluster in enumerate(clusters):
        label_of = {pair_id: str(labels[pair_id]) for pair_id in cluster.pair_ids if pd.notna(labels[pair_id])}
        if len(set(label_of.values())) > 1:
            told = ", ".join(f"{pair_id} {label}" for pair_id, label in list(label_of.items())[:4])
            word = cluster.kind.replace("_", " ")
            detail = f"Pairs that share an image ({word}) have different labels: {told}."
            found += [Finding("duplicate_labels_differ", pair_id, "", detail, number) for pair_id in label_of]
    return found


def _is_simulated(root: Path) -> bool:
    try:
        return json.loads((root / SIMULATED_FILE).read_text(encoding="utf-8")).get("simulated") is True
    except (OSError, ValueError, AttributeError):
        return False
