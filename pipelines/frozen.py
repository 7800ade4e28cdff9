"""What frozen encoders know of the classes: probe and kNN by sensor, across sensors, and by share of the labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from tqdm import tqdm

from pipelines.cross_validate import pairs_of
from pipelines.stages import fingerprint, fingerprints
from rice_ssl.artifacts import RunStore, atomic_path
from rice_ssl.config import ComparisonConfig, RunConfig
from rice_ssl.embeddings.extract import Networks, extract
from rice_ssl.embeddings.neighbours import unit_rows
from rice_ssl.evaluation.probe import knn_classes, probe_classes
from rice_ssl.evaluation.resampling import share_of
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.weights import begin_encoder, load_weights
from rice_ssl.training.batches import Pictures
from rice_ssl.training.cross_validation import Pairs, label_subset
from rice_ssl.training.device import launch
from rice_ssl.training.run_pictures import run_pictures

Numbers = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]
Entries = list[dict[str, Any]]


def frozen_figures(
    out: Path, config: ComparisonConfig, pretraining: RunConfig, images: RunStore, *, progress: bool
) -> dict[str, Entries]:
    """``transfer`` and ``label_efficiency`` of ``comparison.json`` that come from frozen embeddings.

    Each labelled pair is judged by a probe, and by neighbours, of the other folds. What was computed once is kept.

    Args:
        out: the comparison's folder.
        config: the comparison.
        pretraining: the run with the SwAV weights; its encoder is meant in any case.
        images: a run with the images.
        progress: whether to show progress bars.
    """
    starts = [start for start in config.starts if start != "encoder" or pretraining.encoder.weights]
    key = fingerprint(fingerprints(images, pretraining)["embed"], starts, config.label_fractions, config.confidence)
    path = out / "cache" / f"frozen-{key[:16]}.json"
    if path.is_file():
        found: dict[str, Entries] = json.loads(path.read_text(encoding="utf-8"))
        return found
    device = launch(pretraining.embed.accelerator, "32-true").device
    pictures, table, sensors = run_pictures(images, pretraining, device, progress=progress)
    pairs = pairs_of(table, sensors, list(images.info()["classes"]), pictures)
    found = {"transfer": [], "label_efficiency": []}
    for start in starts:
        encoder = _encoder(start, pretraining).to(device).eval()
        embeddings = _embeddings(encoder, pictures, table, sensors, pairs, out, progress=progress)
        judged = _Judging(embeddings, pairs, sensors, start, config.confidence, progress=progress)
        found["transfer"] += judged.transfer()
        found["label_efficiency"] += judged.label_efficiency([*sorted(config.label_fractions), 1.0])
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")
    return found


def _encoder(start: str, config: RunConfig) -> Encoder:
    torch.manual_seed(config.seed)
    encoder = Encoder(config.encoder)
    if start == "encoder":
        begin_encoder(encoder, config.encoder)
    if start == "swav":
        made_by = f"rice-ssl pretrain {config.run}"
        load_weights(
            encoder, RunStore(Path(config.run)).checked_weights("swav", made_by), made_by=made_by, prefix="encoder."
        )
    return encoder


def _embeddings(
    encoder: Encoder,
    pictures: Pictures,
    table: pd.DataFrame,
    sensors: Sequence[str],
    pairs: Pairs,
    out: Path,
    *,
    progress: bool,
) -> Vectors:
    """Embeddings of the learnt pairs' pictures, shape (P, S, E); NaN where there is none."""
    rows = np.sort(pairs.rows[pairs.learnt][pairs.rows[pairs.learnt] >= 0])
    folder = out / "cache" / "frozen"
    shutil.rmtree(folder, ignore_errors=True)
    found = extract(pictures, rows, Networks(encoder=encoder), batch_size=64, folder=folder, progress=progress)[
        "embedding"
    ]
    shutil.rmtree(folder, ignore_errors=True)
    every = np.full((len(table), found.shape[1]), np.nan, dtype=np.float32)
    every[rows] = found
    picked: Vectors = every[np.where(pairs.rows >= 0, pairs.rows, 0)]
    picked[pairs.rows < 0] = np.nan
    return picked


