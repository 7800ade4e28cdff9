"""All figures of a run's predictions, as ``report.json`` holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.evaluation.agreement import cohen_kappa
from rice_ssl.evaluation.bootstrap import draws, mean_interval, statistic_interval
from rice_ssl.evaluation.metrics import confusion, hits, log_losses, macro_f1
from rice_ssl.sensors import BOTH


def build_report(
    predictions: pd.DataFrame, classes: list[str], sensors: list[str], *, bootstrap: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Figures of each split but the training split.

    Args:
        predictions: columns as in ``TABLES["predictions"]``.
        classes: names, in the order of the probabilities.
        sensors: names; the pair judged from all of them (``both``) is added.
        bootstrap: repetitions, over pairs.
        confidence: of the intervals, in (0.5, 1).
        seed: of the bootstrap.

    Returns:
        ``confidence``, ``bootstrap``, ``classes`` and ``splits``: for each of ``val`` and ``test`` that has pairs, the
        figures per sensor (of labelled pairs), the agreement of the first two sensors (of all pairs that have both),
        and the differences of figures (of labelled pairs that have all sensors).
    """
    report: dict[str, Any] = {"confidence": confidence, "bootstrap": bootstrap, "classes": classes, "splits": {}}
    for split in ("val", "test"):
        chosen = predictions[predictions["split"] == split]
        if chosen.empty:
            continue
        tables = {str(name): part.set_index("pair_id") for name, part in chosen.groupby("sensor")}
        judges = [name for name in [*sensors, BOTH] if name in tables and not (name == BOTH and len(sensors) == 1)]
        figures = {
            name: _figures(tables[name], classes, bootstrap, confidence, seed)
            for name in judges
            if tables[name]["label"].isin(classes).any()
        }
        report["splits"][split] = {
            "pairs": int(chosen["pair_id"].nunique()),
            "sensors": figures,
            "agreement": _agreement(tables, sensors, classes, bootstrap, confidence, seed),
            "differences": _differences(tables, judges, classes, bootstrap, confidence, seed),
        }
    return report


def _numbers(table: pd.DataFrame, column: str, classes: list[str]) -> npt.NDArray[np.int64]:
    numbers = table[column].map({name: number for number, name in enumerate(classes)})
    return np.asarray(numbers, dtype=np.int64)


def _figures(table: pd.DataFrame, classes: list[str], bootstrap: int, confidence: float, seed: int) -> dict[str, Any]:
    known = table[table["label"].isin(classes)]
    probabilities = np.stack(known["probabilities"].to_list())
    labels, predicted = _numbers(known, "label", classes), _numbers(known, "prediction", classes)
    drawn = draws(len(known), bootstrap, seed)
    counts = confusion(labels, predicted, len(classes))

    def f1(chosen: npt.NDArray[np.int64]) -> float:
        return float(macro_f1(confusion(labels[chosen], predicted[chosen], len(classes))))

    return {
        "n": len(known),
        "figures": {
            "accuracy": mean_interval(hits(probabilities, labels), drawn, confidence).as_dict(),
            "log_loss": mean_interval(log_losses(probabilities, labels), drawn, confidence).as_dict(),
            "macro_f1": statistic_interval(f1, drawn, confidence).as_dict(),
        },
        "confusion": counts.tolist(),
    }


def _agreement(
    tables: dict[str, pd.DataFrame],
    sensors: list[str],
    classes: list[str],
    bootstrap: int,
    confidence: float,
    seed: int,
) -> dict[str, Any] | None:
    """Agreement of the first two sensors; None where there are not two, or no pair has both."""
    pair = [name for name in sensors if name in tables][:2]
    if len(pair) < 2:
        return None
    shared = tables[pair[0]].index.intersection(tables[pair[1]].index)
    if shared.empty:
        return None
    first, second = (_numbers(tables[name].loc[shared], "prediction", classes) for name in pair)
    drawn = draws(len(shared), bootstrap, seed)

    def kappa(chosen: npt.NDArray[np.int64]) -> float:
        return cohen_kappa(confusion(first[chosen], second[chosen], len(classes)))

    found = statistic_interval(kappa, drawn, confidence).as_dict()
    return {
        "sensors": pair,
        "pairs": len(shared),
        "rate": mean_interval((first == second).astype(float), drawn, confidence).as_dict(),
        "kappa": found if np.isfinite(found["value"]) else None,
        "matrix": confusion(first, second, len(classes)).tolist(),
    }


def _differences(
    tables: dict[str, pd.DataFrame], judges: list[str], classes: list[str], bootstrap: int, confidence: float, seed: int
) -> list[dict[str, Any]]:
    """Paired differences a - b of accuracy and log loss: of all sensors and each, and of the first two."""
    found = []
    singles = [name for name in judges if name != BOTH]
    wanted = [(BOTH, name) for name in singles if BOTH in judges]
    wanted += [(singles[0], singles[1])] if len(singles) > 1 else []
    for a, b in wanted:
        shared = tables[a].index.intersection(tables[b].index)
        for name in singles:
            shared = shared.intersection(tables[name].index)
        known = shared[tables[a].loc[shared, "label"].isin(classes)]
        if known.empty:
            continue
        labels = _numbers(tables[a].loc[known], "label", classes)
        drawn = draws(len(known), bootstrap, seed)
        first, second = (np.stack(tables[name].loc[known, "probabilities"].to_list()) for name in (a, b))
        for name, score in (("accuracy", hits), ("log_loss", log_losses)):
            gap = mean_interval(score(first, labels) - score(second, labels), drawn, confidence)
            found.append({"a": a, "b": b, "name": name, **gap.as_dict()})
    return found
