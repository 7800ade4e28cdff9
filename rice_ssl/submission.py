"""The challenge's submission table: whose probabilities, how far from 0, and whether it is what is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.errors import InputError
from rice_ssl.sensors import BOTH

ID = "Image_id"
"""Name of the column of ids."""
MARGIN = 1e-3
"""Least probability written. A certain and wrong answer costs 6.9 nats, not 34.5; a right one loses 0.002 nats.

To tell an error rate below 1 in 1,000 from it, some 3,000 labelled pairs would have to be judged without an error (the
rule of three), so smaller probabilities are beyond what data sets of this kind can show."""
_SUM_TOLERANCE = 1e-4
"""Of a row's sum: single precision and nine decimals stay well within it."""


def clip_probabilities(probabilities: npt.NDArray[np.floating], margin: float = MARGIN) -> npt.NDArray[np.float64]:
    """Keep probabilities, shape (N, C), away from 0 as log loss wants, and rows at a sum of 1.

    Args:
        probabilities: rows that sum to 1.
        margin: least probability, in [0, 1 / C).
    """
    values = np.asarray(probabilities, dtype=np.float64)
    classes = values.shape[1]
    clipped: npt.NDArray[np.float64] = values * (1 - classes * margin) + margin
    return clipped


def judges_for(learnt_from: str, sensors: Sequence[str]) -> tuple[str, ...]:
    """Whose word counts for a pair, the first one that there is.

    Args:
        learnt_from: the sensor that the classifier was trained on, or another word (``shared``, ``fused``) for all.
        sensors: names of the run's.

    Returns:
        The one sensor; else ``both``, then each sensor, for pairs with one image.
    """
    return (learnt_from,) if learnt_from in sensors else (BOTH, *sensors)


def judged_probabilities(table: pd.DataFrame, judges: Sequence[str]) -> pd.DataFrame:
    """Of each pair, the row of the first of its judges.

    Args:
        table: columns pair_id, sensor, probabilities.
        judges: from :func:`judges_for`.

    Returns:
        Index pair_id, columns ``judge`` and ``probabilities``; pairs without any of the judges are not there.
    """
    rank = {judge: place for place, judge in enumerate(judges)}
    known = table[table["sensor"].isin(judges)]
    first = known.assign(rank=known["sensor"].map(rank)).sort_values("rank", kind="stable").drop_duplicates("pair_id")
    return first.set_index("pair_id")[["sensor", "probabilities"]].rename(columns={"sensor": "judge"}).sort_index()


def fault_of_probabilities(values: npt.NDArray[np.floating], classes: int) -> str | None:
    """What is wrong with one row of probabilities, as the end of a sentence about it; None where nothing is."""
    row = np.asarray(values, dtype=np.float64)
    if row.shape != (classes,):
        return f"holds {row.size} probabilities for {classes} classes"
    if not np.isfinite(row).all():
        return "holds a probability that is no number"
    if row.min() < 0 or row.max() > 1:
        outside = row[(row < 0) | (row > 1)][0]
        return f"holds a probability of {outside:g}, outside 0 to 1"
    if abs(row.sum() - 1) > _SUM_TOLERANCE:
        return f"has probabilities that sum to {row.sum():.6g}, not 1"
    return None


def check_submission(table: pd.DataFrame, ids: Sequence[str], columns: Sequence[str], asked_by: str) -> None:
    """Refuse a table that is not what is asked for.

    Args:
        table: ``Image_id``, then the classes.
        ids: that are asked for, in order.
        columns: the classes that are asked for, in order.
        asked_by: who asks, in messages.

    Raises:
        InputError: other columns; an id that is missing, there twice, not asked for, or in another place; a value that
            is no probability, or a row that does not sum to 1. The message names the first one.
    """
    if list(table.columns) != [ID, *columns]:
        raise InputError(
            f"The submission has the columns {', '.join(map(str, table.columns))}, but {asked_by} asks for "
            f"{', '.join([ID, *columns])}: write these."
        )
    own = table[ID].astype(str)
    twice = own[own.duplicated()]
    if len(twice):
        raise InputError(f"The submission has {len(twice)} ids more than once (the first: {twice.iloc[0]}): keep one.")
    there, asked = set(own), set(ids)
    missing = [one for one in ids if one not in there]
    if missing:
        raise InputError(
            f"The submission lacks {len(missing)} ids that {asked_by} asks for (the first: {missing[0]}): add them."
        )
    extra = [one for one in own if one not in asked]
    if extra:
        raise InputError(
            f"The submission has {len(extra)} ids that {asked_by} does not ask for (the first: {extra[0]}): "
            "leave them out."
        )
    if own.tolist() != list(ids):
        place = next(number for number, (a, b) in enumerate(zip(own, ids, strict=True)) if a != b)
        raise InputError(
            f"Row {place + 1} of the submission is {own.iloc[place]}, but {asked_by} has {ids[place]} there: "
            "keep its order."
        )
    for name, row in zip(own, table[list(columns)].to_numpy(dtype=np.float64), strict=True):
        fault = fault_of_probabilities(row, len(columns))
        if fault is not None:
            raise InputError(f"The submission's row {name} {fault}: correct it.")