class _Judging:
    """Probes and neighbours on one encoder's embeddings."""

    def __init__(
        self,
        embeddings: Vectors,
        pairs: Pairs,
        sensors: Sequence[str],
        start: str,
        confidence: float,
        *,
        progress: bool,
    ) -> None:
        self.embeddings, self.pairs, self.sensors, self.start = embeddings, pairs, list(sensors), start
        self.confidence, self.progress = confidence, progress
        self.folds = sorted(set(pairs.folds[pairs.learnt].tolist()))
        self.classes = int(pairs.targets.max()) + 1

    def _of(self, slot: int, fold: int, *, held: bool) -> Numbers:
        there = self.pairs.learnt & (self.pairs.rows[:, slot] >= 0)
        return np.flatnonzero(there & ((self.pairs.folds == fold) == held))

    def _right(self, learnt: int, judged: Sequence[int], method: str, fraction: float) -> list[Numbers]:
        """Whether each pair of a sensor's images is classified right, by what was learnt from a sensor's images."""
        right: list[list[Numbers]] = [[] for _ in judged]
        for fold in self.folds:
            train = self._of(learnt, fold, held=False)
            train = train[label_subset(self.pairs.targets[train], fraction, 0)]
            targets = self.pairs.targets[train]
            if len(np.unique(targets)) < 2:
                continue
            queries = [self._of(slot, fold, held=True) for slot in judged]
            if not any(len(own) for own in queries):
                continue
            vectors = np.concatenate([self.embeddings[own, slot] for own, slot in zip(queries, judged, strict=True)])
            if method == "probe":
                found = probe_classes(vectors, self.embeddings[train, learnt], targets, self.pairs.folds[train])
            else:
                bank = unit_rows(self.embeddings[train, learnt])
                found = knn_classes(unit_rows(vectors), bank, targets, self.classes)
            parts = np.split(found, np.cumsum([len(own) for own in queries])[:-1])
            for number, (own, part) in enumerate(zip(queries, parts, strict=True)):
                right[number].append((part == self.pairs.targets[own]).astype(np.int64))
        return [np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64) for parts in right]

    def _figure(self, right: Numbers) -> dict[str, float] | None:
        share = share_of(right, self.confidence)
        return None if share is None else share.as_dict()

    def transfer(self) -> Entries:
        """Accuracy of what was learnt from one sensor's images, on each sensor's."""
        found = []
        slots = range(len(self.sensors))
        for method in ("probe", "knn"):
            for learnt in tqdm(slots, desc=f"{method}, {self.start}", unit="sensor", disable=not self.progress):
                for judged, right in zip(slots, self._right(learnt, slots, method, 1.0), strict=True):
                    figure = self._figure(right)
                    if figure is not None:
                        found.append(
                            {
                                "method": method,
                                "start": self.start,
                                "trained_on": self.sensors[learnt],
                                "tested_on": self.sensors[judged],
                                "name": "accuracy",
                                **figure,
                                "pairs": len(right),
                            }
                        )
        return found

    def label_efficiency(self, fractions: Sequence[float]) -> Entries:
        """Accuracy of the probe on each sensor's images, by share of the labels."""
        found = []
        for fraction in tqdm(fractions, desc=f"labels, {self.start}", unit="share", disable=not self.progress):
            for slot, sensor in enumerate(self.sensors):
                figure = self._figure(self._right(slot, [slot], "probe", fraction)[0])
                if figure is None:
                    continue
                learnt = [
                    len(label_subset(self.pairs.targets[self._of(slot, fold, held=False)], fraction, 0))
                    for fold in self.folds
                ]
                found.append(
                    {
                        "method": "probe",
                        "start": self.start,
                        "judge": sensor,
                        "label_fraction": fraction,
                        "labelled": round(float(np.mean(learnt))),
                        "name": "accuracy",
                        **figure,
                    }
                )
        return found
