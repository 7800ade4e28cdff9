"""What is computed of runs when a screen asks for it, and then kept: reports, paired differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
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
    sensors,
    table,
)
from rice_ssl.errors import InputError
from rice_ssl.evaluation.bootstrap import Interval
from rice_ssl.evaluation.metrics import hits, log_losses
from rice_ssl.evaluation.paired_tests import mcnemar, paired_difference
from rice_ssl.evaluation.report import build_report
from rice_ssl.evaluation.resampling import Bootstrap

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
