"""All figures of a run's predictions, as ``report.json`` holds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rice_ssl.evaluation.agreement import jensen_shannon, kappa_interval
from rice_ssl.evaluation.complementarity import complementarity
from rice_ssl.evaluation.judge import judge_report
from rice_ssl.evaluation.judged import UNKNOWN, Judged, by_judge
from rice_ssl.evaluation.metrics import brier_scores, confusion, hits, log_losses
from rice_ssl.evaluation.paired_tests import mcnemar, paired_difference
from rice_ssl.evaluation.resampling import Bootstrap
from rice_ssl.evaluation.strata import strata
from rice_ssl.sensors import BOTH

SPLITS = ("oof", "val", "test")
"""Splits that are judged. ``oof``: labelled pairs, each judged by networks that did not see it."""


def build_report(
    predictions: pd.DataFrame,
    classes: list[str],
    sensors: list[str],
    *,
    bootstrap: int,
    confidence: float,
    seed: int,
    quality: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Figures of each split but the training split.

    Args:
        predictions: columns ``pair_id``, ``sensor``, ``probabilities``, ``label`` and ``split``; ``fold``, too, where
            there are pairs of the split ``oof``.
        classes: names, in the order of the probabilities.
        sensors: names; the pair judged from all of them (``both``) is added.
        bootstrap: repetitions, over pairs.
        confidence: of the intervals, in (0.5, 1).
        seed: of the bootstrap.
        quality: columns as in ``TABLES["quality"]``, for strata; None where it was not measured.

    Returns:
        ``confidence``, ``bootstrap``, ``classes`` and ``splits``: for each of ``SPLITS`` that has pairs, the figures
        per judge (of labelled pairs, where there are 2 or more), the agreement of the first two sensors (of all pairs
        that have both), their complementarity and the differences of figures (of labelled pairs that have all sensors).
        ``unknown_labels`` counts pairs whose label is none of the classes; they are left out as if they had none.

    Raises:
        ArtifactError: as :func:`rice_ssl.evaluation.judged.by_judge`.
    """
    how = Bootstrap(bootstrap, confidence, seed)
    report: dict[str, Any] = {"confidence": confidence, "bootstrap": bootstrap, "classes": classes, "splits": {}}
    for split in SPLITS:
        chosen = predictions[predictions["split"] == split]
        if chosen.empty:
            continue
        found = by_judge(chosen, classes)
        judges = [name for name in [*sensors, BOTH] if name in found and not (name == BOTH and len(sensors) == 1)]
        judged = {name: found[name] for name in judges}
        labels = chosen.groupby("pair_id")["label"].first().dropna()
        figures = {name: judge_report(one, classes, how) for name, one in judged.items()}
        report["splits"][split] = {
            "pairs": int(chosen["pair_id"].nunique()),
            "unknown_labels": int((~labels.isin(classes)).sum()),
            **({"folds": int(chosen["fold"].nunique())} if split == "oof" else {}),
            "sensors": {name: one for name, one in figures.items() if one is not None},
            **_two_sensors(judged, sensors, classes, how, quality),
            "differences": _differences(judged, how),
        }
    return report


def _two_sensors(
    judged: Mapping[str, Judged],
    sensors: Sequence[str],
    classes: Sequence[str],
    how: Bootstrap,
    quality: pd.DataFrame | None,
) -> dict[str, Any]:
    """Agreement and complementarity of the first two sensors; None where there are not two, or no pair has both."""
    pair = [name for name in sensors if name in judged][:2]
    found: dict[str, Any] = {"agreement": None, "complementarity": None}
    if len(pair) < 2:
        return found
    pairs = judged[pair[0]].pairs.intersection(judged[pair[1]].pairs, sort=False)
    if pairs.empty:
        return found
    first, second = (judged[name].of(pairs) for name in pair)
    agree = np.asarray(first.predicted == second.predicted)
    divergence = jensen_shannon(first.probabilities, second.probabilities)
    known = first.labels != UNKNOWN
    kappa = kappa_interval(first.predicted, second.predicted, len(classes), how)
    test = mcnemar(first.right[known], second.right[known]) if known.any() else None
    found["agreement"] = {
        "sensors": pair,
        "pairs": len(pairs),
        "rate": how.share(agree),
        "kappa": kappa.as_dict() if kappa else None,
        "matrix": confusion(first.predicted, second.predicted, len(classes)).tolist(),
        "divergence": how.mean(divergence),
        "mcnemar": dataclasses.asdict(test) if test else None,
        "by_class": [
            {
                "name": name,
                "pairs": int((first.labels == number).sum()),
                "rate": how.share(agree[first.labels == number]),
                "divergence": how.mean(divergence[first.labels == number]),
            }
            for number, name in enumerate(classes)
        ],
        "strata": [] if quality is None else strata(judged, pair, pairs, quality, how),
    }
    names = (pair[0], pair[1])
    found["complementarity"] = complementarity(first, second, judged.get(BOTH), names, how)
    return found


def _differences(judged: Mapping[str, Judged], how: Bootstrap) -> list[dict[str, Any]]:
    """Paired differences a - b of accuracy, log loss and Brier score: of all sensors and each, and of the first two."""
    singles = [name for name in judged if name != BOTH]
    wanted = [(BOTH, name) for name in singles if BOTH in judged]
    wanted += [(singles[0], singles[1])] if len(singles) > 1 else []
    found: list[dict[str, Any]] = []
    for a, b in wanted:
        pairs = judged[a].labelled().pairs
        for name in {b, *singles}:
            pairs = pairs.intersection(judged[name].pairs, sort=False)
        if len(pairs) < 2:
            continue
        first, second = judged[a].of(pairs), judged[b].of(pairs)
        gaps = {
            name: paired_difference(
                score(first.probabilities, first.labels),
                score(second.probabilities, first.labels),
                how.pairs(len(pairs)),
                how.confidence,
            )
            for name, score in (("accuracy", hits), ("log_loss", log_losses), ("brier", brier_scores))
        }
        found += [{"a": a, "b": b, "name": name, **gap.as_dict()} for name, gap in gaps.items()]
    return found
