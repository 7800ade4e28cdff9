"""In which settings runs differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

_BESIDE = ("data_root", "data_source", "weights_from", "git_revision")
"""What run.json notes beside the configuration."""


def settings(info: Mapping[str, Any]) -> dict[str, str]:
    """Settings of a run, dotted, as text.

    Args:
        info: contents of run.json.
    """
    found = _dotted(info.get("config") or {})
    found["data.simulated"] = json.dumps(bool(info.get("simulated")))
    found.update({name: _text(info[name]) for name in _BESIDE if info.get(name) is not None})
    return found


def differing(runs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each setting in which runs differ, a column for each run; empty text where a run does not have it.

    Args:
        runs: name -> contents of run.json.
    """
    every = {name: settings(info) for name, info in runs.items()}
    names = list(dict.fromkeys(setting for own in every.values() for setting in own))
    rows = [
        {"Setting": setting, **{name: own.get(setting, "") for name, own in every.items()}}
        for setting in names
        if len({own.get(setting) for own in every.values()}) > 1 and setting not in ("name", "run")
    ]
    return pd.DataFrame(rows, columns=["Setting", *every])


def _dotted(section: Mapping[str, Any], start: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in section.items():
        if isinstance(value, Mapping) and value:
            found |= _dotted(value, f"{start}{name}.")
        else:
            found[f"{start}{name}"] = _text(value)
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
