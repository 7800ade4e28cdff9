"""Whether maps can be believed, as ``attribution.json`` holds it: figures over pairs, with intervals.

In every table a pair has one row of a sensor, method and layer, so that what is drawn again is pairs. A figure is
``value``, ``low``, ``high``, or None of fewer than 2 pairs: bias-corrected and accelerated bootstrap intervals of means
(:func:`rice_ssl.evaluation.resampling.interval_of`), Wilson's of shares, Bonett and Price's of differences of shares.
Values that are missing (NaN) are left out of a figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.evaluation.paired_tests import paired_difference
from rice_ssl.evaluation.resampling import Bootstrap

RANDOM, GAUSSIAN = "random", "gaussian"
"""Methods whose maps know nothing of the picture."""
MOST_P = 0.05 + 1e-6
"""``p_random`` from which a map is no better than random ones: of 19, it must beat all. The margin is for float32."""
Values = npt.NDArray[np.float64]
Figure = dict[str, float] | None


def trust_summary(table: pd.DataFrame, made: Bootstrap) -> list[dict[str, Any]]:
    """Faithfulness of each method, layer, sensor and split, of all classes and of each.

    Args:
        table: columns ``pair_id``, ``sensor``, ``method``, ``layer``, ``class_name`` (the class that is explained),
            ``split``, ``deletion``, ``insertion``, ``score``, ``random_score``, ``gaussian_score``, ``p_random``,
            ``road``; NaN where not measured.
        made: how intervals are made.

    Returns:
        In the table's order; for each first that of all classes (``class`` is None), then that of each class, by name:
        ``method``, ``layer``, ``sensor``, ``split``, ``class``, ``pairs``; ``deletion``, ``insertion``, ``score``,
        ``road``; ``above_random``, ``above_gaussian`` and ``road_above_random``, paired differences to the random maps
        and the Gaussian of the same picture, None of these themselves; ``better_share``, share of maps that are better
        than random.
    """
    random = table[table["method"] == RANDOM].drop_duplicates(["pair_id", "sensor"])
    joined = table.merge(
        random[["pair_id", "sensor", "road"]], on=["pair_id", "sensor"], how="left", suffixes=("", "_of_random")
    )
    found = []
    for (method, layer, sensor, split), part in joined.groupby(
        ["method", "layer", "sensor", "split"], sort=False, dropna=False
    ):
        names = {"method": method, "layer": layer, "sensor": sensor, "split": split}
        parts = [(None, part), *part.groupby("class_name", sort=True)]
        found += [names | {"class": name, **_trust(str(method), some, made)} for name, some in parts]
    return found


def _trust(method: str, part: pd.DataFrame, made: Bootstrap) -> dict[str, Any]:
    p = _numbers(part, "p_random")
    p = p[np.isfinite(p)]
    return {
        "pairs": len(part),
        **{name: _mean(_numbers(part, name), made) for name in ("deletion", "insertion", "score", "road")},
        "above_random": None if method == RANDOM else _above(part, "score", "random_score", made),
        "above_gaussian": None if method == GAUSSIAN else _above(part, "score", "gaussian_score", made),
        "road_above_random": None if method == RANDOM else _above(part, "road", "road_of_random", made),
        "better_share": made.share(p <= MOST_P) if len(p) > 1 else None,
    }


def localisation_summary(table: pd.DataFrame, made: Bootstrap) -> list[dict[str, Any]]:
    """How well maps of each method, layer and sensor find the lesions, where the sensor shows them and where not.

    Args:
        table: columns ``pair_id``, ``sensor``, ``method``, ``layer``, ``visible``, ``pointing``, ``mass``, ``rank``.
        made: how intervals are made.

    Returns:
        In the table's order ``method``, ``layer``, ``sensor``, ``visible``, ``pairs``; ``pointing``, ``mass`` and
        ``rank``; and each of them ``_above_gaussian``, the paired difference to the centred Gaussian of the same
        picture, None of this itself.
    """
    measures = ["pointing", "mass", "rank"]
    gaussian = table[table["method"] == GAUSSIAN].drop_duplicates(["pair_id", "sensor"])
    joined = table.merge(
        gaussian[["pair_id", "sensor", *measures]], on=["pair_id", "sensor"], how="left", suffixes=("", "_of_gaussian")
    )
    found = []
    for (method, layer, sensor, visible), part in joined.groupby(["method", "layer", "sensor", "visible"], sort=False):
        figures: dict[str, Figure] = {
            "pointing": _pointing(_numbers(part, "pointing"), made),
            "mass": _mean(_numbers(part, "mass"), made),
            "rank": _mean(_numbers(part, "rank"), made),
            "pointing_above_gaussian": _pointing_above(part, "pointing_of_gaussian", made),
            "mass_above_gaussian": _above(part, "mass", "mass_of_gaussian", made),
            "rank_above_gaussian": _above(part, "rank", "rank_of_gaussian", made),
        }
        if method == GAUSSIAN:
            figures |= dict.fromkeys((f"{name}_above_gaussian" for name in measures), None)
        names = {"method": method, "layer": layer, "sensor": sensor, "visible": bool(visible)}
        found.append(names | {"pairs": len(part), **figures})
    return found


def agreement_summary(table: pd.DataFrame, made: Bootstrap) -> list[dict[str, Any]]:
    """How far the two sensors' maps agree, and how much further than maps of different pairs do.

    Args:
        table: columns ``method``, ``layer``, ``registered``, and of
            :func:`rice_ssl.evaluation.map_agreement.map_agreement` ``overlap``, ``rank_correlation``,
            ``centre_distance`` and each ``null_``.
        made: how intervals are made.

    Returns:
        In the table's order ``method``, ``layer``, ``registered``, ``pairs`` (of which maps can be compared);
        ``overlap``, ``rank_correlation``, ``centre_distance``; ``overlap_above_null``, ``rank_correlation_above_null``
        and ``centre_distance_below_null``, paired differences that are above 0 where a pair's maps agree better.
    """
    found = []
    for (method, layer, registered), part in table.groupby(["method", "layer", "registered"], sort=False):
        figures = {
            name: _mean(_numbers(part, name), made) for name in ("overlap", "rank_correlation", "centre_distance")
        }
        above = {
            "overlap_above_null": _above(part, "overlap", "null_overlap", made),
            "rank_correlation_above_null": _above(part, "rank_correlation", "null_rank_correlation", made),
            "centre_distance_below_null": _above(part, "null_centre_distance", "centre_distance", made),
        }
        names = {"method": method, "layer": layer, "registered": bool(registered)}
        found.append(names | {"pairs": int(np.isfinite(_numbers(part, "overlap")).sum()), **figures, **above})
    return found


def band_summary(table: pd.DataFrame, made: Bootstrap) -> list[dict[str, Any]]:
    """Mean share of the evidence that each band of each sensor holds.

    Args:
        table: columns ``sensor``, ``band``, ``share``; one row a pair and band.
        made: how intervals are made.

    Returns:
        In the table's order ``sensor``, ``band``, ``pairs``, ``share``.
    """
    return [
        {"sensor": sensor, "band": band, "pairs": len(part), "share": _mean(_numbers(part, "share"), made)}
        for (sensor, band), part in table.groupby(["sensor", "band"], sort=False)
    ]


def randomisation_summary(table: pd.DataFrame, made: Bootstrap) -> list[dict[str, Any]]:
    """How much of each method's maps is left as the network forgets its stages.

    Args:
        table: columns ``pair_id``, ``sensor``, ``method``, ``layer``, ``stage``, ``rank_correlation``; stages in the
            order in which they were forgotten.
        made: how intervals are made.

    Returns:
        In the table's order ``method``, ``layer``, ``sensor``, ``pairs`` and ``stages``: for each its ``name`` and
        ``rank_correlation``.
    """
    found = []
    for (method, layer, sensor), part in table.groupby(["method", "layer", "sensor"], sort=False):
        stages = [
            {"name": stage, "rank_correlation": _mean(_numbers(some, "rank_correlation"), made)}
            for stage, some in part.groupby("stage", sort=False)
        ]
        names: Mapping[str, Any] = {"method": method, "layer": layer, "sensor": sensor}
        found.append({**names, "pairs": int(part["pair_id"].nunique()), "stages": stages})
    return found


def _numbers(part: pd.DataFrame, name: str) -> Values:
    return part[name].to_numpy(dtype=np.float64, na_value=np.nan)


def _mean(values: Values, made: Bootstrap) -> Figure:
    return made.mean(values[np.isfinite(values)])


def _pointing(values: Values, made: Bootstrap) -> Figure:
    """The share of pairs whose map points at the lesions; the mean where ties make it a matter of degree."""
    known = values[np.isfinite(values)]
    if len(known) < 2 or not np.isin(known, (0, 1)).all():
        return made.mean(known)
    return made.share(known > 0)


def _above(part: pd.DataFrame, name: str, other: str, made: Bootstrap) -> Figure:
    """Mean of one column minus another, paired."""
    return _mean(_numbers(part, name) - _numbers(part, other), made)


def _pointing_above(part: pd.DataFrame, other: str, made: Bootstrap) -> Figure:
    """Difference of two columns of pointing games, paired."""
    a, b = _numbers(part, "pointing"), _numbers(part, other)
    known = np.isfinite(a) & np.isfinite(b)
    count = int(known.sum())
    if count < 2:
        return None
    return paired_difference(a[known], b[known], made.pairs(count), made.confidence).as_dict()
