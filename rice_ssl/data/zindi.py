"""Import images in the layout of the Zindi challenge: Train.csv, Test.csv and Images/ with id.jpg and id_rgn.jpg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from rice_ssl.data.assemble import ImageEntry, SplitOptions, assemble
from rice_ssl.data.csv_table import read_csv_table
from rice_ssl.data.manifest import Finding, Manifest, is_safe_id
from rice_ssl.data.sites import sites_of_pairs
from rice_ssl.errors import InputError
from rice_ssl.sensors import RGB, RGNIR

SENSORS = (RGB, RGNIR)
_SUFFIX, _TWIN = ".jpg", "_rgn"


def import_zindi(
    root: Path,
    *,
    folds: int = 5,
    validation_fold: int = 0,
    seed: int = 0,
    test_labels: Path | None = None,
    progress: bool = True,
) -> Manifest:
    """Read the challenge's tables and images. What is wrong with a row becomes a finding, never an exception.

    A pair with two labels keeps its images for pretraining (fold -1, no label). A pair that both tables list is a test
    pair; its label is not used. An image whose twin lies in the image folder brings it along, listed or not.

    In groups.csv and ``test_labels`` a pair may be named by one of its images (``id.jpg``, ``id_rgn.jpg``).

    Args:
        root: folder with Train.csv (``Image_id,Label``) and Images/ or images/ (which may be a link to a folder);
            optionally Test.csv (``Image_id``), SampleSubmission.csv (whose header names the classes in order; without
            it they are the labels, sorted) and groups.csv (``pair_id`` and ``site`` or ``group``).
        folds: by pair and group, stratified by label.
        validation_fold: the fold that becomes the split ``val``.
        seed: of the folds.
        test_labels: CSV ``pair_id,label`` with labels of test pairs; they stay in the split ``test``.
        progress: whether to show a progress bar.

    Raises:
        InputError: a table or the image folder is missing or unreadable, no image can be read, or a setting is out of
            range.
    """
    split = SplitOptions(folds, validation_fold, seed)
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder that holds Train.csv and Images/.")
    images = next((name for name in ("Images", "images") if (root / name).is_dir()), None)
    if images is None:
        raise InputError(f"{root} holds no folder Images (or images): unzip Images.zip there.")
    findings: list[Finding] = []
    train = read_csv_table(root / "Train.csv", ("Image_id", "Label"))
    test = read_csv_table(root / "Test.csv", ("Image_id",)) if (root / "Test.csv").is_file() else None
    classes = _classes(root, train["Label"].tolist())
    rows = [(image, label, False) for image, label in zip(train["Image_id"], train["Label"], strict=True)]
    rows += [] if test is None else [(image, "", True) for image in test["Image_id"]]
    pairs = _pairs(rows, classes, findings)
    _add_unlisted_twins(pairs, root / images, findings)
    if test_labels is not None:
        table = _of_known_pairs(read_csv_table(test_labels, ("pair_id", "label")), pairs, test_labels, findings)
        _label_test_pairs(pairs, table, classes, test_labels, findings)
    entries = [
        ImageEntry(pair_id, sensor, f"{images}/{name}", pair.label, pair.held_out)
        for pair_id, pair in pairs.items()
        for sensor, name in pair.images.items()
    ]
    sites = None
    groups = root / "groups.csv"
    if groups.is_file():
        table = _of_known_pairs(read_csv_table(groups, ("pair_id",)), pairs, groups, findings)
        sites = sites_of_pairs(table, groups, findings)
    return assemble(
        root,
        entries,
        SENSORS,
        classes,
        findings,
        split,
        source="zindi",
        sites=sites,
        folders=(images,),
        progress=progress,
    )


@dataclass
class _Pair:
    """What the tables say of one pair: file of each sensor, labels in order, and whether Test.csv lists it."""

    images: dict[str, str] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    held_out: bool = False
    trained: bool = False
    label: str | None = None


def _pairs(
    rows: Sequence[tuple[str, str, bool]], classes: tuple[str, ...], findings: list[Finding]
) -> dict[str, _Pair]:
    """Pair up the rows of both tables and settle each pair's label."""
    pairs: dict[str, _Pair] = {}
    listed: set[tuple[str, str, bool]] = set()
    for image, label, held_out in rows:
        pair_id, sensor = _pair_of_image(image)
        if not is_safe_id(pair_id):
            detail = f"Image_id {image[:80]!r} is no plain name ending in {_SUFFIX}; the row was refused."
            findings.append(Finding("unsafe_id", image[:80], "", detail))
            continue
        pair = pairs.setdefault(pair_id, _Pair())
        if (pair_id, sensor, held_out) in listed:
            detail = f"{image} is listed more than once in {'Test.csv' if held_out else 'Train.csv'}."
            findings.append(Finding("repeated_row", pair_id, sensor, detail))
        listed.add((pair_id, sensor, held_out))
        pair.images.setdefault(sensor, image)
        if held_out:
            pair.held_out = True
            continue
        pair.trained = True
        if label in classes:
            pair.labels.append(label)
        else:
            what = f"the label {label[:40]!r}, which is none of {', '.join(classes)}" if label else "no label"
            findings.append(Finding("unknown_label", pair_id, sensor, f"{image} has {what}; it is kept without one."))
    for pair_id, pair in pairs.items():
        names = sorted(set(pair.labels))
        if pair.held_out and pair.trained:
            detail = f"{pair_id} is in Train.csv and in Test.csv; it is a test pair here, and its label is not used."
            findings.append(Finding("in_both_tables", pair_id, "", detail))
        elif len(names) == 1:
            pair.label = names[0]
        elif names:
            detail = f"{pair_id} is labelled {' and '.join(names)}; it is kept without a label, for pretraining alone."
            findings.append(Finding("conflicting_labels", pair_id, "", detail))
    return pairs


