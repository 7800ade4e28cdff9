"""What an ablation found: figures of each condition over seeds and pairs, and differences to the baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import normalized_mutual_info_score

from rice_ssl.evaluation.agreement import cohen_kappa
from rice_ssl.evaluation.bootstrap import Interval, draws, interval
from rice_ssl.evaluation.metrics import confusion
from rice_ssl.evaluation.prototypes import perplexity

Values = npt.NDArray[np.float64]
RANDOM = "random weights"
"""Title of the condition that is no point of the grid: the network as it is drawn."""


@dataclass(frozen=True)
class Measure:
    """One figure of an ablation.

    Attributes:
        name: key.
        title: on screen.
        meaning: one sentence for the screen.
        columns: of the table of pairs.
        statistic: from the columns' values, shape (P, columns), to the figure; None for the mean of the only column.
    """

    name: str
    title: str
    meaning: str
    columns: tuple[str, ...]
    statistic: Callable[[Values], float] | None = None

    def of(self, values: Values) -> float:
        """The figure of some pairs, shape (P, columns)."""
        return float(values.mean()) if self.statistic is None else self.statistic(values)


def _nmi(values: Values) -> float:
    first, second = values.astype(int).T
    if len(np.unique(first)) == 1 or len(np.unique(second)) == 1:
        return 0.0  # an assignment that never varies tells nothing; scikit-learn calls two such a perfect match
    return float(normalized_mutual_info_score(first, second))


def _kappa(values: Values) -> float:
    first, second = values.astype(np.int64).T
    found = cohen_kappa(confusion(first, second, int(values.max()) + 1))
    return found if np.isfinite(found) else 0.0  # one prototype for all: no agreement beyond chance


def _in_use(values: Values) -> float:
    return perplexity(np.bincount(values.astype(np.int64).ravel()))


def measures(sensors: Sequence[str], titles: Mapping[str, str]) -> tuple[Measure, ...]:
    """The figures of an ablation on these sensors; those that compare two need two."""
    found = [
        Measure(f"{kind}_{sensor}", f"{title}, {titles[sensor]}", meaning, (f"{kind}_{sensor}",))
        for kind, title, meaning in (
            ("probe", "Linear probe", "Accuracy of logistic regression on frozen embeddings, on validation pairs."),
            ("knn", "kNN", "Accuracy of a vote of the 20 nearest training images, on validation pairs."),
        )
        for sensor in sensors
    ]
    if len(sensors) < 2:
        return tuple(found)
    both = (f"prototype_{sensors[0]}", f"prototype_{sensors[1]}")
    return (
        *found,
        Measure(
            "recall_1",
            "Cross-sensor R@1",
            "Share of images whose nearest image of the other sensor is their twin, both directions.",
            ("recall_1",),
        ),
        Measure(
            "recall_5",
            "Cross-sensor R@5",
            "Share of images whose twin is among the five nearest of the other sensor, both directions.",
            ("recall_5",),
        ),
        Measure(
            "assignment_kappa",
            "Same prototype, beyond chance",
            "Cohen's kappa of the two sensors' prototypes: 0 is what shuffled pairs give, 1 always the same.",
            both,
            _kappa,
        ),
        Measure(
            "assignment_nmi",
            "Assignment NMI",
            "Normalised mutual information of the two sensors' prototypes, in [0, 1]; chance is above 0.",
            both,
            _nmi,
        ),
        Measure(
            "prototype_perplexity",
            "Prototypes in use",
            "Perplexity of the prototypes of all these images: how many they are spread over.",
            both,
            _in_use,
        ),
    )


def summarise(
    cells: Mapping[tuple[str, int], pd.DataFrame],
    wanted: Sequence[Measure],
    baseline: str | None,
    *,
    bootstrap: int,
    confidence: float,
    seed: int = 0,
) -> dict[str, Any]:
    """Figures and differences with intervals.

    The bootstrap draws seeds and pairs, with the same draws for every condition, so that differences are paired.

    Args:
        cells: (condition, seed) -> one row for each pair, with the columns of ``wanted``; NaN where a pair has none.
        wanted: what to compute; a measure that no cell has is left out.
        baseline: condition that the others are compared with; None for no differences.
        bootstrap: repetitions.
        confidence: of the intervals, in (0.5, 1).
        seed: of the bootstrap.

    Returns:
        ``figures`` (condition, measure, value, low, high, seeds, pairs), ``differences`` (condition, baseline, measure,
        seeds, value, low, high; condition minus baseline, over the seeds that both have) and ``cells`` (condition,
        seed, measure, value).
    """
    conditions = list(dict.fromkeys(condition for condition, _ in cells))
    found: dict[str, Any] = {"figures": [], "differences": [], "cells": []}
    for measure in wanted:
        repeated: dict[str, dict[int, Values]] = {}
        single: dict[str, dict[int, float]] = {}
        pairs = 0
        for (condition, number), table in cells.items():
            values = _values(table, measure)
            if values is None:
                continue
            pairs = len(values)
            drawn = draws(pairs, bootstrap, seed)
            single.setdefault(condition, {})[number] = measure.of(values)
            repeated.setdefault(condition, {})[number] = (
                values[:, 0][drawn].mean(axis=1)
                if measure.statistic is None
                else np.array([measure.of(values[chosen]) for chosen in drawn])
            )
            found["cells"].append(
                {"condition": condition, "seed": number, "measure": measure.name, "value": single[condition][number]}
            )
        for condition in conditions:
            if condition not in single:
                continue
            numbers = sorted(single[condition])
            spread = _over_seeds([repeated[condition][n] for n in numbers], seed)
            figure = _unbiased(float(np.mean([single[condition][n] for n in numbers])), spread, measure, confidence)
            entry = {"condition": condition, "measure": measure.name, **figure.as_dict()}
            found["figures"].append({**entry, "seeds": len(numbers), "pairs": pairs})
            common = sorted(set(numbers) & set(single.get(baseline or "", {})))
            if baseline is None or condition == baseline or not common:
                continue
            gaps = [repeated[condition][n] - repeated[baseline][n] for n in common]
            value = float(np.mean([single[condition][n] - single[baseline][n] for n in common]))
            gap = _unbiased(value, _over_seeds(gaps, seed), measure, confidence)
            entry = {"condition": condition, "baseline": baseline, "measure": measure.name, "seeds": len(common)}
            found["differences"].append({**entry, **gap.as_dict()})
    return found


def _values(table: pd.DataFrame, measure: Measure) -> Values | None:
    """The measure's columns of the pairs that have them, shape (P, columns); None where there are none."""
    if not set(measure.columns) <= set(table.columns):
        return None
    values = table[list(measure.columns)].dropna().to_numpy(dtype=np.float64)
    return values if len(values) else None


