"""What was said of each pair, in one table: a row for each pair, columns for each judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rice_ssl.evaluation.agreement import jensen_shannon, who_is_right


def pairs_table(frame: pd.DataFrame, judged: pd.DataFrame | None, sensors: Sequence[str]) -> pd.DataFrame:
    """Join pairs with what was said of them.

    Args:
        frame: indexed by pair_id, with ``label`` and ``split``.
        judged: columns ``pair_id``, ``sensor`` (judge), ``probabilities``, ``prediction``; None where there are none.
        sensors: names, in order; divergence is that of the first two that judged.

    Returns:
        The frame with, for each judge S, ``S_prediction``, ``S_confidence`` and ``S_correct`` (null where unlabelled);
        where two sensors judged ``divergence`` (Jensen-Shannon, bits), ``agree`` and ``who_is_right``.
    """
    frame = frame.copy()
    if judged is None:
        return frame
    probabilities: dict[str, pd.Series] = {}
    for judge, part in judged.groupby("sensor"):
        own = part.set_index("pair_id")
        probabilities[str(judge)] = own["probabilities"]
        frame[f"{judge}_prediction"] = own["prediction"]
        frame[f"{judge}_confidence"] = own["probabilities"].map(max)
        right = (frame[f"{judge}_prediction"] == frame["label"]).astype("boolean")
        frame[f"{judge}_correct"] = right.where(frame["label"].notna() & frame[f"{judge}_prediction"].notna())
    names = [name for name in sensors if name in probabilities][:2]
    if len(names) < 2:
        return frame
    first, second = (probabilities[name] for name in names)
    shared = frame.index[frame.index.isin(first.index) & frame.index.isin(second.index)]
    if not len(shared):
        return frame
    tables = [np.stack(side.loc[shared].to_list()) for side in (first, second)]
    frame.loc[shared, "divergence"] = jensen_shannon(*tables)
    same = frame.loc[shared, f"{names[0]}_prediction"] == frame.loc[shared, f"{names[1]}_prediction"]
    frame.loc[shared, "agree"] = same.astype("boolean")
    known = shared[frame.loc[shared, "label"].notna()]
    right = [frame.loc[known, f"{name}_correct"].to_numpy(dtype=bool) for name in names]
    frame.loc[known, "who_is_right"] = who_is_right(right[0], right[1], (names[0], names[1]))
    return frame
