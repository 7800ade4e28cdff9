"""Early generalisation against batch size, over several runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from rice_ssl.dynamics.generalisation import Generalisation
from rice_ssl.errors import InputError

Floats = npt.NDArray[np.float64]
LEAST_RUNS = 4
"""Runs from which ranks are correlated: with three even a perfect order comes by chance once in three (two-sided)."""
ALL_ORDERS = 8
"""Runs up to which every order is tried; beyond it random ones."""
RANDOM_ORDERS = 10_000
_MEASURES: dict[str, Callable[[Generalisation], float | None]] = {
    "length": lambda found: found.length,
    "share": lambda found: found.share,
    "gap": lambda found: 0.0 if found.main is None else found.main.mean_gap.value,
    "corrected_gap": lambda found: (
        0.0 if found.main is None else None if found.corrected_gap is None else found.corrected_gap.value
    ),
}
"""What is held against batch size: length in the logs' unit, share of rows, mean gap of the main stretch (nats)."""


@dataclass(frozen=True)
class BatchSizeRow:
    """Means over the runs of one batch size; see :data:`_MEASURES`. None where no run has the value."""

    batch_size: int
    runs: int
    length: float | None
    share: float | None
    gap: float | None
    corrected_gap: float | None


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation of a measure with batch size.

    Attributes:
        measure: ``length``, ``share``, ``gap`` or ``corrected_gap``.
        value: in [-1, 1].
        chance_low: lower end of the middle 95% of what the runs give in random order.
        chance_high: upper end.
        p_value: two-sided, by permutation.
        runs: that have the measure.
    """

    measure: str
    value: float
    chance_low: float
    chance_high: float
    p_value: float
    runs: int


@dataclass(frozen=True)
class BatchSizeTable:
    """Early generalisation by batch size.

    Attributes:
        unit: of the lengths.
        rows: by batch size.
        correlations: of each measure; none with too few runs.
        sentence: the finding, or how many runs are lacking.
    """

    unit: str
    rows: tuple[BatchSizeRow, ...]
    correlations: tuple[RankCorrelation, ...]
    sentence: str

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "unit": self.unit,
            "rows": [dict(vars(row)) for row in self.rows],
            "correlations": [dict(vars(found)) for found in self.correlations],
            "sentence": self.sentence,
        }


def generalisation_by_batch_size(items: Sequence[tuple[int, Generalisation]], *, seed: int = 0) -> BatchSizeTable:
    """Hold where validation lies below training against batch size.

    Compare runs that differ in nothing else, and of the same number of epochs. A training loss that is averaged over a
    fixed number of batches (fastai's) is the older in epochs the larger the batches are, and lengthens the stretch by
    itself: weigh ``corrected_gap`` too.

    Args:
        items: batch size and result of each run.
        seed: of random orders, where there are too many to try all.

    Raises:
        InputError: no run, a batch size below 1, or logs that count different things.
    """
    usable = [(size, found) for size, found in items if found.share is not None]
    if not usable:
        raise InputError("No run can be compared: give runs that log training and validation loss.")
    if wrong := [size for size, _ in items if size < 1]:
        raise InputError(f"A batch size is {wrong[0]}: give a whole number of at least 1.")
    units = sorted({found.unit for _, found in usable})
    if len(units) > 1:
        raise InputError("Some of the logs count steps and others epochs: give logs that count the same.")
    values = {name: [measure(found) for _, found in usable] for name, measure in _MEASURES.items()}
    sizes = [size for size, _ in usable]
    rows = []
    for size in sorted(set(sizes)):
        of_size = [k for k, other in enumerate(sizes) if other == size]
        means = {name: _mean([given[k] for k in of_size]) for name, given in values.items()}
        rows.append(BatchSizeRow(size, len(of_size), **means))
    if len(usable) < LEAST_RUNS or len(rows) < 2:
        return BatchSizeTable(units[0], tuple(rows), (), _lacking(len(usable), len(rows)))
    found = [_correlation(name, sizes, given, seed) for name, given in values.items()]
    correlations = tuple(one for one in found if one is not None)
    return BatchSizeTable(units[0], tuple(rows), correlations, _sentence(correlations, len(rows)))


def _lacking(runs: int, sizes: int) -> str:
    more = max(LEAST_RUNS - runs, 2 - sizes)
    kind = " of another batch size" if sizes < 2 else ""
    return (
        f"{runs} run{'' if runs == 1 else 's'} of {sizes} batch size{'' if sizes == 1 else 's'} cannot show a "
        f"dependence on batch size: {more} more{kind} {'is' if more == 1 else 'are'} needed."
    )


def _correlation(name: str, sizes: Sequence[int], given: Sequence[float | None], seed: int) -> RankCorrelation | None:
    """Spearman's correlation with what chance gives; None where too few runs have the measure, or all the same."""
    pairs = [(size, value) for size, value in zip(sizes, given, strict=True) if value is not None]
    x, y = (_standard(rankdata([pair[k] for pair in pairs])) for k in (0, 1))
    if len(pairs) < LEAST_RUNS or not x.any() or not y.any():
        return None
    count = len(pairs)
    if count <= ALL_ORDERS:
        orders = np.array(list(permutations(range(count))))
    else:
        rng = np.random.default_rng(seed)
        orders = np.array([np.arange(count), *(rng.permutation(count) for _ in range(RANDOM_ORDERS))])
    chance = y[orders] @ x
    value = float(x @ y)
    low, high = np.quantile(chance, [0.025, 0.975])
    p_value = float((np.abs(chance) >= abs(value) - 1e-12).mean())
    return RankCorrelation(name, value, float(low), float(high), p_value, count)


def _standard(ranks: Floats) -> Floats:
    """Mean 0 and length 1; zeros where all are equal."""
    centred = np.asarray(ranks - ranks.mean(), np.float64) if len(ranks) else np.zeros(0)
    length = math.sqrt(float(centred @ centred))
    return centred / length if length else centred


def _mean(given: Sequence[float | None]) -> float | None:
    known = [value for value in given if value is not None]
    return float(np.mean(known)) if known else None


def _sentence(correlations: Sequence[RankCorrelation], sizes: int) -> str:
    length = next((found for found in correlations if found.measure == "length"), None)
    if length is None:
        return "Validation loss lies below training loss for as long in every run."
    way = "longer" if length.value > 0 else "shorter"
    sure = "" if length.p_value <= 0.05 else ", which chance gives as well"
    return (
        f"With larger batches validation loss lies below training loss for {way} (Spearman {length.value:.2f} over "
        f"{length.runs} runs of {sizes} batch sizes, p = {length.p_value:.2g}{sure})."
    )
