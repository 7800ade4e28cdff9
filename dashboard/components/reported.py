"""What report.json says of one split, or the sentence why it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboard import computed
from dashboard.access import RunKey
from dashboard.components.notice import reading
from dashboard.components.words import split_title
from rice_ssl.errors import ArtifactError


def command(run: RunKey) -> str:
    """What makes a run's report."""
    return f"rice-ssl evaluate {run.path}"


def split_report(run: RunKey, split: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The report, and what it says of one split.

    Raises:
        ArtifactError: there is no report, it cannot be read, or it says nothing of this split.
    """
    report = computed.report(run)
    with reading("report.json", command(run)):
        found = dict(report["splits"]).get(split)
    if found is None:
        why = "figures on pairs that were learnt from mean little" if split == "train" else "it may be of older pairs"
        again = "" if split == "train" else f" Make it anew with `{command(run)}`."
        raise ArtifactError(f"report.json says nothing of {split_title(split).lower()} pairs: {why}.{again}")
    return report, found
