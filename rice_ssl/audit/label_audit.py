"""Labels that are likely wrong: where their probabilities come from, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.audit.features import describe
from rice_ssl.audit.finding import AuditFinding
from rice_ssl.audit.images import AuditImages
from rice_ssl.audit.label_errors import (
    MAX_PROBABILITY,
    calibrated,
    confident_joint,
    label_margins,
    suspect_labels,
)
from rice_ssl.audit.out_of_fold import probabilities_out_of_fold
from rice_ssl.data.threads import map_images
from rice_ssl.evaluation.metrics import log_losses

Vectors = npt.NDArray[np.float32]
CROSS_VALIDATION, EMBEDDINGS, FEATURES = "cross-validation", "embeddings", "simple features"
_LEAST_PAIRS = 10
LEAST_AGREEMENT = 0.7
"""Share of the labels that a judge must agree with for its doubts to count."""
_WEAKER_LIMIT = 0.05  # where simple features judge, which are wrong more often


@dataclass(frozen=True)
class LabelAudit:
    """Findings, and what ``audit.json`` tells: source, thresholds, confident joint, or why there are none."""

    findings: list[AuditFinding]
    summary: dict[str, Any]


def audit_labels(
    images: AuditImages,
    classes: tuple[str, ...],
    *,
    judged: pd.DataFrame | None,
    embeddings: Mapping[tuple[str, str], Vectors] | None,
    progress: bool,
) -> LabelAudit:
    """Find likely label errors among the labelled pairs that have a fold.

    Args:
        images: of the run.
        classes: names, in the order of probabilities.
        judged: rows of the table ``cross_validation``, of one judge, or None.
        embeddings: (pair_id, sensor) -> embedding, or None.
        progress: whether to show a progress bar.
    """
    pairs = images.table.groupby("pair_id", sort=False).first()
    pairs = pairs[(pairs["fold"] >= 0) & pairs["label"].isin(classes)]
    number = {name: place for place, name in enumerate(classes)}
    labels = np.array([number[label] for label in pairs["label"]], dtype=np.int64)
    if len(pairs) < _LEAST_PAIRS or len(np.unique(labels)) < 2:
        what = f"{len(pairs)} labelled pairs of {len(np.unique(labels))} classes"
        return _nothing(f"{what} are too few to tell wrong labels by; {_LEAST_PAIRS} pairs of 2 classes are needed")
    ids, probabilities, source = _from_cross_validation(judged, classes)
    if probabilities is None:
        folds = pairs["fold"].to_numpy(dtype=np.int64)
        try:
            judges = {
                name: probabilities_out_of_fold(vectors, labels, folds, len(classes))
                for name, vectors in _vectors(images, pairs.index, embeddings, progress=progress)
            }
        except ValueError as error:
            return _nothing(f"out-of-fold probabilities cannot be had: {error}")
        source = min(judges, key=lambda name: log_losses(judges[name], labels).mean())
        probabilities = judges[source]
        ids = pairs.index.tolist()
    else:
        known = [place for place, pair_id in enumerate(ids) if pair_id in pairs.index]
        ids, probabilities = [ids[place] for place in known], probabilities[known]
        labels = np.array([number[label] for label in pairs.loc[ids, "label"]], dtype=np.int64)
        if len(ids) < _LEAST_PAIRS:
            return _nothing("the cross-validation holds fewer than ten of the labelled pairs")
    return _tell(ids, labels, probabilities, classes, source)


def _tell(
    ids: list[str],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.floating],
    classes: tuple[str, ...],
    source: str,
) -> LabelAudit:
    scaled, temperature = calibrated(labels, probabilities)
    agree = float((scaled.argmax(axis=1) == labels).mean())
    if agree < LEAST_AGREEMENT:
        return _nothing(
            f"{source} agrees with {agree:.0%} of them, and below {LEAST_AGREEMENT:.0%} most findings would be its own "
            "errors; `rice-ssl cross-validate` makes a better judge"
        )
    joint, margins = confident_joint(labels, scaled), label_margins(labels, scaled)
    found = []
    limit = _WEAKER_LIMIT if source == FEATURES else MAX_PROBABILITY
    for place in suspect_labels(labels, scaled, max_probability=limit):
        guess = int(joint.confident[place])
        detail = (
            f"{ids[place]} is labelled {classes[labels[place]]} (probability {scaled[place, labels[place]]:.3f}), "
            f"but looks like {classes[guess]} ({scaled[place, guess]:.3f}), judged by {source}."
        )
        found.append(AuditFinding("label", ids[place], detail, float(margins[place])))
    summary = {
        "source": source,
        "pairs": len(ids),
        "agree": agree,
        "temperature": temperature,
        "classes": list(classes),
        "thresholds": [None if np.isnan(value) else float(value) for value in joint.thresholds],
        "joint": joint.counts.tolist(),
        "max_probability": limit,
        "note": None,
    }
    return LabelAudit(found, summary)


def _nothing(why: str) -> LabelAudit:
    return LabelAudit([], {"source": None, "note": f"Labels were not judged: {why}."})


def _from_cross_validation(
    judged: pd.DataFrame | None, classes: tuple[str, ...]
) -> tuple[list[str], npt.NDArray[np.floating] | None, str]:
    """Pairs and their out-of-fold probabilities."""
    if judged is None:
        return [], None, CROSS_VALIDATION
    part = judged[judged["split"] == "oof"]
    usable = [row is not None and len(row) == len(classes) for row in part["probabilities"]]
    part = part[usable]
    if part.empty:
        return [], None, CROSS_VALIDATION
    return part["pair_id"].tolist(), np.stack(part["probabilities"].tolist()), CROSS_VALIDATION


def _vectors(
    images: AuditImages, ids: pd.Index, embeddings: Mapping[tuple[str, str], Vectors] | None, *, progress: bool
) -> list[tuple[str, Vectors]]:
    """What pairs may be judged by: simple features, and embeddings where there are any; the better one judges."""
    names = [sensor.name for sensor in images.sensors]
    position = {pair_id: place for place, pair_id in enumerate(images.pair_ids)}
    places = [(pair_id, name, slot) for pair_id in ids for slot, name in enumerate(names)]
    rows = [((pair_id, name), int(images.rows[position[pair_id], slot])) for pair_id, name, slot in places]
    rows = [(key, row) for key, row in rows if row >= 0]
    described = map_images(
        lambda entry: describe(images.cache.images[entry[1]]), rows, description="labels", progress=progress
    )
    simple = {key: vector for (key, _), vector in zip(rows, described, strict=True)}
    found = [(FEATURES, _side_by_side(simple, ids, names))]
    known = embeddings or {}
    if any((pair_id, name) in known for pair_id in ids for name in names):
        found.append((EMBEDDINGS, _side_by_side(known, ids, names)))
    return found


def _side_by_side(known: Mapping[tuple[str, str], Vectors], ids: pd.Index, names: list[str]) -> Vectors:
    """One vector a pair: its sensors' side by side; the mean of all stands in for an image that is not there."""
    parts = []
    for name in names:
        there = [known[pair_id, name] for pair_id in ids if (pair_id, name) in known]
        if there:
            middle = np.mean(there, axis=0)
            parts.append(np.stack([known.get((pair_id, name), middle) for pair_id in ids]))
    return np.nan_to_num(np.concatenate(parts, axis=1)).astype(np.float32)
