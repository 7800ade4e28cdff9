"""All that an audit looks for, gathered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.audit import quality_audit
from rice_ssl.audit.duplicate_audit import audit_duplicates
from rice_ssl.audit.finding import KINDS, AuditFinding, audit_table
from rice_ssl.audit.images import AuditImages
from rice_ssl.audit.label_audit import audit_labels
from rice_ssl.audit.pair_audit import audit_pairs


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes:
        findings: the table ``audit``.
        quality: the table ``quality``.
        registration: the table ``registration``.
        document: ``audit.json``.
    """

    findings: pd.DataFrame
    quality: pd.DataFrame
    registration: pd.DataFrame
    document: dict[str, Any]


def audit(
    images: AuditImages,
    classes: tuple[str, ...],
    *,
    judged: pd.DataFrame | None = None,
    embeddings: Mapping[tuple[str, str], npt.NDArray[np.float32]] | None = None,
    progress: bool = True,
) -> Audit:
    """Look for wrong pairs, unusual shifts, duplicates, unusual images and likely label errors.

    Args:
        images: of the run; files that cannot be decoded are told and left out.
        classes: names, in the order of probabilities.
        judged: rows of the table ``cross_validation``, of one judge, or None.
        embeddings: (pair_id, sensor) -> embedding, or None.
        progress: whether to show progress bars.
    """
    quality = quality_audit.measure_images(images, progress=progress)
    found: list[AuditFinding] = quality_audit.quality_findings(quality, [sensor.name for sensor in images.sensors])
    pairs = audit_pairs(images, embeddings, progress=progress)
    duplicates, duplicate_summary = audit_duplicates(images, progress=progress)
    labels = audit_labels(images, classes, judged=judged, embeddings=embeddings, progress=progress)
    table = audit_table([*found, *pairs.findings, *duplicates, *labels.findings])
    counts = table["kind"].value_counts()
    document = {
        "pairs": len(images.pair_ids),
        "images": len(images.readable),
        "unreadable": [images.cache.faults[row] for row in sorted(images.cache.faults)],
        "size": list(images.size),
        "counts": {kind: int(counts.get(kind, 0)) for kind in KINDS},
        "pairs_with_findings": {kind: int(table.loc[table["kind"] == kind, "pair_id"].nunique()) for kind in KINDS},
        "quality": {
            "deviations": quality_audit.DEVIATIONS,
            "darkest": quality_audit.DARKEST,
            "brightest": quality_audit.BRIGHTEST,
            "least_saturated": quality_audit.LEAST_SATURATED,
            "most_saturated": quality_audit.MOST_SATURATED,
        },
        "registration": pairs.registration_summary,
        "wrong_pairs": pairs.wrong_summary,
        "duplicates": duplicate_summary,
        "labels": labels.summary,
    }
    return Audit(table, quality, pairs.registration, document)
