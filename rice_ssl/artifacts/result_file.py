"""A JSON file of results beside the run directories that they are of: versioned, atomic, checked when read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rice_ssl.artifacts.files import atomic_path
from rice_ssl.errors import ArtifactError


@dataclass(frozen=True)
class ResultFile:
    """One kind of such a file.

    Attributes:
        kind: how it is called in messages.
        file: its name in a folder.
        version: of its schema; raised when a reader of the former would misread it.
        fields: that it holds in any case.
        made_by: the command that makes it.
    """

    kind: str
    file: str
    version: int
    fields: tuple[str, ...]
    made_by: str

    def write(self, folder: Path, content: dict[str, Any]) -> Path:
        """Write results atomically; the file is returned.

        Raises:
            ValueError: a number in ``content`` is not finite, which JSON cannot hold.
        """
        path = folder / self.file
        with atomic_path(path) as temporary:
            whole = {"schema_version": self.version, **content}
            temporary.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        return path

    def read(self, folder: Path) -> dict[str, Any]:
        """Read results.

        Raises:
            ArtifactError: there are none, they are not JSON, of another schema version, or lack a field.
        """
        path, remedy = folder / self.file, f"Make it with `{self.made_by}`."
        if not path.is_file():
            raise ArtifactError(f"There is no {self.kind} at {path}. {remedy}")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ArtifactError(f"{path} cannot be read as JSON ({error}). {remedy}") from None
        version = content.get("schema_version") if isinstance(content, dict) else None
        if version != self.version:
            newer = isinstance(version, int) and version > self.version
            told = f"{path} has schema version {version!r}, this version reads {self.version}."
            raise ArtifactError(f"{told} {'Update rice_ssl.' if newer else remedy}")
        lacking = [field for field in self.fields if field not in content]
        if lacking:
            raise ArtifactError(f"{path} lacks {lacking[0]!r}. {remedy}")
        found: dict[str, Any] = content
        return found
