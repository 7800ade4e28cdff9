"""Read a training log from CSV: fastai, Keras, Lightning, or any file with a step or epoch column."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pandas as pd

from rice_ssl.dynamics.logs import TrainingLog, Unit, tidy_log
from rice_ssl.errors import InputError

MAX_BYTES = 150 * 2**20
STEP_NAMES = ("step", "global_step", "steps", "iteration", "iter", "_step", "trainer_global_step", "batch")
EPOCH_NAMES = ("epoch", "epochs")
SPLIT_NAMES = ("split", "phase", "subset", "set", "mode")
VALUE_NAMES = ("value", "loss")
METRIC_NAMES = ("name", "metric", "tag")
NOT_METRICS = {"time", "date", "timestamp", "wall_time", "_timestamp", "_runtime", "runtime", "index", "lo", "hi", ""}
_TRAIN = {"train", "training", "trn", "tr"}
_VALIDATION = {"val", "valid", "validation", "eval", "dev", "test"}


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
    text = _decode(content, source)
    frame, notes = _frame(text, source)
    names = {column: _normal(column) for column in frame.columns}
    steps, unit, step_name = _steps(frame, names, step_column, source)
    rows, more = _rows(frame, names, steps, step_name, loss_columns or {}, source)
    return tidy_log(rows, source=source, unit=unit, notes=(*notes, *more))


def _too_large(source: str, size: int, limit: int) -> str:
    return (
        f"{source} is {size / 2**20:,.0f} MB, more than the {limit / 2**20:,.0f} MB that are read. "
        "Give a log with fewer columns, or every tenth row of it."
    )


def _decode(content: bytes, source: str) -> str:
    """Text of a file: UTF-8, or UTF-16 with or without its mark."""
    if not content.strip():
        raise InputError(f"{source} is empty. Give a CSV with a step or epoch column and at least two rows.")
    head = content[:4096]
    encoding = "utf-8-sig"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif (
        head.count(0) > len(head) // 4
        and not any(head[0::2])
        or (head.count(0) > len(head) // 4 and not any(head[1::2]))
    ):
        encoding = "utf-16-le" if not any(head[1::2]) else "utf-16-be"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if any(ord(letter) < 9 or 13 < ord(letter) < 32 for letter in text[:4096]) or "\0" in text:
        raise InputError(f"{source} is not text in UTF-8 or UTF-16, so it is no CSV. Export the log as CSV in UTF-8.")
    return text


def _frame(text: str, source: str) -> tuple[pd.DataFrame, list[str]]:
    lines = text.lstrip("\r\n").split("\n", 1)
    head = lines[0]
    separator = max(",;\t", key=head.count)
    if not head.count(separator):
        raise InputError(
            f"{source} has one column only ({head.strip()[:40]!r}): separate the columns by comma, semicolon or tab, "
            "with a step or epoch column among them."
        )
    decimal = "."
    if separator == ";" and len(lines) > 1:
        decimal = "," if re.search(r"\d,\d", lines[1][:4096]) else "."
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            decimal=decimal,
            index_col=False,
            keep_default_na=False,
            na_values=[""],
            on_bad_lines="skip",
            skipinitialspace=True,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise InputError(f"{source} cannot be read as CSV ({' '.join(str(error).split())}).") from None
    frame.columns = pd.Index([str(column).strip() for column in frame.columns])
    if len(frame) < 2:
        raise InputError(
            f"{source} holds {len(frame)} row{'' if len(frame) == 1 else 's'} below its header: "
            "a curve needs at least two."
        )
    notes = []
    written = sum(1 for line in io.StringIO(text) if line.strip()) - 1
    if '"' not in text and written > len(frame):
        lost = written - len(frame)
        notes.append(f"{lost:,} row{'' if lost == 1 else 's'} left out: more cells than the header has columns.")
    if decimal == ",":
        notes.append("Numbers were read with a decimal comma.")
    return frame, notes


def _normal(name: str) -> str:
    """Lower case, with one underscore for whatever separates words."""
    lead = "_" if name.startswith("_") else ""
    return lead + re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def _numeric(column: pd.Series) -> tuple[pd.Series, int]:
    """Numbers of a column (blank and unreadable cells as NaN), and how many cells were written but are no number."""
    if pd.api.types.is_bool_dtype(column):
        return pd.Series(np.nan, index=column.index), len(column)
    blank = column.isna()
    if not pd.api.types.is_numeric_dtype(column):
        blank = blank | (column.astype(str).str.strip() == "")
    numbers = pd.to_numeric(column, errors="coerce").astype(np.float64)
    unusable = ~np.isfinite(numbers) & ~blank
    return numbers.where(np.isfinite(numbers)), int(unusable.sum())


def _steps(frame: pd.DataFrame, names: dict[str, str], wanted: str | None, source: str) -> tuple[pd.Series, Unit, str]:
    if wanted is not None and wanted not in frame.columns:
        raise InputError(f"{source} has no column {wanted!r}; its columns are {_listed(frame)}.")
    found = [wanted] if wanted is not None else []
    for known in () if wanted is not None else (*STEP_NAMES, *EPOCH_NAMES):
        found += [column for column, name in names.items() if name == known]
    for column in found:
        numbers, _ = _numeric(frame[column])
        if numbers.nunique() >= 2:
            unit: Unit = "epoch" if names[column] in EPOCH_NAMES else "step"
            return numbers, unit, column
    if found:
        raise InputError(
            f"Column {found[0]!r} of {source} holds fewer than two different numbers: name another step column."
        )
    raise InputError(f"{source} has no step or epoch column; its columns are {_listed(frame)}. Name the step column.")


def _listed(frame: pd.DataFrame) -> str:
    shown = ", ".join(repr(str(column)[:40]) for column in frame.columns[:12])
    return shown + (", …" if len(frame.columns) > 12 else "")


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
            raise InputError(f"{source} has no column {column!r}; its columns are {_listed(frame)}.")
        if split not in ("train", "val"):
            raise InputError(f"Column {column!r} is said to be of split {split!r}: say train or val.")
    by_name = {name: column for column, name in reversed(list(names.items()))}
    split_column = next((by_name[name] for name in SPLIT_NAMES if name in by_name), None)
    metric_column = next((by_name[name] for name in METRIC_NAMES if name in by_name), None)
    value_column = next((by_name[name] for name in VALUE_NAMES if name in by_name), None)
    parts: list[pd.DataFrame] = []
    if value_column is not None and (split_column or metric_column) and not loss_columns:
        values, unusable = _numeric(frame[value_column])
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
            values, unusable = _numeric(frame[column])
            if values.notna().sum() < 2:
                continue
            _note_unusable(notes, unusable, str(column))
            if (name, split) in taken:
                name = names[column]
            taken.add((name, split))
            part = pd.DataFrame({"step": steps, "split": split, "name": name, "value": values})
            parts.append(part[part["step"].notna() & part["value"].notna()])
    if not any(len(part) for part in parts):
        raise InputError(f"{source} has no numeric column besides {step_name!r}; its columns are {_listed(frame)}.")
    return pd.concat(parts, ignore_index=True), notes


def _note_unusable(notes: list[str], count: int, column: str) -> None:
    if count:
        cells = "cell" if count == 1 else "cells"
        notes.append(f"{count:,} {cells} of column {column!r} left out: not a finite number (NaN, Inf or text).")


def _split_of(label: str) -> str | None:
    words = set(_normal(label).split("_"))
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
