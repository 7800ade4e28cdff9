"""Whether to believe a leaf's map, in a badge: what ``rice-ssl attribution`` measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard.components.figure_words import decimal
from dashboard.components.pair_viewer import Badge

MOST_P = 0.05 + 1e-6
"""p from which a map is no better than random ones; the margin is for float32."""
OTHER_CLASS = Badge(
    "outline",
    "measured for the predicted class only",
    "Whether a map can be trusted was measured for the class predicted from its image; this one explains another.",
)
OF_NO_CLASS = Badge(
    "outline",
    "trust not measured",
    "Deletion and insertion ask for the probability of a class, and this map explains none.",
)


def measured_badge(rows: pd.DataFrame, sensor: str, kind: Mapping[str, Any]) -> tuple[Badge, str] | None:
    """Badge of one map, and the class that it explains; None where it was not measured.

    Args:
        rows: the pair's part of the table ``trust``.
        sensor: whose map.
        kind: one of ``maps`` of attribution.json.
    """
    own = rows[(rows["sensor"] == sensor) & (rows["method"] == kind["method"]) & (rows["layer"] == kind["layer"])]
    if own.empty or pd.isna(own["p_random"].iloc[0]):
        return None
    row = own.iloc[0]
    if row["p_random"] > MOST_P:
        badge = Badge("grey", "no better than random", _detail(row))
    elif row["score"] > row["gaussian_score"]:
        badge = Badge("good", "✓ better than random maps", _detail(row))
    else:
        badge = Badge("orange", "no better than looking at the centre", _detail(row))
    return badge, str(row["class_name"])


def _detail(row: pd.Series) -> str:
    road = ""
    if not pd.isna(row["road"]):
        road = f" ROAD (remove and debias): {row['road']:+.2f}."
    return (
        f"Blurring the strongest places first leaves a mean probability of {row['deletion']:.2f} of "
        f"{row['class_name']}, showing them first {row['insertion']:.2f}: a score of {row['score']:+.2f}. Random maps "
        f"score {row['random_score']:+.2f} (p = {row['p_random']:.2f} that one does as well), a blot in the centre "
        f"{row['gaussian_score']:+.2f}.{road}"
    )


def unmeasured_badge(figures: Sequence[Mapping[str, Any]], sensor: str, kind: Mapping[str, Any]) -> Badge:
    """Badge of a map that was not measured, with what the run's measured ones do.

    Args:
        figures: ``trust`` of attribution.json.
        sensor: whose map.
        kind: one of ``maps`` of attribution.json.
    """
    text = "not measured for this leaf"
    for one in figures:
        own = (one["sensor"], one["method"], one["layer"]) == (sensor, kind["method"], kind["layer"])
        above = one["above_random"]
        if own and one["class"] is None and above:
            said = "better than" if above["low"] > 0 else "not shown to be better than"
            return Badge(
                "outline",
                text,
                f"On {one['pairs']:,} measured leaves this method's maps are {said} random ones: their score "
                f"(insertion less deletion) is higher by {decimal(above)}.",
            )
    return Badge("outline", text)
