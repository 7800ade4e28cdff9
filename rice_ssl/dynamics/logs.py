"""A training log in one shape, whatever program wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.dynamics.events import Event
from rice_ssl.errors import InputError

Unit = Literal["step", "epoch"]
SPLITS = ("train", "val")


@dataclass(frozen=True)
class TrainingLog:
    """A log: raw values, one row a value, and what had to be done to read it.

    Attributes:
        source: what to call it in messages.
        unit: what the axis counts.
        table: columns step (float64, in ``unit``), split (train | val), name (metric), value (float64, finite); sorted
            by name, split and step, no step twice in a curve.
        notes: sentences on rows that were left out or put in order.
        events: what the log itself tells, e.g. where its steps go back after a resume.
    """

    source: str
    unit: Unit
    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()

    def metrics(self) -> list[str]:
        """Names of what was logged, the loss first."""
        names = sorted(set(self.table["name"]))
        return sorted(names, key=lambda name: (name != "loss", "loss" not in name, name))

    def splits(self, name: str) -> list[str]:
        """Splits in which a metric was logged, train first."""
        present = set(self.table.loc[self.table["name"] == name, "split"])
        return [split for split in SPLITS if split in present]

    def curve(self, name: str, split: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Steps (strictly increasing) and raw values of one metric in one split, each of shape (N,); may be empty."""
        rows = self.table[(self.table["name"] == name) & (self.table["split"] == split)]
        return rows["step"].to_numpy(np.float64), rows["value"].to_numpy(np.float64)


def tidy_log(rows: pd.DataFrame, *, source: str, unit: Unit, notes: tuple[str, ...] = ()) -> TrainingLog:
    """Put rows in order and say what was wrong with them.

    Where a step occurs twice in a curve, as after a resume, the row written last holds. Rows whose step or value is
    not a finite number are left out. Both are counted in the notes.

    Args:
        rows: columns step, split, name, value, in the order in which they were written.
        source: what to call the log in messages.
        unit: what ``step`` counts.
        notes: what the reader had to say before.

    Raises:
        InputError: no usable value is left, or all are at one step.
    """
    said = list(notes)
    rows = rows.reset_index(drop=True)
    numbers = rows[["step", "value"]].to_numpy(np.float64)
    usable = np.isfinite(numbers).all(axis=1)
    if not usable.all():
        said.append(f"{_count(int((~usable).sum()), 'value')} left out: the step or the value is not a finite number.")
    rows = rows[usable]
    if rows.empty:
        raise InputError(f"{source} holds no usable value: give a log with a step or epoch column and numeric losses.")
    steps = rows["step"].to_numpy(np.float64)
    if steps.min() == steps.max():
        raise InputError(
            f"{source} holds values at one {unit} only ({steps[0]:g}): a curve needs at least two, "
            "and a search for drops 16."
        )
    restarts = _restarts(rows)
    resumed = sorted(set(restarts))
    if restarts:
        shown = ", ".join(f"{step:,g}" for step in resumed[:5])
        said.append(
            f"The {unit}s go back {'once' if len(restarts) == 1 else f'{len(restarts):,} times'} (to {shown}"
            f"{', …' if len(resumed) > 5 else ''}): taken as a resume, rows put in order."
        )
    before = len(rows)
    rows = rows.drop_duplicates(["name", "split", "step"], keep="last")
    if len(rows) < before:
        said.append(f"{_count(before - len(rows), 'value')} left out: a later row has the same {unit}.")
    table = rows.sort_values(["name", "split", "step"], kind="stable")[["step", "split", "name", "value"]]
    table = table.astype({"step": np.float64, "value": np.float64}).reset_index(drop=True)
    events = tuple(
        Event("resume", step, f"The {unit}s of the log go back to {step:,g}.")
        for step in resumed
        if len(restarts) <= 20
    )
    return TrainingLog(source, unit, table, tuple(said), events)


def _restarts(rows: pd.DataFrame) -> list[float]:
    """Steps that a log goes back to, one for each time that it does.

    Every curve of a log sees the same restarts, each by its own next step: those of the curve that sees most are taken.
    """
    found: list[float] = []
    for _, curve in rows.groupby(["name", "split"], sort=False):
        order = curve["step"].to_numpy(np.float64)
        back = [float(step) for step in order[1:][np.diff(order) < 0]]
        found = back if len(back) > len(found) else found
    return found


def log_of_run(metrics: pd.DataFrame, stage: str) -> TrainingLog:
    """Log of one stage of a run directory.

    Args:
        metrics: the run's metrics table: stage, step, split, name, value.
        stage: ``pretrain`` or ``finetune``.

    Raises:
        InputError: nothing usable was logged in that stage.
    """
    rows = metrics[metrics["stage"] == stage]
    if rows.empty:
        raise InputError(f"This run logged nothing in its stage {stage!r}. Train it with `rice-ssl {stage}`.")
    return tidy_log(rows[["step", "split", "name", "value"]], source=f"the run's {stage} log", unit="step")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
