"""What is computed of runs when a screen asks for it, and then kept: neighbours, prototypes, paired differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard.access import (
    CROSS_VALIDATION,
    RunKey,
    document,
    has,
    has_document,
    images,
    info,
    judged_by,
    judgements,
    labels,
    pairs,
    remedy,
    sensors,
    table,
    vectors,
)
from rice_ssl.embeddings.neighbours import nearest, unit_rows
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evaluation.bootstrap import Interval
from rice_ssl.evaluation.map_quality import FEWEST, MapQuality, map_quality
from rice_ssl.evaluation.metrics import hits, log_losses
from rice_ssl.evaluation.paired_tests import mcnemar, paired_difference
from rice_ssl.evaluation.prototypes import prototype_table
from rice_ssl.evaluation.report import build_report
from rice_ssl.evaluation.resampling import Bootstrap


@st.cache_resource(max_entries=4, show_spinner=False)
def _embedding_index(run: RunKey) -> dict[str, tuple[list[str], npt.NDArray[np.int64]]]:
    keys = table(run, "embeddings", ["pair_id", "sensor"])
    return {str(s): (part["pair_id"].tolist(), part.index.to_numpy()) for s, part in keys.groupby("sensor")}


@st.cache_data(max_entries=4096, show_spinner=False)
def neighbours(run: RunKey, pair_id: str, sensor: str, among: str, count: int = 6) -> list[tuple[str, float]]:
    """Pairs whose image of the sensor ``among`` is nearest, by cosine of embeddings, to a pair's image of ``sensor``.

    The pair itself is left out when ``among`` is ``sensor``, and kept otherwise: whether the encoder finds the twin is
    of interest. Empty where the image has no embedding.
    """
    embeddings, index = vectors(run, "embeddings", "embedding"), _embedding_index(run)
    if embeddings is None or sensor not in index or among not in index or pair_id not in index[sensor][0]:
        return []
    query = embeddings[index[sensor][1][index[sensor][0].index(pair_id)]]
    exclude = index[among][0].index(pair_id) if among == sensor else None
    return _nearest(run, query, among, count, exclude)


def neighbours_of(
    run: RunKey, embedding: npt.NDArray[np.floating], among: str, count: int = 6
) -> list[tuple[str, float]]:
    """The same of an image that is not the run's, given its embedding, shape (E,). Nothing is kept of it."""
    return _nearest(run, embedding, among, count, None)


def _nearest(
    run: RunKey, query: npt.NDArray[np.floating], among: str, count: int, exclude: int | None
) -> list[tuple[str, float]]:
    embeddings, index = vectors(run, "embeddings", "embedding"), _embedding_index(run)
    if embeddings is None or among not in index:
        return []
    ids, rows = index[among]
    found, similarity = nearest(query, embeddings[rows], count, exclude=exclude)
    return [(ids[row], float(value)) for row, value in zip(found, similarity, strict=True)]


FAR_PERCENT, FAR_SAMPLE, FAR_FEWEST = 1.0, 2000, 50
"""Percentile of similarities below which an image is far, of how many images at most, and at least."""


@st.cache_data(max_entries=16, show_spinner="Measuring how near the run's own images are to each other …")
def far_below(run: RunKey, sensor: str) -> float | None:
    """Cosine with its nearest neighbour that all but 1% of a sensor's images exceed; each one's own is left out.

    From a seeded sample of at most 2,000 images among all. None where there are fewer than 50.
    """
    embeddings, index = vectors(run, "embeddings", "embedding"), _embedding_index(run)
    if embeddings is None or sensor not in index or len(index[sensor][1]) < FAR_FEWEST:
        return None
    unit = unit_rows(embeddings[index[sensor][1]])
    drawn = np.random.default_rng(0).permutation(len(unit))[:FAR_SAMPLE]
    best = []
    for start in range(0, len(drawn), 200):
        rows = drawn[start : start + 200]
        similarity = unit[rows] @ unit.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        best.append(similarity.max(axis=1))
    return float(np.percentile(np.concatenate(best), FAR_PERCENT))


@st.cache_data(max_entries=4, show_spinner=False)
def prototypes(run: RunKey) -> pd.DataFrame:
    """One row for each prototype; see :func:`rice_ssl.evaluation.prototypes.prototype_table`.

    Raises:
        ArtifactError: the run has no prototypes.
    """
    logits = vectors(run, "embeddings", "prototype_logits")
    if logits is None:
        raise ArtifactError(f"This run has no prototypes. {remedy(run, 'pretrain')}")
    return prototype_table(table(run, "prototypes"), pairs(run)["label"], logits.shape[1])


def clusters(run: RunKey) -> pd.Series:
    """Cluster of each prototype, counted from 1 for the largest, indexed by prototype; empty where the map has none."""
    maps = table(run, "map", ["kind", "prototype", "cluster"])
    own = maps[(maps["kind"] == "prototype") & (maps["cluster"] >= 0)].drop_duplicates("prototype")
    return own.set_index("prototype")["cluster"] + 1


QUALITY_SAMPLE = 2000


