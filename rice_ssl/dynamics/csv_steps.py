"""The column of a CSV log that counts steps or epochs, and what to do where it starts again with each epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rice_ssl.dynamics.csv_frame import listed, numbers_of
from rice_ssl.dynamics.logs import Unit
from rice_ssl.errors import InputError

STEP_NAMES = ("step", "global_step", "steps", "iteration", "iter", "_step", "trainer_global_step", "batch")
EPOCH_NAMES = ("epoch", "epochs")
LEAST_RESTARTS = 3
"""Without an epoch column, a counter that goes back to its first number that often is one of batches in an epoch."""


@dataclass(frozen=True)
class StepColumn:
    """What counts the rows of a log.

    Attributes:
        column: its name.
        unit: what it counts.
        numbers: of each row, NaN where there is none.
        notes: sentences on what was done to them.
    """

    column: str
    unit: Unit
    numbers: pd.Series
    notes: tuple[str, ...] = ()


def find_steps(
    frame: pd.DataFrame, names: dict[str, str], wanted: str | None, source: str, *, wide: bool
) -> StepColumn:
    """Find the column of steps, else of epochs.

    A column of batches that starts again with each epoch (or, in a wide log without epochs, goes back to its first
    number three times or more) does not count steps: its rows are numbered in their order instead, from 0.

    Args:
        frame: the log.
        names: column -> its name in lower case with underscores.
        wanted: the column that the user names; by its name when None.
        source: of the log, for messages.
        wide: whether each row is of another step, with a column for each curve.

    Raises:
        InputError: no such column, or it holds fewer than two different numbers.
    """
    if wanted is not None and wanted not in frame.columns:
        raise InputError(f"{source} has no column {wanted!r}; its columns are {listed(frame)}.")
    by_name = [column for known in STEP_NAMES for column, name in names.items() if name == known]
    epochs = [column for known in EPOCH_NAMES for column, name in names.items() if name == known]
    found = [wanted] if wanted is not None else [*by_name, *epochs]
    usable = {column: numbers for column in found if _varies(numbers := numbers_of(frame[column])[0])}
    counted: list[StepColumn] = []
    for column, numbers in usable.items():
        if column in epochs:
            counted.append(StepColumn(column, "epoch", numbers))
            continue
        of_epoch = next((c for c in epochs if _varies(numbers_of(frame[c])[0])), None)
        counted.append(_numbered(frame, column, numbers, of_epoch, wide=wide))
    # A counter that runs on is better than one that starts again, and that better than epochs.
    counted.sort(key=lambda step: (step.unit == "epoch", bool(step.notes)))
    if counted:
        return counted[0]
    if found:
        raise InputError(
            f"Column {found[0]!r} of {source} holds fewer than two different numbers: name another step column."
        )
    raise InputError(f"{source} has no step or epoch column; its columns are {listed(frame)}. Name the step column.")


def _varies(numbers: pd.Series) -> bool:
    """Whether there are two different numbers."""
    return bool(numbers.min() < numbers.max())


def _numbered(
    frame: pd.DataFrame, column: str, numbers: pd.Series, epoch_column: str | None, *, wide: bool
) -> StepColumn:
    """The column as it is, or with its rows numbered where it starts again."""
    plain = StepColumn(column, "step", numbers)
    if epoch_column is not None:
        epochs = numbers_of(frame[epoch_column])[0]
        if not _starts_again(numbers, epochs):
            return plain
        said = f"Column {column!r} starts again with each {epoch_column!r}"
    else:
        back = numbers.dropna().diff() < 0
        targets = numbers.dropna()[back]
        if not wide or len(targets) < LEAST_RESTARTS or targets.nunique() > 1 or targets.iloc[0] > numbers.min():
            return plain
        epochs = (numbers.ffill().diff() < 0).cumsum().astype(np.float64)
        said = f"Column {column!r} starts again at {targets.iloc[0]:,g} {len(targets):,} times"
    said += ": rows were numbered from 0 in their order, which counts steps only where every batch was logged."
    return StepColumn(column, "step", _in_order(numbers, epochs, blank=frame[column].isna()), (said,))


def _starts_again(numbers: pd.Series, epochs: pd.Series) -> bool:
    """Whether the numbers never rise, and at least once fall, where the next epoch begins."""
    both = numbers.notna() & epochs.notna()
    change = np.diff(numbers[both].to_numpy(np.float64))[np.diff(epochs[both].to_numpy(np.float64)) > 0]
    return bool(len(change) and (change <= 0).all() and (change < 0).any())


def _in_order(numbers: pd.Series, epochs: pd.Series, *, blank: pd.Series) -> pd.Series:
    """Rows numbered by epoch and step, from 0; equal ones, as after a resume or for another metric, share a number.

    A row of an epoch without a step, such as one of validation, is put at the last step of its epoch.
    """
    both = (numbers.notna() & epochs.notna()).to_numpy()
    keys = np.stack([epochs.to_numpy(np.float64), numbers.to_numpy(np.float64)], axis=1)
    places, inverse = np.unique(keys[both], axis=0, return_inverse=True)
    found = np.full(len(numbers), np.nan)
    found[both] = inverse.reshape(-1)
    ends = blank.to_numpy() & epochs.notna().to_numpy()
    found[ends] = np.maximum(np.searchsorted(places[:, 0], keys[ends, 0], side="right") - 1, 0)
    return pd.Series(found, index=numbers.index)
