"""Pictures that are there twice, and whether splits and folds keep them together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rice_ssl.audit.finding import AuditFinding
from rice_ssl.audit.images import AuditImages
from rice_ssl.audit.near_duplicates import (
    MIN_CORRELATION,
    MIN_SIMILARITY,
    Copy,
    candidates,
    descriptor,
    find_copies,
    same_files,
)
from rice_ssl.data.threads import map_images


def audit_duplicates(images: AuditImages, *, progress: bool) -> tuple[list[AuditFinding], dict[str, Any]]:
    """Find images of a sensor that show one picture, and the same file under two names, whatever the sensor.

    Returns:
        A finding for each two images, of the pair whose id comes later; and what ``audit.json`` tells.
    """
    pairs = images.table.groupby("pair_id", sort=False).first()
    rows = images.readable
    hashes = images.table["sha256"].tolist()
    exact = [(rows[first], rows[second]) for first, second in same_files([hashes[row] for row in rows])]
    found = [_finding(images.table, pairs, first, second, 1.0, "is the same file as") for first, second in exact]
    known = {frozenset(both) for both in exact}
    laid = 0
    for sensor in images.sensors:
        own = [row for row in rows if images.table["sensor"].iat[row] == sensor.name]
        if len(own) < 2:
            continue
        looks = np.stack(
            map_images(
                lambda row: descriptor(images.grey(row)), own, description=f"look {sensor.name}", progress=progress
            )
        )
        proposed = [entry for entry in candidates(looks) if frozenset((own[entry[0]], own[entry[1]])) not in known]
        laid += len(proposed)
        copies = map_images(
            lambda entry, own=own: find_copies(lambda place: images.small_grey(own[place]), [entry]),  # type: ignore[misc]
            proposed,
            description=f"duplicates {sensor.name}",
            progress=progress,
        )
        for copy in _once([copy for part in copies for copy in part]):
            word = "shows the same picture as" if not copy.turned else f"shows, {copy.turned}, the same picture as"
            found.append(_finding(images.table, pairs, own[copy.first], own[copy.second], copy.correlation, word))
    across = sum("kept on one side" not in finding.detail for finding in found)
    summary = {
        "images_compared": len(rows),
        "laid_on_each_other": laid,
        "exact": len(exact),
        "near": len(found) - len(exact),
        "not_on_one_side": across,
        "min_similarity": MIN_SIMILARITY,
        "min_correlation": MIN_CORRELATION,
    }
    return found, summary


def _once(copies: list[Copy]) -> list[Copy]:
    best: dict[tuple[int, int], Copy] = {}
    for copy in copies:
        known = best.get((copy.first, copy.second))
        if known is None or copy.correlation > known.correlation:
            best[copy.first, copy.second] = copy
    return list(best.values())


def _finding(
    table: pd.DataFrame, pairs: pd.DataFrame, first: int, second: int, correlation: float, word: str
) -> AuditFinding:
    one, other = (str(table["pair_id"].iat[row]) for row in (first, second))
    sensors = [str(table["sensor"].iat[row]) for row in (first, second)]
    how = "" if correlation == 1.0 else f" (correlation {correlation:.2f} once laid on it)"
    where = "both belong to this pair" if one == other else _sides(pairs, one, other)
    named = other if sensors[0] == sensors[1] else f"{other} ({sensors[1]})"
    detail = f"{named} {word} {one} ({sensors[0]}){how}; {where}."
    return AuditFinding("duplicate", other, detail, correlation, sensors[1], one)


def _sides(pairs: pd.DataFrame, first: str, second: str) -> str:
    """Where two pairs lie, as the end of a sentence."""
    sides = pairs.loc[[first, second]]
    splits, folds, groups, labels = (sides[name].tolist() for name in ("split", "fold", "group", "label"))
    differ = sides["label"].notna().all() and labels[0] != labels[1]
    told = f", labelled {labels[0]} and {labels[1]}" if differ else ""
    if splits[0] != splits[1] and "test" in splits:
        return f"across splits ({splits[0]} and {splits[1]}){told}"
    if folds[0] != folds[1] and min(folds) >= 0:
        return f"across folds ({folds[0]} and {folds[1]}){told}"
    if splits[0] != splits[1]:
        return f"across splits ({splits[0]} and {splits[1]}){told}"
    if groups[0] == groups[1]:
        return f"kept on one side by the group {groups[0]}{told}"
    return f"kept on one side by chance ({splits[0]}, fold {folds[0]}), as no group holds both{told}"
