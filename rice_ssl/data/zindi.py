"""Import images in the layout of the Zindi challenge: Train.csv, Test.csv and Images/ with id.jpg and id_rgn.jpg."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rice_ssl.data.assemble import ImageEntry, assemble
from rice_ssl.data.csv_table import read_csv_table
from rice_ssl.data.manifest import Finding, Manifest, is_safe_id
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

    A labelled pair with two labels keeps its images for pretraining (split ``train``, fold -1, no label).

    Args:
        root: folder with Train.csv, optionally Test.csv, SampleSubmission.csv (whose header names the classes in order)
            and groups.csv (``pair_id`` and ``site`` or ``group``), and Images/ or images/.
        folds: by pair and group, stratified by label.
        validation_fold: the fold that becomes the split ``val``.
        seed: of the folds.
        test_labels: CSV ``pair_id,label`` with labels of test pairs; they stay in the split ``test``.
        progress: whether to show a progress bar.

    Raises:
        InputError: a table or the image folder is missing or unreadable, or no image can be read.
    """
    if not root.is_dir():
        raise InputError(f"{root} is no folder: give the folder that holds Train.csv and Images/.")
    images = next((name for name in ("Images", "images") if (root / name).is_dir()), None)
    if images is None:
        raise InputError(f"{root} holds no folder Images (or images): unzip Images.zip there.")
    findings: list[Finding] = []
    train = read_csv_table(root / "Train.csv", ("Image_id", "Label"))
    test = read_csv_table(root / "Test.csv", ("Image_id",)) if (root / "Test.csv").is_file() else None
    classes = _classes(root, train)
    train["Label"] = _known_labels(train, classes, findings)
    rows = [(image, label, False) for image, label in zip(train["Image_id"], train["Label"], strict=True)]
    rows += [] if test is None else [(image, None, True) for image in test["Image_id"]]
    pairs = _pairs(rows, findings)
    if test_labels is not None:
        _label_test_pairs(pairs, read_csv_table(test_labels, ("pair_id", "label")), classes, test_labels)
    entries = [
        ImageEntry(pair_id, sensor, f"{images}/{name}", pair.label, pair.held_out)
        for pair_id, pair in pairs.items()
        for sensor, name in pair.images.items()
    ]
    return assemble(
        root,
        entries,
        SENSORS,
        classes,
        findings,
        source="zindi",
        folds=folds,
        validation_fold=validation_fold,
        seed=seed,
        groups=_sites(root),
        progress=progress,
    )


class _Pair:
    """What the tables say of one pair."""

    def __init__(self, held_out: bool) -> None:
        self.held_out = held_out
        self.label: str | None = None
        self.labels: set[str] = set()
        self.images: dict[str, str] = {}


def _pairs(rows: list[tuple[str, str | None, bool]], findings: list[Finding]) -> dict[str, _Pair]:
    """Pair up the rows of both tables."""
    pairs: dict[str, _Pair] = {}
    for image, label, held_out in rows:
        stem = image[: -len(_SUFFIX)] if image.lower().endswith(_SUFFIX) else ""
        sensor = RGNIR.name if stem.endswith(_TWIN) else RGB.name
        pair_id = stem.removesuffix(_TWIN)
        if not is_safe_id(pair_id):
            shown = image[:80]
            findings.append(
                Finding("unsafe_id", shown, "", f"Image_id {shown!r} is no plain name ending in .jpg; the row was refused.")
            )
            continue
        pair = pairs.setdefault(pair_id, _Pair(held_out))
        if pair.held_out != held_out:
            findings.append(Finding("in_both_tables", pair_id, sensor, f"{image} is in Train.csv and in Test.csv; kept in Train."))
            continue
        if sensor in pair.images:
            findings.append(Finding("repeated_row", pair_id, sensor, f"{image} is listed more than once."))
        pair.images[sensor] = image
        if label is not None:
            pair.labels.add(label)
    for pair_id, pair in pairs.items():
        if len(pair.labels) == 1:
            pair.label = next(iter(pair.labels))
        elif pair.labels:
            names = ", ".join(sorted(pair.labels))
            findings.append(
                Finding("conflicting_labels", pair_id, "", f"{pair_id} is labelled {names}; it is kept without a label.")
            )
    return pairs


def _classes(root: Path, train: pd.DataFrame) -> tuple[str, ...]:
    """Classes in the submission's order; without one, the labels in alphabetical order."""
    sample = root / "SampleSubmission.csv"
    if sample.is_file():
        columns = [column for column in read_csv_table(sample, ("Image_id",)).columns if column != "Image_id"]
        if columns:
            return tuple(columns)
    return tuple(sorted({label for label in train["Label"] if label}))


def _known_labels(train: pd.DataFrame, classes: tuple[str, ...], findings: list[Finding]) -> pd.Series:
    """Labels that are among the classes; the others become null, with a finding."""
    for image, label in zip(train["Image_id"], train["Label"], strict=True):
        if label not in classes:
            detail = f"{image[:80]} has the label {label[:40]!r}, which is none of {', '.join(classes)}; it was left out."
            findings.append(Finding("unknown_label", image[:80].removesuffix(_SUFFIX).removesuffix(_TWIN), "", detail))
    return train["Label"].where(train["Label"].isin(classes), None)


def _label_test_pairs(pairs: dict[str, _Pair], table: pd.DataFrame, classes: tuple[str, ...], path: Path) -> None:
    for pair_id, label in zip(table["pair_id"], table["label"], strict=True):
        if label not in classes:
            raise InputError(f"{path} labels {pair_id} as {label!r}, which is none of {', '.join(classes)}: correct it.")
        if pair_id in pairs and pairs[pair_id].held_out:
            pairs[pair_id].label = label


def _sites(root: Path) -> pd.Series | None:
    """Site of each pair from groups.csv; None without that file."""
    path = root / "groups.csv"
    if not path.is_file():
        return None
    table = read_csv_table(path, ("pair_id",))
    column = next((name for name in ("site", "group") if name in table.columns), None)
    if column is None:
        raise InputError(f"{path} lacks a column 'site' or 'group' (it has {', '.join(table.columns)}): add one.")
    table = table[table[column] != ""].drop_duplicates("pair_id")
    return table.set_index("pair_id")[column]