def _pair_of_image(image: str) -> tuple[str, str]:
    """Pair and sensor of an Image_id; no pair ("") where it is no name of a JPEG."""
    stem = image[: -len(_SUFFIX)] if image.lower().endswith(_SUFFIX) else ""
    return stem.removesuffix(_TWIN), RGNIR.name if stem.endswith(_TWIN) else RGB.name


def _add_unlisted_twins(pairs: dict[str, _Pair], folder: Path, findings: list[Finding]) -> None:
    """Add the image that the tables forget where its twin is listed and its file is there."""
    for pair_id, pair in pairs.items():
        listed = next(iter(pair.images.values()))
        for sensor in [sensor for sensor in SENSORS if sensor.name not in pair.images]:
            stem = sensor.pattern.format(id=pair_id)[: -len(_SUFFIX)]
            names = (stem + listed[-len(_SUFFIX) :], stem + _SUFFIX)  # written as its twin is, .JPG or .jpg
            name = next((name for name in names if (folder / name).is_file()), None)
            if name is not None:
                pair.images[sensor.name] = name
                table = "Test.csv" if pair.held_out else "Train.csv"
                detail = f"{table} lists {listed}, but not its twin {name} in {folder.name}: both belong to the pair."
                findings.append(Finding("twin_not_listed", pair_id, sensor.name, detail))


def _of_known_pairs(table: pd.DataFrame, pairs: dict[str, _Pair], path: Path, findings: list[Finding]) -> pd.DataFrame:
    """Rows of the pairs that Train.csv or Test.csv lists, with plain ids; each other row is a finding."""
    ids = [name if name in pairs else _pair_of_image(name)[0] for name in table["pair_id"]]
    known = np.array([pair_id in pairs for pair_id in ids], dtype=bool)
    for name in table.loc[~known, "pair_id"]:
        detail = f"{path.name} names {name[:80]!r}, a pair that neither Train.csv nor Test.csv lists."
        findings.append(Finding("unknown_pair", name[:80], "", detail))
    return table.assign(pair_id=ids)[known]


def _classes(root: Path, labels: Sequence[str]) -> tuple[str, ...]:
    """Classes in the submission's order; without one, the labels in alphabetical order."""
    sample = root / "SampleSubmission.csv"
    if sample.is_file():
        columns = [column for column in read_csv_table(sample, ("Image_id",)).columns if column != "Image_id"]
        if all(columns) and columns:
            return tuple(columns)
        raise InputError(f"{sample} names no classes: its header must be Image_id and one column for each class.")
    return tuple(sorted({label for label in labels if label}))


def _label_test_pairs(
    pairs: dict[str, _Pair], table: pd.DataFrame, classes: tuple[str, ...], path: Path, findings: list[Finding]
) -> None:
    """Give test pairs the labels of a table; those of other pairs are passed over."""
    known: dict[str, str] = {}
    for pair_id, label in zip(table["pair_id"], table["label"], strict=True):
        if label and label not in classes:
            raise InputError(
                f"{path} labels {pair_id[:80]} as {label[:40]!r}, which is none of {', '.join(classes)}: correct it."
            )
        pair = pairs.get(pair_id)
        if pair is None or not pair.held_out or not label:
            continue
        if known.setdefault(pair_id, label) == label:
            pair.label = label
        else:
            pair.label = None
            detail = f"{path.name} gives {pair_id} two labels; it is kept without one."
            findings.append(Finding("conflicting_labels", pair_id, "", detail))
