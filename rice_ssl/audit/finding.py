"""One thing that an audit found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from rice_ssl.artifacts import TABLES

KINDS = ("duplicate", "wrong_pair", "registration", "exposure", "blur", "saturation", "label")


@dataclass(frozen=True)
class AuditFinding:
    """One finding.

    Attributes:
        kind: one of ``KINDS``.
        pair_id: the pair.
        detail: one sentence.
        score: higher is worse; comparable within a kind alone.
        sensor: whose image, or None for the pair.
        other_pair_id: the pair that this one was compared with, or None.
    """

    kind: str
    pair_id: str
    detail: str
    score: float
    sensor: str | None = None
    other_pair_id: str | None = None


def audit_table(findings: Sequence[AuditFinding]) -> pd.DataFrame:
    """Findings as the table ``audit``: by kind in the order of ``KINDS``, the worst first."""
    order = sorted(findings, key=lambda found: (KINDS.index(found.kind), -found.score, found.pair_id))
    columns = list(TABLES["audit"].columns)
    table = pd.DataFrame([asdict(found) for found in order], columns=columns)
    return table.astype({"score": "float64"})
