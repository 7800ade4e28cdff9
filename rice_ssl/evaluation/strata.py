"""Agreement of two sensors and accuracy of judges in thirds of brightness, sharpness and leaf area."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.evaluation.judged import Judged
from rice_ssl.evaluation.resampling import Bootstrap

MEASURES = ("brightness", "sharpness", "leaf_area")
FEWEST = 30
"""Pairs with a measure below which it has no strata: thirds of fewer tell nothing."""


def strata(
    judged: Mapping[str, Judged],
    sensors: Sequence[str],
    pairs: pd.Index,
    quality: pd.DataFrame,
    bootstrap: Bootstrap,
) -> list[dict[str, Any]]:
    """Cut pairs into thirds of each measure of the images of each sensor.

    Args:
        judged: each judge's judgements; those without labelled pairs in a third have no accuracy there.
        sensors: the two that are compared.
        pairs: ids of the pairs that both judge.
        quality: columns ``pair_id``, ``sensor`` and ``MEASURES``; pairs that it lacks are left out of a measure.
        bootstrap: of the intervals.

    Returns:
        For each measure and sensor with 30 pairs or more that are not all alike: ``measure``, ``sensor``, ``bins``
        (``low``, ``high``: edges in the measure's unit; ``pairs``, ``rate``, ``divergence``, ``accuracy`` of each
        judge). A third that ties leave without a pair is left out.
    """
    first, second = (judged[name].of(pairs) for name in sensors)
    agree = np.asarray(first.predicted == second.predicted)
    divergence = jensen_shannon(first.probabilities, second.probabilities)
    found = []
    for measure in MEASURES:
        for sensor in sensors:
            one = quality[quality["sensor"] == sensor].drop_duplicates("pair_id").set_index("pair_id")[measure]
            values = one.reindex(pairs).to_numpy(dtype=np.float64)
            bins = [
                {
                    "low": low,
                    "high": high,
                    "pairs": int(inside.sum()),
                    "rate": bootstrap.share(agree[inside]),
                    "divergence": bootstrap.mean(divergence[inside]),
                    "accuracy": _accuracy(judged, pairs[inside], bootstrap),
                }
                for low, high, inside in thirds(values)
            ]
            if bins:
                found.append({"measure": measure, "sensor": sensor, "bins": bins})
    return found


def thirds(values: npt.NDArray[np.float64]) -> list[tuple[float, float, npt.NDArray[np.bool_]]]:
    """Edges and members, shape (N,), of the thirds of values, shape (N,); none of fewer than 30 finite ones."""
    known = np.isfinite(values)
    if known.sum() < FEWEST or np.ptp(values[known]) == 0:
        return []
    edges = np.quantile(values[known], [0, 1 / 3, 2 / 3, 1])
    number = np.searchsorted(edges[1:3], values, side="left")
    members = [known & (number == third) for third in range(3)]
    return [(float(edges[k]), float(edges[k + 1]), inside) for k, inside in enumerate(members) if inside.any()]


def _accuracy(judged: Mapping[str, Judged], pairs: pd.Index, bootstrap: Bootstrap) -> dict[str, Any]:
    found = {}
    for name, one in judged.items():
        share = bootstrap.share(one.of(pairs.intersection(one.pairs, sort=False)).labelled().right)
        if share is not None:
            found[name] = share
    return found