def _unbiased(value: float, repeated: Values, measure: Measure, confidence: float) -> Interval:
    """Percentile interval around a figure, without the bias that drawing with replacement gives to a measure.

    Pairs drawn twice make prototypes look fewer and assignments more alike; a mean has no such bias. Source: Efron and
    Tibshirani 1993, section 10.6.
    """
    bias = 0.0 if measure.statistic is None else float(np.mean(repeated)) - value
    return interval(value, repeated - bias, confidence)


def _over_seeds(repeated: Sequence[Values], seed: int) -> Values:
    """Bootstrap of the mean over seeds: for each repetition, seeds are drawn too, shape (repetitions,).

    What the drawn seeds differ by from all of them is stretched by sqrt(n / (n - 1)): n seeds drawn from themselves
    spread less than n seeds do. With few seeds an interval is still too narrow. Source: Efron and Tibshirani 1993, 5.3.
    """
    stacked = np.stack(repeated)
    count, repetitions = stacked.shape
    chosen = np.random.default_rng([seed, 8]).integers(0, count, (repetitions, count))
    middle = stacked.mean(axis=0)
    drawn = stacked[chosen, np.arange(repetitions)[:, None]].mean(axis=1)
    found: Values = middle + (drawn - middle) * np.sqrt(count / max(1, count - 1))
    return found
