"""What the prototypes hold: usage, purity, and whether they hold the two images of a pair together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import normalized_mutual_info_score

Assignments = npt.NDArray[np.integer]


def perplexity(usage: npt.NDArray[np.number]) -> float:
    """Effective number of prototypes: exp of the entropy of their usage counts (K,), in [1, K]; 0 without any image."""
    total = float(np.sum(usage))
    if total == 0:
        return 0.0
    share = np.asarray(usage, dtype=np.float64)[np.asarray(usage) > 0] / total
    return float(np.exp(-(share * np.log(share)).sum()))


def wilson_interval(successes: int, count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share, in [0, 1]; (0, 1) for a count of 0."""
    if count == 0:
        return 0.0, 1.0
    interval = binomtest(successes, count).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def prototype_table(assignments: pd.DataFrame, labels: pd.Series, prototypes: int) -> pd.DataFrame:
    """One row for each prototype.

    Args:
        assignments: columns ``pair_id``, ``sensor``, ``prototype``.
        labels: label of each pair, indexed by pair_id; null where unknown.
        prototypes: K.

    Returns:
        Index ``prototype`` 0..K-1; columns: images of each sensor (named after it), ``images``, ``labelled``, ``label``
        (the most frequent one), ``purity`` with ``purity_low`` and ``purity_high`` (Wilson, 95%), ``label_entropy`` in
        nats.
    """
    index = pd.RangeIndex(prototypes, name="prototype")
    table = assignments.groupby(["prototype", "sensor"]).size().unstack(fill_value=0).reindex(index, fill_value=0)
    table["images"] = table.sum(axis=1)
    known = assignments.assign(label=assignments["pair_id"].map(labels)).dropna(subset=["label"])
    counts = known.groupby(["prototype", "label"]).size().unstack(fill_value=0).reindex(index, fill_value=0)
    table["labelled"] = counts.sum(axis=1).astype(int) if len(counts.columns) else 0
    if not len(counts.columns):
        return table.assign(label=None, purity=np.nan, purity_low=np.nan, purity_high=np.nan, label_entropy=np.nan)
    top = counts.max(axis=1)
    some = table["labelled"] > 0
    table["label"] = counts.idxmax(axis=1).where(some, None)
    table["purity"] = (top / table["labelled"].where(some)).astype(float)
    bounds = [
        wilson_interval(int(a), int(n)) if n else (np.nan, np.nan) for a, n in zip(top, table["labelled"], strict=True)
    ]
    table["purity_low"], table["purity_high"] = zip(*bounds, strict=True)
    share = counts.div(table["labelled"].where(some), axis=0)
    table["label_entropy"] = -(share * np.log(share.where(share > 0))).sum(axis=1).where(some)
    return table


@dataclass(frozen=True)
class AssignmentAgreement:
    """How often one prototype holds both images of a pair, next to chance.

    Attributes:
        pairs: with an image of each sensor.
        rate: share of pairs whose two images have the same prototype; ``low`` and ``high``: Wilson, 95%.
        null_mean: the same share with pairs shuffled, mean over shuffles; ``null_high``: their 97.5% quantile.
        nmi: normalised mutual information of the two sensors' assignments, in [0, 1]; ``nmi_null`` with pairs shuffled.
    """

    pairs: int
    rate: float
    low: float
    high: float
    null_mean: float
    null_high: float
    nmi: float
    nmi_null: float


def assignment_agreement(
    first: Assignments, second: Assignments, *, shuffles: int = 200, seed: int = 0
) -> AssignmentAgreement:
    """Compare the prototypes of the two images of each pair, shape (P,), with a null of shuffled pairs."""
    count = len(first)
    if count == 0:
        return AssignmentAgreement(0, *[float("nan")] * 7)
    rng = np.random.default_rng(seed)
    shuffled = [second[rng.permutation(count)] for _ in range(shuffles)]
    null = np.array([(first == other).mean() for other in shuffled])
    rate = float((first == second).mean())
    low, high = wilson_interval(int((first == second).sum()), count)
    return AssignmentAgreement(
        pairs=count,
        rate=rate,
        low=low,
        high=high,
        null_mean=float(null.mean()),
        null_high=float(np.quantile(null, 0.975)),
        nmi=float(normalized_mutual_info_score(first, second)),
        nmi_null=float(np.mean([normalized_mutual_info_score(first, other) for other in shuffled[:20]])),
    )
