"""Whether to believe a leaf's map, in a badge: what ``rice-ssl attribution`` measured of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from dashboard.components.figure_words import decimal
from dashboard.components.pair_viewer import Badge
from rice_ssl.evidence.words import BETTER, LIKE_CENTRE, LIKE_RANDOM, detail, verdict

_BADGES = {BETTER: ("good", f"✓ {BETTER}"), LIKE_RANDOM: ("grey", LIKE_RANDOM), LIKE_CENTRE: ("orange", LIKE_CENTRE)}
"""What is said of a map -> tone and text of its badge."""
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
    tone, text = _BADGES[verdict(row)]
    return Badge(tone, text, detail(row)), str(row["class_name"])


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
