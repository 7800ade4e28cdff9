"""What ``run.json`` holds."""

from __future__ import annotations

from typing import Any

from rice_ssl.errors import ArtifactError


class NewerSchemaError(ArtifactError):
    """The run was written by a newer version: it must not be written over."""


class BusyError(ArtifactError):
    """Another process is at work on the run."""


class RunInfo(dict[str, Any]):
    """Contents of ``run.json``; a field that it lacks is an :class:`ArtifactError`, as what a user's file may lack."""

    def __missing__(self, key: str) -> Any:
        """Name the field and the remedy."""
        raise ArtifactError(f"run.json lacks {key!r}. Make the run anew with `rice-ssl run CONFIG`.")
