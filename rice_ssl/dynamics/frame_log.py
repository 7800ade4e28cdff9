"""The curves of a table with named columns, from whatever file it came: wide or long, known columns or named ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.dynamics.csv_frame import listed, numbers_of
from rice_ssl.dynamics.csv_steps import EPOCH_NAMES, STEP_NAMES, StepColumn, find_steps
from rice_ssl.dynamics.logs import RawCurve, TrainingLog, tidy_curves
from rice_ssl.dynamics.metric_names import NOT_METRICS, metric_of, normal_name, split_of
from rice_ssl.errors import InputError

SPLIT_NAMES = ("split", "phase", "subset", "set", "mode")
VALUE_NAMES = ("value", "loss")
METRIC_NAMES = ("name", "metric", "tag")


def log_of_frame(
    frame: pd.DataFrame,
    *,
    source: str,
    step_column: str | None = None,
    loss_columns: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> TrainingLog:
    """The log that a table holds.

    Long form has a column for the split and one for the value (``split,step,loss``); wide form has a column for each
    curve (``epoch,train_loss,valid_loss``; ``epoch,loss,val_loss``; blanks as Lightning leaves them).

    Args:
        frame: the table, rows in the order in which they were written.
        source: its name, for messages.
        step_column: name of the step or epoch column, when it is not recognised by name.
        loss_columns: column name -> split (``train`` or ``val``) of the loss, when not recognised by name.
        notes: what the reader had to say before.

    Raises:
        InputError: no step column, no numeric column, a named column is not there, or fewer than two usable rows.
    """
    named = loss_columns or {}
    names = {str(column): normal_name(str(column)) for column in frame.columns}
    wide = bool(named) or not set(names.values()) & {*SPLIT_NAMES, *METRIC_NAMES}
    steps = find_steps(frame, names, step_column, source, wide=wide)
    said = [*notes, *steps.notes]
    lost = int(steps.numbers.isna().sum())
    if lost:
        said.append(f"{_rows(lost)} left out: the column {steps.column!r} holds no number there.")
    refuse_unknown(named, [str(column) for column in frame.columns], source, "column")
    by_name = {name: column for column, name in reversed(list(names.items()))}
    split_column = next((by_name[name] for name in SPLIT_NAMES if name in by_name), None)
    metric_column = next((by_name[name] for name in METRIC_NAMES if name in by_name), None)
    value_column = next((by_name[name] for name in VALUE_NAMES if name in by_name), None)
    if value_column is not None and (split_column or metric_column) and not named:
        curves = _long_curves(frame, steps, value_column, split_column, metric_column, said)
    else:
        curves = _wide_curves(frame, steps, names, named, said)
    if not any(len(curve.steps) for curve in curves):
        raise InputError(f"{source} has no numeric column besides {steps.column!r}; its columns are {listed(frame)}.")
    return tidy_curves(curves, source=source, unit=steps.unit, notes=tuple(said))


def refuse_unknown(named: Mapping[str, str], known: Sequence[str], source: str, what: str) -> None:
    """Refuse names that a log does not have.

    Args:
        named: name -> split, as the user gives them.
        known: the names that there are.
        source: of the log, for messages.
        what: is named: column or tag.

    Raises:
        InputError: a name is not known, or its split is neither train nor val.
    """
    for name, split in named.items():
        if name not in known:
            shown = ", ".join(repr(other[:40]) for other in known[:12]) + (", …" if len(known) > 12 else "")
            raise InputError(f"{source} has no {what} {name!r}; its {what}s are {shown}.")
        if split not in ("train", "val"):
            raise InputError(f"{what.capitalize()} {name!r} is said to be of split {split!r}: say train or val.")


def _long_curves(
    frame: pd.DataFrame,
    steps: StepColumn,
    value_column: str,
    split_column: str | None,
    metric_column: str | None,
    notes: list[str],
) -> list[RawCurve]:
    """Curves of a table with one value a row."""
    values, unusable = numbers_of(frame[value_column])
    _note_unusable(notes, unusable, value_column)
    usable = (values.notna() & steps.numbers.notna()).to_numpy()
    labels = frame[split_column].astype(str) if split_column else pd.Series("train", index=frame.index)
    label_codes, label_names = pd.factorize(labels)
    metrics = frame[metric_column].astype(str) if metric_column else pd.Series("loss", index=frame.index)
    metric_codes, metric_names = pd.factorize(metrics)
    splits = [split_of(str(label)) for label in label_names]
    other = int(np.isin(label_codes, [code for code, split in enumerate(splits) if split is None]).sum())
    if other:
        notes.append(f"{_rows(other)} left out: the split is neither train nor validation.")
    curves: list[RawCurve] = []
    for code, metric in enumerate(metric_names):
        for split in ("train", "val"):
            wanted = [label for label, meant in enumerate(splits) if meant == split]
            here = usable & (metric_codes == code) & np.isin(label_codes, wanted)
            if here.any():
                curves.append(_curve(str(metric), split, steps.numbers, values, here))
    return curves


def _wide_curves(
    frame: pd.DataFrame, steps: StepColumn, names: dict[str, str], named: Mapping[str, str], notes: list[str]
) -> list[RawCurve]:
    """Curves of a table with a column for each."""
    counters = {*STEP_NAMES, *EPOCH_NAMES, *NOT_METRICS}
    known = {steps.column, *(column for column, name in names.items() if name in counters)}
    has_step = steps.numbers.notna()
    curves: list[RawCurve] = []
    taken: set[tuple[str, str]] = set()
    for column in sorted(names, key=lambda column: column not in named):
        if column in named:
            name, split = "loss", named[column]
        elif column in known or names[column].startswith("unnamed"):
            continue
        else:
            name, split = metric_of(names[column])
        values, unusable = numbers_of(frame[column])
        usable = (values.notna() & has_step).to_numpy()
        count = int(usable.sum())
        if count < 2:
            if "loss" in name.split("_"):
                many = f"{count} usable number{'' if count == 1 else 's'}"
                notes.append(f"Column {column!r} left out: it holds {many}, and a curve needs two.")
            continue
        _note_unusable(notes, unusable, column)
        name = free_name(name, split, names[column] or column, taken)
        curves.append(_curve(name, split, steps.numbers, values, usable))
    return curves


def free_name(name: str, split: str, full: str, taken: set[tuple[str, str]]) -> str:
    """The metric's name, or its full one (numbered if need be) where the split has that metric; it is then taken."""
    number, wanted = 1, name
    while (wanted, split) in taken:
        wanted = full if number == 1 else f"{full}_{number}"
        number += 1
    taken.add((wanted, split))
    return wanted


def _curve(name: str, split: str, steps: pd.Series, values: pd.Series, usable: npt.NDArray[np.bool_]) -> RawCurve:
    return RawCurve(name, split, steps.to_numpy(np.float64)[usable], values.to_numpy(np.float64)[usable])


def _note_unusable(notes: list[str], count: int, column: str) -> None:
    if count:
        cells = "cell" if count == 1 else "cells"
        notes.append(f"{count:,} {cells} of column {column!r} left out: not a finite number (NaN, Inf or text).")


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
