"""``comparison.json``: what several trained classifiers, compared on the same pairs, found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rice_ssl.artifacts.files import atomic_path
from rice_ssl.errors import ArtifactError

COMPARISON_FILE = "comparison.json"
COMPARISON_SCHEMA_VERSION = 1
_FIELDS = (
    "name", "simulated", "classes", "sensors", "confidence", "bootstrap", "folds", "seeds", "planned", "done",
    "conditions", "differences", "label_efficiency", "transfer",
)  # fmt: skip


def write_comparison(folder: Path, content: dict[str, Any]) -> Path:
    """Write a comparison's results atomically; the file is returned.

    Raises:
        ValueError: a number in ``content`` is not finite, which JSON cannot hold.
    """
    path = folder / COMPARISON_FILE
    with atomic_path(path) as temporary:
        whole = {"schema_version": COMPARISON_SCHEMA_VERSION, **content}
        temporary.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_comparison(folder: Path) -> dict[str, Any]:
    """Read a comparison's results.

    Raises:
        ArtifactError: there are none, they are not JSON, of another schema version, or lack a field.
    """
    path, remedy = folder / COMPARISON_FILE, "Make it with `rice-ssl compare CONFIG`."
    if not path.is_file():
        raise ArtifactError(f"There is no comparison at {path}. {remedy}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{path} cannot be read as JSON ({error}). {remedy}") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != COMPARISON_SCHEMA_VERSION:
        newer = isinstance(version, int) and version > COMPARISON_SCHEMA_VERSION
        told = f"{path} has schema version {version!r}, this version reads {COMPARISON_SCHEMA_VERSION}."
        raise ArtifactError(f"{told} {'Update rice_ssl.' if newer else remedy}")
    lacking = [field for field in _FIELDS if field not in content]
    if lacking:
        raise ArtifactError(f"{path} lacks {lacking[0]!r}. {remedy}")
    found: dict[str, Any] = content
    return found
