"""How pure the prototypes are on the whole: the share of images that have their prototype's most frequent label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from rice_ssl.evaluation.prototypes import label_codes
from rice_ssl.evaluation.repetitions import centred_interval, ends_of, parts_of, repetitions_for, shuffles_for

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Purity:
    """Share of labelled images that have the most frequent label of their prototype, next to chance.

    It is never below the share of the most frequent label of all, and grows with the number of prototypes, so that it
    means nothing without the null.

    Attributes:
        images: labelled ones.
        pairs: of these images.
        value: in [0, 1]; ``low`` and ``high``: centred percentile bootstrap over pairs, 95%.
        null_mean: the same with labels shuffled among the pairs, mean over shuffles; ``null_low`` and ``null_high``:
            their 2.5% and 97.5% quantiles.
        base: share of the most frequent label of all.
    """

    images: int
    pairs: int
    value: float
    low: float
    high: float
    null_mean: float
    null_low: float
    null_high: float
    base: float

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval lies above the null's."""
        return self.low > self.null_high


def overall_purity(
    assignments: pd.DataFrame, labels: pd.Series, *, shuffles: int | None = None, seed: int = 0
) -> Purity | None:
    """Purity of all prototypes together.

    Args:
        assignments: columns ``pair_id``, ``prototype``.
        labels: label of each pair, indexed by pair_id; null where unknown.
        shuffles: of labels among the labelled pairs; a pair's images keep one label. As in
            :func:`rice_ssl.evaluation.assignment_flow.assignment_agreement` when None.
        seed: of shuffles and bootstrap.

    Returns:
        None where no image is labelled.
    """
    code, words = label_codes(assignments, labels)
    known = code >= 0
    if not known.any():
        return None
    _, prototype = np.unique(assignments["prototype"].to_numpy(dtype=np.int64)[known], return_inverse=True)
    code, kinds = code[known], len(words)
    pair, _ = pd.factorize(assignments["pair_id"].to_numpy()[known])
    pairs, images = int(pair.max()) + 1, len(pair)
    of_pair = np.empty(pairs, dtype=np.int64)
    of_pair[pair] = code
    held = int(prototype.max()) + 1
    value = _purity(prototype, code, held, kinds)
    rng = np.random.default_rng(seed)
    times = shuffles_for(images) if shuffles is None else shuffles
    null = np.array([_purity(prototype, rng.permutation(of_pair)[pair], held, kinds) for _ in range(times)])
    low, high = _interval(value, prototype, code, pair, (held, kinds), rng)
    base = float(np.bincount(code).max() / images)
    return Purity(images, pairs, value, low, high, float(null.mean()), *ends_of(null), base)


def _purity(prototype: Codes, code: Codes, held: int, kinds: int) -> float:
    counts = np.bincount(prototype * kinds + code, minlength=held * kinds).reshape(held, kinds)
    return float(counts.max(axis=1).sum() / len(code))


def _interval(
    value: float, prototype: Codes, code: Codes, pair: Codes, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float]:
    """Pairs with the same cells are drawn together: their number is one of a multinomial."""
    cell = prototype * shape[1] + code
    incidence = sparse.csr_matrix((np.ones(len(pair)), (pair, cell)), shape=(int(pair.max()) + 1, shape[0] * shape[1]))
    groups, times = _alike(pair, cell, incidence)
    repeated = []
    for part in parts_of(repetitions_for(len(times)), max(len(times), groups.shape[1])):
        drawn = rng.multinomial(int(times.sum()), times / times.sum(), size=part)
        counts = np.asarray(drawn @ groups).reshape(part, *shape)
        repeated.append(counts.max(axis=2).sum(axis=1) / counts.sum(axis=(1, 2)))
    return centred_interval(value, np.concatenate(repeated))


def _alike(pair: Codes, cell: Codes, incidence: sparse.csr_matrix) -> tuple[sparse.csr_matrix, Codes]:
    """Cells of each group of pairs that have the same, shape (G, cells), and how many pairs it has."""
    order = np.lexsort((cell, pair))
    place = np.arange(len(pair)) - np.searchsorted(pair[order], pair[order])
    wide = np.full((incidence.shape[0], int(place.max()) + 1), -1, dtype=np.int64)
    wide[pair[order], place] = cell[order]
    frame = pd.DataFrame(wide)
    group = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy()
    _, first, times = np.unique(group, return_index=True, return_counts=True)
    return incidence[first], times.astype(np.int64)
