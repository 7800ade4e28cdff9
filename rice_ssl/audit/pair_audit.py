"""Pairs of images: how the second is shifted against the first, and whether both show the same plant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.artifacts import TABLES
from rice_ssl.audit.finding import AuditFinding
from rice_ssl.audit.images import AuditImages
from rice_ssl.audit.matching import FITS, Matcher, structure
from rice_ssl.audit.quality_audit import deviations
from rice_ssl.audit.registration import (
    MIN_LEAD,
    MIN_OVERLAP,
    MIN_PEAK,
    Registration,
    detail_planes,
    register,
    shared_bands,
)
from rice_ssl.audit.wrong_pairs import find_partners, judge_pairs, mutual_partners, rank_shares
from rice_ssl.data.threads import map_images

Vectors = npt.NDArray[np.float32]
UNUSUAL_SHIFT = 5.0
"""Robust standard deviations from the median shift that are unusual."""
_LEAST_SHIFT_SPREAD = 0.02  # of the image's side
_MOST_SUSPECTS = 80  # among which partners are sought


@dataclass(frozen=True)
class PairAudit:
    """What was found of pairs.

    Attributes:
        findings: of the kinds registration and wrong_pair.
        registration: the table ``registration``.
        registration_summary: what ``audit.json`` tells of it.
        wrong_summary: what it tells of wrong pairs.
    """

    findings: list[AuditFinding]
    registration: pd.DataFrame
    registration_summary: dict[str, Any]
    wrong_summary: dict[str, Any]


def audit_pairs(
    images: AuditImages, embeddings: Mapping[tuple[str, str], Vectors] | None, *, progress: bool
) -> PairAudit:
    """Register the second sensor's image of each pair on the first's, and find pairs whose images do not fit.

    Of more than two sensors, the first two are compared.

    Args:
        images: of the run.
        embeddings: (pair_id, sensor) -> embedding, or None.
        progress: whether to show progress bars.
    """
    whole = np.flatnonzero((images.rows[:, :2] >= 0).all(axis=1)) if images.rows.shape[1] > 1 else np.zeros(0, int)
    if len(whole) == 0:
        names = ", ".join(sensor.name for sensor in images.sensors) or "none"
        note = f"No pair has images of two sensors (sensors: {names}), so pairs were neither registered nor compared."
        empty = pd.DataFrame({name: [] for name in TABLES["registration"].columns})
        empty = empty.astype({"dx": "float64", "dy": "float64", "confidence": "float64", "confident": "bool"})
        return PairAudit([], empty, {"pairs": 0, "note": note}, {"source": "none", "pairs": 0, "note": note})
    first, second = images.sensors[:2]
    bands = shared_bands(first, second)
    pictures = images.cache.images
    rows = images.rows[whole]

    def planes(row: int, place: int) -> npt.NDArray[np.float32]:
        return detail_planes(pictures[row], images.sensors[place], bands)

    found = map_images(
        lambda pair: register(planes(int(pair[0]), 0), planes(int(pair[1]), 1)),
        list(rows),
        description="register",
        progress=progress,
    )
    table = _registration_table(images, whole, found)
    findings = _unusual_shifts(table, images, whole)
    confident = table["confident"].to_numpy(dtype=bool)
    ways = f"the bands {', '.join(bands)}" if bands else "edges of grey values, as no band is known to be in both"
    summary = {
        "pairs": len(table),
        "sensors": [first.name, second.name],
        "bands": list(bands),
        "confident": int(confident.sum()),
        "median_dx": float(table.loc[confident, "dx"].median()) if confident.any() else None,
        "median_dy": float(table.loc[confident, "dy"].median()) if confident.any() else None,
        "min_peak": MIN_PEAK,
        "min_lead": MIN_LEAD,
        "min_overlap": MIN_OVERLAP,
        "note": (
            f"By {ways}. Shifts alone are estimated: a pair whose cameras were turned or at another distance is not "
            "confident."
            + ("" if bands else " Unlike bands agree less, so that confidence is lower than with shared bands.")
        ),
    }
    wrong, told = _wrong_pairs(images, whole, confident, embeddings, progress=progress)
    return PairAudit(findings + wrong, table, summary, told)


def _registration_table(images: AuditImages, whole: npt.NDArray[np.int64], found: list[Registration]) -> pd.DataFrame:
    """Shifts in pixels of the first sensor's files."""
    height, width = images.size
    files = images.table.loc[images.rows[whole, 0], ["width", "height"]].to_numpy(dtype=np.float64)
    return pd.DataFrame(
        {
            "pair_id": [images.pair_ids[pair] for pair in whole],
            "dx": np.array([shift.dx for shift in found]) * files[:, 0] / width,
            "dy": np.array([shift.dy for shift in found]) * files[:, 1] / height,
            "confidence": [shift.confidence for shift in found],
            "confident": [shift.confident for shift in found],
        }
    )


