"""Images that are too dark, too bright, blurred or saturated, against the others of their sensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.artifacts import TABLES
from rice_ssl.audit.finding import AuditFinding
from rice_ssl.audit.images import AuditImages
from rice_ssl.audit.quality import measure
from rice_ssl.data.threads import map_images

DEVIATIONS = 5.0
"""Robust standard deviations (1.4826 times the median absolute deviation) from the sensor's median that are unusual."""
DARKEST, BRIGHTEST = 0.03, 0.97
"""Mean brightness below and above which an image is unusable whatever the others are."""
LEAST_SATURATED, MOST_SATURATED = 0.05, 0.5
"""Share of saturated values that is never unusual, and that always is."""
_LEAST_SPREAD = {"brightness": 0.01, "sharpness": 0.05, "clipped": 0.005}


def measure_images(images: AuditImages, *, progress: bool) -> pd.DataFrame:
    """The table ``quality``: one row for each image that can be read."""
    sensors = {sensor.name: sensor for sensor in images.sensors}
    rows = images.readable
    names = images.table["sensor"].tolist()
    found = map_images(
        lambda row: asdict(measure(images.cache.images[row], sensors[names[row]])),
        rows,
        description="quality",
        progress=progress,
    )
    keys = images.table.loc[rows, ["pair_id", "sensor"]].reset_index(drop=True)
    measured = pd.DataFrame(found, columns=["brightness", "sharpness", "clipped", "leaf_area"], dtype="float64")
    return pd.concat([keys, measured], axis=1)[list(TABLES["quality"].columns)]


def deviations(values: npt.NDArray[np.floating], least_spread: float) -> npt.NDArray[np.float64]:
    """Distance of each value from the median in robust standard deviations, shape (N,).

    Args:
        values: shape (N,).
        least_spread: standard deviation that is taken where the values' own is smaller, > 0.
    """
    middle = np.median(values) if len(values) else 0.0
    spread = 1.4826 * np.median(np.abs(values - middle)) if len(values) else 0.0
    found: npt.NDArray[np.float64] = (values - middle) / max(float(spread), least_spread)
    return found


def quality_findings(quality: pd.DataFrame, sensors: Sequence[str]) -> list[AuditFinding]:
    """Findings of the kinds exposure, blur and saturation; the score is the distance in robust standard deviations.

    Args:
        quality: the table ``quality``.
        sensors: names; each sensor's images are compared among themselves.
    """
    found = []
    for sensor in sensors:
        part = quality[quality["sensor"] == sensor]
        far = {name: deviations(part[name].to_numpy(), least) for name, least in _LEAST_SPREAD.items()}
        middle = part[list(_LEAST_SPREAD)].median()
        columns = [part[name].tolist() for name in ("pair_id", *_LEAST_SPREAD)]
        for place, (pair_id, bright, sharp, clipped) in enumerate(zip(*columns, strict=True)):
            score = float(far["brightness"][place])
            if abs(score) >= DEVIATIONS or not DARKEST <= bright <= BRIGHTEST:
                word = "dark" if bright < DARKEST or (score < 0 and bright <= BRIGHTEST) else "bright"
                detail = f"{pair_id} ({sensor}) is {word}: mean {bright:.2f}, the median is {middle['brightness']:.2f}."
                found.append(AuditFinding("exposure", pair_id, detail, abs(score), sensor))
            score = -float(far["sharpness"][place])
            if score >= DEVIATIONS:
                detail = (
                    f"{pair_id} ({sensor}) is blurred or has next to no contrast: sharpness {sharp:.1f}, "
                    f"the median is {middle['sharpness']:.1f} (log10)."
                )
                found.append(AuditFinding("blur", pair_id, detail, score, sensor))
            score = float(far["clipped"][place])
            if clipped >= MOST_SATURATED or (score >= DEVIATIONS and clipped >= LEAST_SATURATED):
                detail = (
                    f"{pair_id} ({sensor}) has {clipped:.0%} saturated values, the median is {middle['clipped']:.0%}."
                )
                found.append(AuditFinding("saturation", pair_id, detail, score, sensor))
    return found
