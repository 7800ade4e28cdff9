"""What each prototype holds: images of which sensor, of which label, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest, norm

Counts = npt.NDArray[np.integer]
Shares = npt.NDArray[np.float64]
CONFIDENCE = 0.95
"""Of all intervals of prototypes; what is left is the level at which a prototype's lean to one sensor counts."""


def perplexity(usage: npt.NDArray[np.number]) -> float:
    """Effective number of prototypes: exp of the entropy of their usage counts (K,), in [1, K]; 0 without any image."""
    total = float(np.sum(usage))
    if total == 0:
        return 0.0
    share = np.asarray(usage, dtype=np.float64)[np.asarray(usage) > 0] / total
    return float(np.exp(-(share * np.log(share)).sum()))


def wilson_interval(successes: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's interval of a share, in [0, 1]; (0, 1) for a count of 0."""
    if count == 0:
        return 0.0, 1.0
    interval = binomtest(successes, count).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def wilson_intervals(successes: Counts, counts: Counts, confidence: float = CONFIDENCE) -> tuple[Shares, Shares]:
    """Wilson's intervals of many shares, shape (N,) each, in [0, 1]; NaN for a count of 0.

    Source: Wilson 1927; Newcombe 1998, method 3.
    """
    n = np.asarray(counts, dtype=np.float64)
    some = n > 0
    n = np.where(some, n, np.nan)
    p, z = np.asarray(successes, dtype=np.float64) / n, float(norm.ppf((1 + confidence) / 2))
    middle = p + z**2 / (2 * n)
    reach = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    low, high = (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)
    return np.where(p <= 0, 0.0, low) + 0 * n, np.where(p >= 1, 1.0, high) + 0 * n


def row_entropy(counts: npt.NDArray[np.number]) -> Shares:
    """Entropy in nats of each row of counts, shape (K, C), in [0, ln C]; NaN for a row of zeros."""
    values = np.asarray(counts, dtype=np.float64)
    total = values.sum(axis=1, keepdims=True)
    share = np.divide(values, total, out=np.full_like(values, np.nan), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    found: Shares = -(share * logs).sum(axis=1) + 0.0
    return found


def counts_by(prototype: Counts, kind: npt.NDArray[np.integer], prototypes: int, kinds: int) -> npt.NDArray[np.int64]:
    """Images of each prototype and kind, shape (K, C), from both of each image, shape (N,); a negative one is left out.

    Raises:
        ValueError: a number is K or C, or more.
    """
    known = (prototype >= 0) & (kind >= 0)
    first, second = np.asarray(prototype)[known].astype(np.int64), np.asarray(kind)[known].astype(np.int64)
    for name, values, most in (("prototype", first, prototypes), ("kind", second, kinds)):
        if len(values) and values.max() >= most:
            raise ValueError(f"There is an image of {name} {values.max()}, but there are {most}, counted from 0.")
    flat = np.bincount(first * kinds + second, minlength=prototypes * kinds)
    return flat.reshape(prototypes, kinds).astype(np.int64)


def label_codes(assignments: pd.DataFrame, labels: pd.Series) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Number of each image's label, -1 where unknown, shape (N,); and the labels, sorted.

    Args:
        assignments: column ``pair_id``.
        labels: label of each pair, indexed by pair_id; null where unknown.
    """
    codes, names = pd.factorize(labels, sort=True)
    place = labels.index.get_indexer(pd.Index(assignments["pair_id"]))
    of_pair = np.append(np.asarray(codes, dtype=np.int64), -1)  # a pair that is not known has the last place
    return of_pair[place], [str(name) for name in names]


def prototype_table(
    assignments: pd.DataFrame, labels: pd.Series, prototypes: int, sensors: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row for each prototype.

    Args:
        assignments: columns ``pair_id``, ``sensor``, ``prototype``.
        labels: label of each pair, indexed by pair_id; null where unknown.
        prototypes: K.
        sensors: names in order; those of the assignments, sorted, when None.

    Returns:
        Index ``prototype`` 0..K-1; columns:

        - images of each sensor (named after it), ``images``, ``labelled``;
        - ``label`` (the most frequent one), ``purity`` (its share of the labelled images) with ``purity_low`` and
          ``purity_high`` (Wilson, 95%), ``label_entropy`` in nats;
        - ``sensor_entropy`` in nats, NaN for a dead prototype and where there is one sensor alone;
        - ``dead``: no image; ``only``: the one sensor whose images it holds, null otherwise;
        - ``only_p``: probability that as many images drawn at random would be of that sensor alone, its share of all
          images to the power of their number (the one-sided binomial test);
        - ``only_beyond_chance``: whether that is at most 5% divided by the prototypes tested (Bonferroni), those with
          an image.
    """
    index = pd.RangeIndex(prototypes, name="prototype")
    names = sorted(assignments["sensor"].unique()) if sensors is None else list(sensors)
    prototype = assignments["prototype"].to_numpy(dtype=np.int64)
    slot = pd.Index(names).get_indexer(pd.Index(assignments["sensor"]))
    usage = counts_by(prototype, np.asarray(slot), prototypes, len(names)) if names else np.zeros((prototypes, 0), int)
    table = pd.DataFrame(usage, index=index, columns=names)
    table["images"] = usage.sum(axis=1)
    code, words = label_codes(assignments, labels)
    counts = counts_by(prototype, code, prototypes, len(words)) if words else np.zeros((prototypes, 0), np.int64)
    labelled = counts.sum(axis=1)
    table["labelled"] = labelled
    top = counts.max(axis=1) if words else np.zeros(prototypes, dtype=np.int64)
    best = counts.argmax(axis=1) if words else np.zeros(prototypes, dtype=np.int64)
    named = [words[number] if some else None for number, some in zip(best, labelled > 0, strict=True)]
    table["label"] = pd.Series(named, index=index, dtype=object)
    table["purity"] = np.divide(top, labelled, out=np.full(prototypes, np.nan), where=labelled > 0)
    table["purity_low"], table["purity_high"] = wilson_intervals(top, labelled)
    table["label_entropy"] = row_entropy(counts) if words else np.nan
    return _sensor_columns(table, usage, names)


def _sensor_columns(table: pd.DataFrame, usage: npt.NDArray[np.int64], names: Sequence[str]) -> pd.DataFrame:
    """The columns about sensors, added."""
    images, several = usage.sum(axis=1), (usage.sum(axis=0) > 0).sum() > 1
    table["sensor_entropy"] = row_entropy(usage) if several else np.nan
    table["dead"] = images == 0
    lone = ((usage > 0).sum(axis=1) == 1) & several
    which = usage.argmax(axis=1) if names else np.zeros(len(table), dtype=np.int64)
    only = [names[number] if alone else None for number, alone in zip(which, lone, strict=True)]
    table["only"] = pd.Series(only, index=table.index, dtype=object)
    shares = usage.sum(axis=0) / max(1, int(usage.sum()))
    chance = shares[which] ** images if names else np.ones(len(table))
    table["only_p"] = np.where(lone, chance, np.nan)
    table["only_beyond_chance"] = lone & (chance <= (1 - CONFIDENCE) / max(1, int((images > 0).sum())))
    return table
