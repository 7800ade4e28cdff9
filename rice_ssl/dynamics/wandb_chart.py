"""A chart as Weights & Biases exports it: a column for each run and metric, with its least and greatest beside it."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

_BOUNDS = ("__MIN", "__MAX")
_BETWEEN = " - "


def one_run_of_chart(frame: pd.DataFrame, named: Collection[str] = ()) -> tuple[pd.DataFrame, list[str]]:
    """The columns of one run of a chart's export, named by their metric alone; any other table as it is.

    The first run is kept, or that of a column that the user names. Columns that the user names keep their names.

    Args:
        frame: with columns such as ``Step``, ``bold-sun-1 - train/loss``, ``bold-sun-1 - train/loss__MIN``.
        named: names of columns that the user gives.

    Returns:
        The table, and notes on what of it was left out.
    """
    columns = [str(column) for column in frame.columns]
    if not _is_chart(columns):
        return frame, []
    bounds = {column for column in columns if column.endswith(_BOUNDS) and column[:-5] in columns}
    runs = list(dict.fromkeys(_run_of(c) for c in columns if c not in bounds and _BETWEEN in c))
    wanted = next((_run_of(column) for column in columns if column in named and _BETWEEN in column), runs[0])
    kept = [
        column
        for column in columns
        if column in named or (column not in bounds and (_BETWEEN not in column or _run_of(column) == wanted))
    ]
    shorter: dict[str, str] = {}
    for column in kept:
        metric = column.rpartition(_BETWEEN)[2]
        if column not in named and metric not in kept and metric not in shorter.values():
            shorter[column] = metric
    notes = []
    if len(runs) > 1:
        others = [run for run in runs if run != wanted]
        shown = ", ".join(repr(run[:40]) for run in others[:5]) + (", …" if len(others) > 5 else "")
        example = next(column for column in columns if _BETWEEN in column and _run_of(column) == others[0])
        notes.append(
            f"The chart holds {len(runs)} runs: {wanted[:40]!r} was read, and not {shown}. "
            f"Name a column of another, such as {example[:80]!r}, to read that."
        )
    return frame[kept].rename(columns=shorter), notes


def _is_chart(columns: list[str]) -> bool:
    """Whether each column but the first is of a run, or has its bounds beside it."""
    present = set(columns)
    bounded = any(all(column + bound in present for bound in _BOUNDS) for column in columns if _BETWEEN in column)
    return bounded or (len(columns) > 1 and all(_BETWEEN in column for column in columns[1:]))


def _run_of(column: str) -> str:
    return column.rpartition(_BETWEEN)[0]
