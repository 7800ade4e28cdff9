"""A training log in one shape, whatever program wrote it."""

from __future__ import annotations

from collections.abc import Sequence
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
class RawCurve:
    """One metric in one split as it was written: rows in the order of the file.

    Attributes:
        name: of the metric.
        split: train | val.
        steps: shape (N,), float64; any order, NaN where there is none.
        values: shape (N,), float64.
    """

    name: str
    split: str
    steps: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]

    def finite(self) -> RawCurve:
        """The rows whose step and value are finite numbers."""
        usable = np.isfinite(self.steps) & np.isfinite(self.values)
        return self if usable.all() else RawCurve(self.name, self.split, self.steps[usable], self.values[usable])

    def in_order(self) -> RawCurve:
        """The rows by step; where a step occurs twice, the row written last."""
        if (np.diff(self.steps) > 0).all():
            return self
        order = np.argsort(self.steps, kind="stable")
        steps = self.steps[order]
        last = np.append(np.diff(steps) > 0, True)
        return RawCurve(self.name, self.split, steps[last], self.values[order][last])


@dataclass(frozen=True)
class TrainingLog:
    """A log: raw values, one row a value, and what had to be done to read it.

    Attributes:
        source: what to call it in messages.
        unit: what the axis counts.
        table: columns step (float64, in ``unit``), split (train | val), name (metric), value (float64, finite); sorted
            by name, split and step, no step twice in a curve. Split and name are categories.
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
        names = sorted(str(name) for name in self.table["name"].unique())
        return sorted(names, key=lambda name: (name != "loss", "loss" not in name, name))

    def splits(self, name: str) -> list[str]:
        """Splits in which a metric was logged, train first."""
        present = set(self.table.loc[self.table["name"] == name, "split"].unique())
        return [split for split in SPLITS if split in present]

    def curve(self, name: str, split: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Steps (strictly increasing) and raw values of one metric in one split, each of shape (N,); may be empty."""
        rows = self.table[(self.table["name"] == name) & (self.table["split"] == split)]
        return rows["step"].to_numpy(np.float64), rows["value"].to_numpy(np.float64)


def tidy_log(rows: pd.DataFrame, *, source: str, unit: Unit, notes: tuple[str, ...] = ()) -> TrainingLog:
    """Put rows in order and say what was wrong with them; see :func:`tidy_curves`.

    Args:
        rows: columns step, split, name, value, in the order in which they were written.
        source: what to call the log in messages.
        unit: what ``step`` counts.
        notes: what the reader had to say before.

    Raises:
        InputError: no usable value is left, or all are at one step.
    """
    curves = [
        RawCurve(str(name), str(split), part["step"].to_numpy(np.float64), part["value"].to_numpy(np.float64))
        for (name, split), part in rows.groupby(["name", "split"], sort=False, observed=True)
    ]
    return tidy_curves(curves, source=source, unit=unit, notes=notes)


def tidy_curves(
    curves: Sequence[RawCurve],
    *,
    source: str,
    unit: Unit,
    notes: tuple[str, ...] = (),
    resumes: tuple[float, ...] = (),
) -> TrainingLog:
    """Put the rows of each curve in order and say what was wrong with them.

    Where a step occurs twice in a curve, as after a resume, the row written last holds. Rows whose step or value is
    not a finite number are left out. Both are counted in the notes.

    Args:
        curves: each of another metric and split.
        source: what to call the log in messages.
        unit: what the steps count.
        notes: what the reader had to say before.
        resumes: steps at which the log itself says that it was resumed.

    Raises:
        InputError: no usable value is left, or all are at one step.
    """
    said = list(notes)
    finite = [curve.finite() for curve in curves]
    lost = sum(len(curve.steps) for curve in curves) - sum(len(curve.steps) for curve in finite)
    if lost:
        said.append(f"{_count(lost, 'value')} left out: the step or the value is not a finite number.")
    finite = [curve for curve in finite if len(curve.steps)]
    if not finite:
        raise InputError(f"{source} holds no usable value: give a log with a step or epoch column and numeric losses.")
    first = min(float(curve.steps.min()) for curve in finite)
    if first == max(float(curve.steps.max()) for curve in finite):
        raise InputError(
            f"{source} holds values at one {unit} only ({first:g}): a curve needs at least two, "
            "and a search for drops 16."
        )
    restarts = _restarts(finite)
    if restarts:
        places = sorted(set(restarts))
        shown = ", ".join(f"{step:,g}" for step in places[:5])
        said.append(
            f"The {unit}s go back {'once' if len(restarts) == 1 else f'{len(restarts):,} times'} (to {shown}"
            f"{', …' if len(places) > 5 else ''}): taken as a resume, rows put in order."
        )
    ordered = sorted((curve.in_order() for curve in finite), key=lambda curve: (curve.name, curve.split))
    repeated = sum(len(curve.steps) for curve in finite) - sum(len(curve.steps) for curve in ordered)
    if repeated:
        said.append(f"{_count(repeated, 'value')} left out: a later row has the same {unit}.")
    known = set(restarts) if len(restarts) <= 20 else set()
    events = [Event("resume", step, f"The {unit}s of the log go back to {step:,g}.") for step in sorted(known)]
    events += [
        Event("resume", step, f"The log was resumed at {unit} {step:,g}.") for step in sorted(set(resumes) - known)
    ]
    events.sort(key=lambda event: event.step)
    return TrainingLog(source, unit, _table(ordered), tuple(said), tuple(events))


def _table(curves: Sequence[RawCurve]) -> pd.DataFrame:
    """One row a value; split and name as categories, as a log may hold millions of rows."""
    return pd.DataFrame(
        {
            "step": np.concatenate([curve.steps for curve in curves]),
            "split": _labels([curve.split for curve in curves], curves),
            "name": _labels([curve.name for curve in curves], curves),
            "value": np.concatenate([curve.values for curve in curves]),
        },
        copy=False,
    )


def _labels(labels: list[str], curves: Sequence[RawCurve]) -> pd.Categorical[str]:
    """The label of a curve at each of its rows."""
    known = sorted(set(labels))
    codes = np.repeat([known.index(label) for label in labels], [len(curve.steps) for curve in curves])
    return pd.Categorical.from_codes(codes, categories=pd.Index(known))


def _restarts(curves: Sequence[RawCurve]) -> list[float]:
    """Steps that a log goes back to, one for each time that it does.

    Every curve of a log sees the same restarts, each by its own next step: those of the curve that sees most are taken.
    """
    found: list[float] = []
    for curve in curves:
        back: list[float] = curve.steps[1:][np.diff(curve.steps) < 0].tolist()
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
