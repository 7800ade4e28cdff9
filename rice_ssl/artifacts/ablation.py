"""``ablation.json``: what a grid of pretrainings found, as the dashboard reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rice_ssl.artifacts.files import atomic_path
from rice_ssl.artifacts.schema import ABLATION_SCHEMA_VERSION
from rice_ssl.errors import ArtifactError

ABLATION_FILE = "ablation.json"
_FIELDS = (
    "name", "simulated", "conditions", "baseline", "seeds", "planned", "confidence", "bootstrap", "measures", "figures",
    "differences", "cells",
)  # fmt: skip


def write_ablation(folder: Path, content: dict[str, Any]) -> Path:
    """Write an ablation's results atomically."""
    path = folder / ABLATION_FILE
    with atomic_path(path) as temporary:
        whole = {"schema_version": ABLATION_SCHEMA_VERSION, **content}
        temporary.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_ablation(folder: Path) -> dict[str, Any]:
    """Read an ablation's results.

    Raises:
        ArtifactError: there are none, they are not JSON, of another schema version, or lack a field.
    """
    path, remedy = folder / ABLATION_FILE, "Make it with `rice-ssl ablate CONFIG`."
    if not path.is_file():
        raise ArtifactError(f"There is no ablation at {path}. {remedy}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{path} cannot be read as JSON ({error}). {remedy}") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != ABLATION_SCHEMA_VERSION:
        newer = isinstance(version, int) and version > ABLATION_SCHEMA_VERSION
        told = f"{path} has schema version {version!r}, this version reads {ABLATION_SCHEMA_VERSION}."
        raise ArtifactError(f"{told} {'Update rice_ssl.' if newer else remedy}")
    lacking = [field for field in _FIELDS if field not in content]
    if lacking:
        raise ArtifactError(f"{path} lacks {lacking[0]!r}. {remedy}")
    found: dict[str, Any] = content
    return found
