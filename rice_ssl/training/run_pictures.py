"""The pictures of a run: decoded, with the rows of its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.data.loading import build_cache, pair_rows
from rice_ssl.data.manifest import sensor_from_dict
from rice_ssl.training.batches import LabelledRows, Pictures, Rows


def run_pictures(
    store: RunStore, config: RunConfig, device: torch.device, *, progress: bool = True
) -> tuple[Pictures, pd.DataFrame, list[str]]:
    """Pictures, manifest and sensor names of a run.

    Raises:
        ArtifactError: the run has no manifest.
        InputError: no picture can be decoded.
    """
    info = store.info()
    table = store.read_table("manifest")
    sensors = [sensor_from_dict(entry) for entry in info["sensors"]]
    folder = store.root / "cache" if config.data.cache is None else Path(config.data.cache)
    cache = build_cache(table, Path(info["data_root"]), config.data.image_size, folder, progress=progress)
    return Pictures(cache, table["sensor"].tolist(), sensors, device), table, [sensor.name for sensor in sensors]


def usable_rows(table: pd.DataFrame, sensors: Sequence[str], pictures: Pictures) -> tuple[list[str], Rows]:
    """Ids and rows, shape (P, S), -1 for none, of the pairs with at least one picture that could be decoded."""
    ids, rows = pair_rows(table, sensors)
    rows = np.where(np.isin(rows, list(pictures.cache.faults)), -1, rows)
    kept = np.flatnonzero((rows >= 0).any(axis=1))
    return [ids[pair] for pair in kept], rows[kept]


def labelled_rows(
    table: pd.DataFrame, sensors: Sequence[str], classes: Sequence[str], pictures: Pictures
) -> LabelledRows:
    """The pairs of :func:`usable_rows` with the number of each one's class, -1 for a label that is no class."""
    ids, rows = usable_rows(table, sensors, pictures)
    return LabelledRows(rows, class_numbers(table.groupby("pair_id")["label"].first()[ids], classes))


def class_numbers(labels: pd.Series, classes: Sequence[str]) -> Rows:
    """Number of each label's class, shape (P,); -1 for none, and for a label that is no class."""
    number = {name: position for position, name in enumerate(classes)}
    return np.array([number.get(label, -1) for label in labels], dtype=np.int64)
