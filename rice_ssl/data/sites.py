"""Where a pair was photographed: pairs of one site look alike and stay on one side of a split."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rice_ssl.data.manifest import Finding
from rice_ssl.errors import InputError

_COLUMNS = ("site", "group")


def sites_of_pairs(table: pd.DataFrame, path: Path, findings: list[Finding]) -> dict[str, str]:
    """Site of each pair.

    Args:
        table: text columns ``pair_id`` and ``site`` or ``group`` (whatever their case); a blank site is none.
        path: of the table, for messages.
        findings: gets one for each pair with two sites; the first holds.

    Raises:
        InputError: there is neither a column ``site`` nor ``group``.
    """
    names = {str(name).lower(): name for name in table.columns}
    column = next((names[name] for name in _COLUMNS if name in names), None)
    if column is None:
        raise InputError(f"{path} lacks a column 'site' or 'group' (it has {', '.join(table.columns)}): add one.")
    found: dict[str, str] = {}
    for pair_id, site in zip(table["pair_id"], table[column], strict=True):
        if site and found.setdefault(pair_id, site) != site:
            detail = f"{pair_id[:80]} has the sites {found[pair_id][:40]} and {site[:40]}; the first holds."
            findings.append(Finding("conflicting_sites", pair_id[:80], "", detail))
    return found
