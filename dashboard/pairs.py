"""What was said of each pair, in one table: a row for each pair, columns for each judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from dashboard.point_values import text_array
from rice_ssl.evaluation.agreement import jensen_shannon, who_is_right

Rows = npt.NDArray[np.int64]


def first_of_pair(frame: pd.DataFrame) -> pd.DataFrame:
    """First value that is known of each pair in every column, indexed by pair_id, in alphabetical order."""
    coded = text_array(frame["pair_id"]).dictionary_encode()
    numbers = coded.indices.to_numpy()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    index = pd.Index(frame["pair_id"].iloc[_first_rows(numbers, np.arange(len(frame)), len(order))[order]])
    columns = {}
    for name in frame.columns.drop("pair_id"):
        rows = _first_rows(numbers, np.flatnonzero(frame[name].notna().to_numpy()), len(order))[order]
        columns[name] = _taken(frame[name], rows, index)
    return pd.DataFrame(columns, index=index)


def _first_rows(numbers: Rows, rows: Rows, count: int) -> Rows:
    """First of ``rows`` that bears each number, -1 where none does."""
    first = np.full(count, -1, dtype=np.int64)
    first[numbers[rows[::-1]]] = rows[::-1]
    return first


def pairs_table(
    frame: pd.DataFrame,
    judged: pd.DataFrame,
    probabilities: npt.NDArray[np.float32] | None,
    sensors: Sequence[str],
) -> pd.DataFrame:
    """Join pairs with what was said of them.

    Args:
        frame: indexed by pair_id, with ``label`` and ``split``.
        judged: columns ``pair_id``, ``sensor`` (judge), ``prediction``.
        probabilities: of the rows of ``judged``, shape (rows, C), in [0, 1]; None where it has no rows.
        sensors: names, in order; divergence is that of the first two that judged.

    Returns:
        The frame with, for each judge S, ``S_prediction``, ``S_confidence`` and ``S_correct`` (null where unlabelled);
        where two sensors judged ``divergence`` (Jensen-Shannon, bits), ``agree`` and ``who_is_right``.
    """
    frame = frame.copy()
    if probabilities is None:
        return frame
    rows: dict[str, Rows] = {}  # of each judge: row that is about each pair, -1 for none
    pairs, judged_pairs = text_array(frame.index), text_array(judged["pair_id"])
    judges = text_array(judged["sensor"]).dictionary_encode()
    codes = {name: code for code, name in enumerate(judges.dictionary.to_pylist())}
    confidence = probabilities.max(axis=1)
    for judge in sorted(codes):
        own = np.flatnonzero(judges.indices.to_numpy() == codes[judge])
        place = pc.fill_null(pc.index_in(pairs, value_set=judged_pairs.take(pa.array(own))), -1).to_numpy()
        row = rows[judge] = np.where(place >= 0, own[place], -1)
        frame[f"{judge}_prediction"] = _taken(judged["prediction"], row, frame.index)
        frame[f"{judge}_confidence"] = np.where(row >= 0, confidence[row], np.nan)
        right = (frame[f"{judge}_prediction"] == frame["label"]).astype("boolean")
        frame[f"{judge}_correct"] = right.where(frame["label"].notna() & frame[f"{judge}_prediction"].notna())
    names = [name for name in sensors if name in rows][:2]
    if len(names) < 2:
        return frame
    first, second = (rows[name] for name in names)
    both = (first >= 0) & (second >= 0)
    if not both.any():
        return frame
    divergence = np.full(len(frame), np.nan)
    divergence[both] = jensen_shannon(probabilities[first[both]], probabilities[second[both]])
    frame["divergence"] = divergence
    same = (frame[f"{names[0]}_prediction"] == frame[f"{names[1]}_prediction"]).astype("boolean")
    frame["agree"] = same.where(both)
    known = both & frame["label"].notna().to_numpy()
    right = [frame[f"{name}_correct"].to_numpy(dtype=bool, na_value=False)[known] for name in names]
    verdicts = np.full(len(frame), None, dtype=object)
    verdicts[known] = who_is_right(right[0], right[1], (names[0], names[1]))
    frame["who_is_right"] = pd.Series(verdicts, index=frame.index, dtype="str")
    return frame


def _taken(values: pd.Series, rows: Rows, index: pd.Index) -> pd.Series:
    """Values at rows, null at row -1."""
    taken: pd.Series = values.iloc[np.maximum(rows, 0)].set_axis(index)
    return taken if (rows >= 0).all() else taken.where(rows >= 0)