@st.cache_data(max_entries=32, show_spinner="Measuring the map …")
def quality(run: RunKey, space: str, method: str) -> MapQuality | None:
    """How far a map may be believed, on a seeded sample of at most 2,000 images; None where they are fewer than 50."""
    name = "predictions" if space == "logits" else "embeddings"
    maps = table(run, "map")
    maps = maps[(maps["kind"] == "image") & (maps["space"] == space) & (maps["method"] == method)]
    original = vectors(run, name, space)
    if original is None or len(maps) < FEWEST:
        return None
    keys = table(run, name, ["pair_id", "sensor"]).itertuples(index=False, name=None)
    row = {key: number for number, key in enumerate(keys)}
    if len(maps) > QUALITY_SAMPLE:
        maps = maps.sample(QUALITY_SAMPLE, random_state=0)
    rows = [row[key] for key in zip(maps["pair_id"], maps["sensor"], strict=True)]
    metric = "euclidean" if space == "logits" else "cosine"
    return map_quality(original[rows], maps[["x", "y"]].to_numpy(), metric=metric)


BOOTSTRAP, CONFIDENCE = 2000, 0.95
"""Of figures that are computed here because the run has no report."""


def report(run: RunKey) -> dict[str, Any]:
    """report.json; of a run that has cross-validation alone, as ``rice-ssl cross-validate`` leaves it, made here.

    Raises:
        ArtifactError: it is not there and cannot be made here, or cannot be read.
    """
    if has_document(run, "report") or judged_by(run) != CROSS_VALIDATION:
        return document(run, "report")
    return _report(run)


@st.cache_data(max_entries=32, show_spinner="Working out the figures …")
def _report(run: RunKey) -> dict[str, Any]:
    # labels as in `rice-ssl evaluate`: the manifest's, which may have got them later
    return build_report(
        table(run, CROSS_VALIDATION).drop(columns="label").join(labels(run)["label"], on="pair_id"),
        list(info(run)["classes"]),
        sensors(run),
        bootstrap=BOOTSTRAP,
        confidence=CONFIDENCE,
        seed=0,
        quality=table(run, "quality") if has(run, "quality") else None,
    )


@dataclass(frozen=True)
class Paired:
    """How two runs differ, first minus second, on pairs that both judged.

    Attributes:
        pairs: how many.
        accuracy: difference of the share right.
        log_loss: in nats.
        p: of McNemar's test.
    """

    pairs: int
    accuracy: Interval
    log_loss: Interval
    p: float


@st.cache_data(max_entries=64, show_spinner="Comparing pair by pair …")
def paired(
    first: RunKey,
    second: RunKey,
    judges: tuple[str, str],
    split: str,
    *,
    bootstrap: int,
    confidence: float,
    seed: int = 0,
) -> Paired:
    """Paired differences of two runs on the labelled pairs of a split that have the same images in both.

    Args:
        first: a run.
        second: another one.
        judges: of each run.
        split: of the pairs.
        bootstrap: repetitions.
        confidence: of the intervals.
        seed: of the bootstrap.

    Raises:
        ArtifactError: a table is not there, or cannot be read.
        InputError: they cannot be compared: other classes, or fewer than two pairs in common.
    """
    classes = list(info(first)["classes"])
    if list(info(second)["classes"]) != classes:
        raise InputError("They know different classes, so there is nothing to compare pair by pair.")
    sides = []
    for run, judge in zip((first, second), judges, strict=True):
        own = judgements(run, split)
        own = own[(own["sensor"] == judge) & own["label"].isin(classes)]
        sides.append(own.drop_duplicates("pair_id").set_index("pair_id"))
    same = _same_images(images(first), images(second))
    shared = sides[0].index.intersection(sides[1].index).intersection(same)
    shared = shared[(sides[0].loc[shared, "label"] == sides[1].loc[shared, "label"]).to_numpy()].sort_values()
    if len(shared) < 2:
        raise InputError(f"They have {len(shared)} labelled pairs in common here, too few to compare pair by pair.")
    labels = (
        sides[0].loc[shared, "label"].map({name: number for number, name in enumerate(classes)}).to_numpy(dtype=int)
    )
    a, b = (np.stack(side.loc[shared, "probabilities"].to_list()) for side in sides)
    drawn = Bootstrap(bootstrap, confidence, seed).pairs(len(shared))
    return Paired(
        len(shared),
        paired_difference(hits(a, labels), hits(b, labels), drawn, confidence),
        paired_difference(log_losses(a, labels), log_losses(b, labels), drawn, confidence),
        mcnemar(hits(a, labels) > 0, hits(b, labels) > 0).p,
    )


def _same_images(first: pd.DataFrame, second: pd.DataFrame) -> pd.Index:
    """Pairs that have the same images in two runs, of the sensors that both know."""
    ids, sensors = first.index.intersection(second.index), first.columns.intersection(second.columns)
    a, b = first.loc[ids, sensors], second.loc[ids, sensors]
    same = ((a == b) | a.isna() | b.isna()).all(axis=1) & (a == b).any(axis=1)
    return ids[same.to_numpy(dtype=bool)]
