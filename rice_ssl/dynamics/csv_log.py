"""Read a training log from CSV: fastai, Keras, Lightning, or any file with a step or epoch column."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rice_ssl.dynamics.csv_frame import listed, normal_name, numbers_of, read_frame
from rice_ssl.dynamics.csv_steps import EPOCH_NAMES, STEP_NAMES, find_steps
from rice_ssl.dynamics.logs import TrainingLog, tidy_log
from rice_ssl.errors import InputError

MAX_BYTES = 150 * 2**20
SPLIT_NAMES = ("split", "phase", "subset", "set", "mode")
VALUE_NAMES = ("value", "loss")
METRIC_NAMES = ("name", "metric", "tag")
NOT_METRICS = {"time", "date", "timestamp", "wall_time", "_timestamp", "_runtime", "runtime", "index", "lo", "hi", ""}
_TRAIN = {"train", "training", "trn", "tr"}
_VALIDATION = {"val", "valid", "validation", "eval", "dev", "test"}


def named_columns(train: str | None, val: str | None) -> dict[str, str]:
    """Column -> split, as the readers take it, from the names that a user gives; blank ones are left out.

    Raises:
        InputError: both are the same column.
    """
    if train and train == val:
        raise InputError(f"Column {train!r} is named for training and for validation: name one for each.")
    return {name: split for name, split in ((train, "train"), (val, "val")) if name}


def read_csv_log(
    path: Path,
    *,
    step_column: str | None = None,
    loss_columns: dict[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> TrainingLog:
    """Read a CSV log from disk; see :func:`parse_csv_log`.

    Raises:
        InputError: the file is missing or too large, or as :func:`parse_csv_log`.
    """
    try:
        size = path.stat().st_size
        if path.is_file() and size <= max_bytes:
            content = path.read_bytes()
        elif not path.is_file():
            raise InputError(f"{path} is not a file. Give the path of a CSV log.")
        else:
            raise InputError(_too_large(str(path), size, max_bytes))
    except OSError as error:
        raise InputError(
            f"Log {path} cannot be read ({error.strerror or error}). Give the path of a CSV log."
        ) from None
    return parse_csv_log(
        content, source=path.name, step_column=step_column, loss_columns=loss_columns, max_bytes=max_bytes
    )


def parse_csv_log(
    content: bytes,
    *,
    source: str = "The log",
    step_column: str | None = None,
    loss_columns: dict[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> TrainingLog:
    """Read a CSV log: separated by comma, semicolon or tab; UTF-8 or UTF-16; long or wide.

    Long form has a column for the split and one for the value (``split,step,loss``); wide form has a column for each
    curve (``epoch,train_loss,valid_loss``; ``epoch,loss,val_loss``; blanks as Lightning leaves them).

    Args:
        content: the file's bytes.
        source: its name, for messages.
        step_column: name of the step or epoch column, when it is not recognised by name.
        loss_columns: column name -> split (``train`` or ``val``) of the loss, when not recognised by name.
        max_bytes: largest size that is read.

    Raises:
        InputError: too large, empty, binary, no step column, no numeric column, or fewer than two usable rows.
    """
    if len(content) > max_bytes:
        raise InputError(_too_large(source, len(content), max_bytes))
    frame, notes = read_frame(content, source)
    names = {column: normal_name(column) for column in frame.columns}
    wide = bool(loss_columns) or not set(names.values()) & {*SPLIT_NAMES, *METRIC_NAMES}
    steps = find_steps(frame, names, step_column, source, wide=wide)
    rows, more = _rows(frame, names, steps.numbers, steps.column, loss_columns or {}, source)
    return tidy_log(rows, source=source, unit=steps.unit, notes=(*notes, *steps.notes, *more))


def _too_large(source: str, size: int, limit: int) -> str:
    return (
        f"{source} is {size / 2**20:,.0f} MB, more than the {limit / 2**20:,.0f} MB that are read. "
        "Give a log with fewer columns, or every tenth row of it."
    )


def _rows(
    frame: pd.DataFrame,
    names: dict[str, str],
    steps: pd.Series,
    step_name: str,
    loss_columns: dict[str, str],
    source: str,
) -> tuple[pd.DataFrame, list[str]]:
    """Rows of step, split, name, value, in the order of the file."""
    notes: list[str] = []
    lost = int(steps.isna().sum())
    if lost:
        notes.append(
            f"{lost:,} row{'' if lost == 1 else 's'} left out: the column {step_name!r} holds no number there."
        )
    for column, split in loss_columns.items():
        if column not in frame.columns:
            raise InputError(f"{source} has no column {column!r}; its columns are {listed(frame)}.")
        if split not in ("train", "val"):
            raise InputError(f"Column {column!r} is said to be of split {split!r}: say train or val.")
    by_name = {name: column for column, name in reversed(list(names.items()))}
    split_column = next((by_name[name] for name in SPLIT_NAMES if name in by_name), None)
    metric_column = next((by_name[name] for name in METRIC_NAMES if name in by_name), None)
    value_column = next((by_name[name] for name in VALUE_NAMES if name in by_name), None)
    parts: list[pd.DataFrame] = []
    if value_column is not None and (split_column or metric_column) and not loss_columns:
        values, unusable = numbers_of(frame[value_column])
        _note_unusable(notes, unusable, value_column)
        labels = frame[split_column].astype(str) if split_column else pd.Series("train", index=frame.index)
        splits = labels.map({label: _split_of(label) for label in labels.unique()})
        other = int(splits.isna().sum())
        if other:
            notes.append(
                f"{other:,} row{'' if other == 1 else 's'} left out: the split is neither train nor validation."
            )
        metrics = frame[metric_column].astype(str) if metric_column else pd.Series("loss", index=frame.index)
        part = pd.DataFrame({"step": steps, "split": splits, "name": metrics, "value": values})
        parts.append(part[part.notna().all(axis=1)])
    else:
        known = {step_name, *(c for c, n in names.items() if n in STEP_NAMES or n in EPOCH_NAMES or n in NOT_METRICS)}
        taken: set[tuple[str, str]] = set()
        for column in frame.columns:
            if loss_columns and column in loss_columns:
                name, split = "loss", loss_columns[column]
            elif column in known or names[column].startswith("unnamed"):
                continue
            else:
                name, split = _metric_of(names[column])
            values, unusable = numbers_of(frame[column])
            usable = int((values.notna() & steps.notna()).sum())
            if usable < 2:
                if "loss" in name.split("_"):
                    many = f"{usable} usable number{'' if usable == 1 else 's'}"
                    notes.append(f"Column {str(column)!r} left out: it holds {many}, and a curve needs two.")
                continue
            _note_unusable(notes, unusable, str(column))
            if (name, split) in taken:
                name = names[column]
            taken.add((name, split))
            part = pd.DataFrame({"step": steps, "split": split, "name": name, "value": values})
            parts.append(part[part["step"].notna() & part["value"].notna()])
    if not any(len(part) for part in parts):
        raise InputError(f"{source} has no numeric column besides {step_name!r}; its columns are {listed(frame)}.")
    return pd.concat(parts, ignore_index=True), notes


def _note_unusable(notes: list[str], count: int, column: str) -> None:
    if count:
        cells = "cell" if count == 1 else "cells"
        notes.append(f"{count:,} {cells} of column {column!r} left out: not a finite number (NaN, Inf or text).")


def _split_of(label: str) -> str | None:
    words = set(normal_name(label).split("_"))
    return "train" if words & _TRAIN else "val" if words & _VALIDATION else None


def _metric_of(name: str) -> tuple[str, str]:
    """Metric and split of a column by its name: ``valid_loss`` is the loss in val; a bare name is train."""
    words = name.split("_")
    if words[-1] == "step" and len(words) > 1:
        words = words[:-1]
    split = "train"
    for group, meant in ((_TRAIN, "train"), (_VALIDATION, "val")):
        kept = [word for word in words if word not in group]
        if kept and len(kept) < len(words):
            words, split = kept, meant
            break
    metric = "_".join(words)
    if metric in {"lr", "learning_rate"} or words[0] == "lr":
        metric = "lr"
    return metric, split
