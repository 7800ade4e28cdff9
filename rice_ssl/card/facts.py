"""What a run directory tells of itself; what is missing or cannot be read is a sentence that names the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rice_ssl.artifacts import RunStore
from rice_ssl.errors import ArtifactError


@dataclass(frozen=True)
class Facts:
    """A run's files as the card needs them.

    Attributes:
        root: the run directory.
        info: contents of ``run.json``.
        pairs: one row a pair, index pair_id, columns ``label``, ``split``, ``fold``, ``group``, ``images`` (how many).
        images: number of images of each sensor.
        tables: ``findings``, ``audit``, ``cross_validation``, ``predictions``, some columns of each; None: not there.
        documents: ``report``, ``channels``, ``attribution`` and ``audit``; None: not there.
        missing: table or document -> why it is not there, and the command that makes it; of the audit, the table's.
        files: files of weights that are there, by path inside the run.
    """

    root: Path
    info: dict[str, Any]
    pairs: pd.DataFrame
    images: dict[str, int]
    tables: dict[str, pd.DataFrame | None]
    documents: dict[str, dict[str, Any] | None]
    missing: dict[str, str]
    files: tuple[str, ...]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as ``run.json`` holds it."""
        return section(self.info, "config")

    @property
    def classes(self) -> list[str]:
        """Names of the classes."""
        return [str(name) for name in self.info.get("classes", [])]

    @property
    def sensors(self) -> list[dict[str, Any]]:
        """The sensors as ``run.json`` describes them."""
        return list(self.info.get("sensors", []))

    @property
    def learnt_from(self) -> str:
        """``shared``, ``fused`` or a sensor's name; older runs know ``shared`` alone."""
        return str(section(self.config, "finetune").get("sensors", "shared"))

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """Figures of each split that the report judges; empty without a report."""
        found = section(self.documents["report"] or {}, "splits")
        return {str(split): part for split, part in found.items() if isinstance(part, dict)}

    @property
    def labelled(self) -> pd.DataFrame:
        """Pairs whose label is one of the classes."""
        return self.pairs[self.pairs["label"].isin(self.classes)]

    @property
    def shared_groups(self) -> pd.Series:
        """Pairs in each group (a site, or photos that are the same) that holds two or more."""
        sizes = self.pairs.loc[self.pairs["group"].fillna("") != "", "group"].value_counts()
        return sizes[sizes > 1]


def section(content: dict[str, Any], name: str) -> dict[str, Any]:
    """A mapping inside another one; empty where there is none."""
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def read_facts(store: RunStore) -> Facts:
    """Read a run.

    Raises:
        ArtifactError: there is no run, or it has no manifest that can be read.
    """
    info = store.info()
    manifest = store.read_table("manifest")
    grouped = manifest.groupby("pair_id")
    pairs = grouped[["label", "split", "fold", "group"]].first().assign(images=grouped.size())
    tables: dict[str, pd.DataFrame | None] = {}
    documents: dict[str, dict[str, Any] | None] = {}
    missing: dict[str, str] = {}
    wanted = {
        "findings": ["kind"],
        "audit": ["kind"],
        "cross_validation": ["pair_id", "split"],
        "predictions": ["pair_id"],
    }
    for name, columns in wanted.items():
        try:
            tables[name] = store.read_table(name, columns)
        except ArtifactError as error:
            tables[name], missing[name] = None, str(error)
    for name in ("report", "channels", "attribution", "audit"):
        try:
            documents[name] = store.read_document(name)
        except ArtifactError as error:
            documents[name] = None
            missing.setdefault(name, str(error))
    weights = sorted(path.relative_to(store.root).as_posix() for path in (store.root / "weights").glob("*.safetensors"))
    images = {str(name): int(count) for name, count in manifest["sensor"].value_counts().items()}
    return Facts(store.root, dict(info), pairs, images, tables, documents, missing, tuple(weights))