def _unusual_shifts(table: pd.DataFrame, images: AuditImages, whole: npt.NDArray[np.int64]) -> list[AuditFinding]:
    """Confident shifts that are far from those of the other pairs."""
    sure = table[table["confident"]]
    sides = images.table.loc[images.rows[whole, 0], ["width", "height"]].median()
    far = np.hypot(
        deviations(sure["dx"].to_numpy(), _LEAST_SHIFT_SPREAD * float(sides["width"])),
        deviations(sure["dy"].to_numpy(), _LEAST_SHIFT_SPREAD * float(sides["height"])),
    )
    middle = sure[["dx", "dy"]].median()
    second = images.sensors[1].name
    return [
        AuditFinding(
            "registration",
            str(row.pair_id),
            f"{row.pair_id}: its {second} image is shifted by ({row.dx:.0f}, {row.dy:.0f}) pixels, "
            f"the median is ({middle['dx']:.0f}, {middle['dy']:.0f}).",
            float(score),
            second,
        )
        for row, score in zip(sure.itertuples(index=False), far, strict=True)
        if score >= UNUSUAL_SHIFT
    ]


def _wrong_pairs(
    images: AuditImages,
    whole: npt.NDArray[np.int64],
    confident: npt.NDArray[np.bool_],
    embeddings: Mapping[tuple[str, str], Vectors] | None,
    *,
    progress: bool,
) -> tuple[list[AuditFinding], dict[str, Any]]:
    pictures, names = images.cache.images, [sensor.name for sensor in images.sensors[:2]]
    matcher = Matcher(*images.size)
    open_ones = np.flatnonzero(~confident)
    fits = map_images(
        lambda place: matcher.fit(*(structure(pictures[row]) for row in images.rows[whole[place], :2])),
        open_ones.tolist(),
        description="same plant",
        progress=progress,
    )
    heights = np.full(len(whole), np.inf)
    heights[open_ones] = [fit.height for fit in fits]
    ids = [images.pair_ids[pair] for pair in whole]
    ranks, sides = _embedded(ids, names, embeddings)
    wrong, source, note = judge_pairs(heights, ranks)
    partners: dict[int, int] = {}
    if "images" in source and 1 < len(wrong) <= _MOST_SUSPECTS:
        looked = [[structure(pictures[row]) for row in images.rows[whole[place], :2]] for place in wrong]
        hits = find_partners(matcher, [one for one, _ in looked], [other for _, other in looked])
        partners = {int(wrong[one]): int(wrong[other]) for one, other in hits.items()}
    elif "images" in source and len(wrong) > _MOST_SUSPECTS:
        note += f" More than {_MOST_SUSPECTS} pairs are suspect, so their right partners were not sought in the images."
    if "embeddings" in source and sides is not None:
        known = [int(place) for place in wrong if int(place) not in partners and np.isfinite(sides[0][place]).all()]
        partners = mutual_partners(*sides, known) | partners
    found = []
    for place in wrong.tolist():
        other = partners.get(place)
        seen = []
        if "images" in source:
            seen.append(f"they fit at {heights[place]:.1f}, a pair of one plant at {FITS} or more")
        if "embeddings" in source and ranks is not None and np.isfinite(ranks[place]):
            seen.append(f"by embeddings {ranks[place]:.0%} of all images are nearer")
        fitting = "" if other is None else f"; its {names[0]} image fits the {names[1]} image of {ids[other]}"
        detail = (
            f"{ids[place]}: its {names[0]} and {names[1]} images show different plants ({'; '.join(seen)}){fitting}."
        )
        score = float(1 - min(heights[place] / FITS, 1)) if "images" in source else float(np.asarray(ranks)[place])
        found.append(AuditFinding("wrong_pair", ids[place], detail, score, None, None if other is None else ids[other]))
    summary = {
        "source": source,
        "pairs": len(whole),
        "fit_by_shift_alone": int(confident.sum()),
        "fit_when_turned_or_scaled": int(sum(fit.height >= FITS for fit in fits)),
        "min_height": FITS,
        "median_rank": None if ranks is None else float(np.nanmedian(ranks)),
        "note": note if source != "none" else f"{note} So wrong pairs could not be told.",
    }
    return found, summary


def _embedded(
    ids: list[str], names: list[str], embeddings: Mapping[tuple[str, str], Vectors] | None
) -> tuple[npt.NDArray[np.float64] | None, tuple[Vectors, Vectors] | None]:
    """Rank shares of the pairs, NaN where there is no embedding, and both sensors' embeddings in the same order."""
    known = embeddings or {}
    there = np.array([all((pair_id, name) in known for name in names) for pair_id in ids], dtype=bool)
    if there.sum() < 2:
        return None, None
    width = len(next(iter(known.values())))
    sides = tuple(np.full((len(ids), width), np.nan, dtype=np.float32) for _ in names)
    for slot, name in enumerate(names):
        sides[slot][there] = np.stack([known[pair_id, name] for pair_id, here in zip(ids, there, strict=True) if here])
    ranks = np.full(len(ids), np.nan)
    ranks[there] = rank_shares(sides[0][there], sides[1][there])
    return ranks, (sides[0], sides[1])
