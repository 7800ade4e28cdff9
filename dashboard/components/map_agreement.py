"""Whether a pair's two maps agree, and which bands they rest on, each in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from dashboard.components.words import plain
from rice_ssl.evaluation.attribution_summary import MOST_P

NEAR_INFRARED = "near infrared"


def agreement_sentence(rows: pd.DataFrame, kind: Mapping[str, Any]) -> tuple[str, str] | None:
    """Whether the maps agree more than those of different pairs do, and the figures; None where not measured.

    Args:
        rows: the pair's part of the table ``map_agreement``.
        kind: one of ``maps`` of attribution.json.
    """
    own = rows[(rows["method"] == kind["method"]) & (rows["layer"] == kind["layer"])]
    if own.empty:
        return None
    row = own.iloc[0]
    if pd.isna(row["overlap"]) or pd.isna(row["null_overlap"]):
        return (
            f"Whether the two maps for **{plain(row['class_name'])}** agree cannot be said: one of them is empty.",
            _meaning(row),
        )
    likely = "" if pd.isna(row["p_overlap"]) else f", p = {row['p_overlap']:.2f}"
    if row["overlap"] <= row["null_overlap"]:
        than = "no more than"
    elif likely and row["p_overlap"] > MOST_P:
        than = "not shown to be more than"
    else:
        than = "more than"
    where = (
        "The pictures were laid on each other first."
        if row["registered"]
        else "The two pictures are not registered, so this compares where in the frame the maps point."
    )
    said = (
        f"The two maps for **{plain(row['class_name'])}** overlap by {row['overlap']:.2f}, {than} maps of different "
        f"leaves do ({row['null_overlap']:.2f}{likely}). {where}"
    )
    return said, _meaning(row)


def _meaning(row: pd.Series) -> str:
    figures = [
        ("Rank correlation of their cells", "rank_correlation", "null_rank_correlation", "+.2f"),
        ("Distance of their centres, as a share of the diagonal", "centre_distance", "null_centre_distance", ".2f"),
    ]
    told = [
        f"{title}: {row[name]:{form}} (different leaves: {row[null]:{form}})."
        for title, name, null, form in figures
        if not pd.isna(row[name]) and not pd.isna(row[null])
    ]
    overlap = "Overlap: sum of the lesser over sum of the greater of the two maps' shares, 0 to 1."
    return " ".join([overlap, *told, "Of the class predicted for the pair."])


def band_sentence(rows: pd.DataFrame, titles: Mapping[str, str]) -> tuple[str, str] | None:
    """How much of each image's evidence is near infrared, and all bands. None where there is none.

    Args:
        rows: the pair's part of the table ``band_evidence``.
        titles: how sensors are written.
    """
    parts, rows = [], rows.dropna(subset="share")
    for sensor, own in rows.groupby("sensor", sort=False):
        shares = ", ".join(
            f"{plain(band)} {100 * share:.0f}%" for band, share in zip(own["band"], own["share"], strict=True)
        )
        parts.append(f"{plain(titles.get(str(sensor), sensor))}: {shares}")
    if not parts:
        return None
    infrared = rows[rows["band"] == NEAR_INFRARED]
    lead = "".join(
        f"**{100 * share:.0f}%** of the evidence in the {plain(titles.get(str(sensor), sensor))} image is near "
        "infrared. "
        for sensor, share in zip(infrared["sensor"], infrared["share"], strict=True)
    )
    return (
        f"{lead}By band, {'; '.join(parts)}.",
        "Share of the absolute Integrated Gradients of the predicted class in each band of the sensor's image; where "
        "bands carry alike structure, the network may use one for the other.",
    )
