"""Which prototypes hold the two images of a pair: the flow from one sensor to another, next to chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.repetitions import centred_interval, ends_of, parts_of, repetitions_for, shuffles_for

Assignments = npt.NDArray[np.integer]


def paired_assignments(assignments: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Prototypes of the two images of each pair that has both.

    Args:
        assignments: columns ``pair_id``, ``sensor``, ``prototype``; one image of a sensor for each pair.
        first: a sensor.
        second: another one.

    Returns:
        Index ``pair_id``; integer columns ``first`` and ``second``, in the order of the first sensor's rows.
    """
    sides = [
        assignments.loc[assignments["sensor"] == name, ["pair_id", "prototype"]].drop_duplicates("pair_id")
        for name in (first, second)
    ]
    place = pd.Index(sides[1]["pair_id"]).get_indexer(pd.Index(sides[0]["pair_id"]))
    both = place >= 0
    values = {
        "first": sides[0]["prototype"].to_numpy(dtype=np.int64)[both],
        "second": sides[1]["prototype"].to_numpy(dtype=np.int64)[place[both]],
    }
    return pd.DataFrame(values, index=pd.Index(sides[0]["pair_id"].to_numpy()[both], name="pair_id"))


def contingency(first: Assignments, second: Assignments, prototypes: int) -> sparse.csr_matrix:
    """Pairs by the prototype of their first (row) and of their second image (column), shape (K, K), sparse.

    Args:
        first: of each pair, shape (P,), in 0..K-1; ``second`` likewise.
        second: in the same order of pairs.
        prototypes: K.
    """
    ones = np.ones(len(first), dtype=np.int64)
    return sparse.coo_matrix((ones, (first, second)), shape=(prototypes, prototypes)).tocsr()


@dataclass(frozen=True)
class Flows:
    """The largest flows from a first sensor's prototypes to a second's.

    Attributes:
        first: prototype of the first sensor's images, by flow, shape (F,); largest flow first.
        second: of the second's.
        pairs: that make it.
        other_flows: flows that are not among them.
        other_pairs: pairs that make those.
    """

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]
    other_flows: int
    other_pairs: int


def largest_flows(matrix: sparse.spmatrix, most: int) -> Flows:
    """The ``most`` largest entries of a :func:`contingency`; of equal ones those of the lower numbers."""
    cells = sparse.coo_matrix(matrix)
    order = np.lexsort((cells.col, cells.row, -cells.data))
    kept, rest = order[:most], order[most:]
    return Flows(
        cells.row[kept].astype(np.int64),
        cells.col[kept].astype(np.int64),
        cells.data[kept].astype(np.int64),
        len(rest),
        int(cells.data[rest].sum()),
    )


def normalised_mutual_information(
    joint: npt.NDArray[np.number], rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    """Normalised mutual information of two assignments, in [0, 1], from the non-empty cells of their contingency.

    Mutual information over the arithmetic mean of the two entropies, as scikit-learn has it; 1 where both have one
    prototype alone.

    Args:
        joint: pairs of each cell, shape (M, cells), of M tables with the same cells; zeros are allowed.
        rows: row of each cell, shape (cells,), 0..R-1 without a gap; ``columns`` likewise.
        columns: column of each cell.

    Source:
        Strehl and Ghosh 2002; the mean as in Vinh, Epps and Bailey 2010, table 2 (NMI sum).
    """
    counts = np.atleast_2d(np.asarray(joint, dtype=np.float64))
    cells = np.arange(len(rows))

    def summed(where: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        adds = sparse.csr_matrix((np.ones(len(cells)), (cells, where)))
        return np.asarray(counts @ adds)

    def information(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Entropy in nats: ln N less the mean of n ln n."""
        logs = np.log(values, out=np.zeros_like(values), where=values > 0)
        total = values.sum(axis=1)
        return np.asarray(np.log(total) - (values * logs).sum(axis=1) / total)

    one, other, both = information(summed(rows)), information(summed(columns)), information(counts)
    mean = (one + other) / 2
    found = np.divide(one + other - both, mean, out=np.ones_like(mean), where=mean > 1e-12)
    return np.clip(found, 0.0, 1.0)


@dataclass(frozen=True)
class AssignmentAgreement:
    """How often one prototype holds both images of a pair, and what one image's tells of the other's, next to chance.

    Attributes:
        pairs: with an image of each sensor.
        rate: share of pairs whose two images have the same prototype; ``low`` and ``high``: Wilson, 95%.
        null_mean: the same share with pairs shuffled, mean over shuffles; ``null_low`` and ``null_high``: their 2.5%
            and 97.5% quantiles.
        nmi: normalised mutual information of the two sensors' assignments, in [0, 1]; ``nmi_low`` and ``nmi_high``:
            centred percentile bootstrap over pairs, 95%. It is never below 0 and grows with the number of prototypes,
            so that it means nothing without ``nmi_null``, the same with pairs shuffled, mean and quantiles as above.
        beyond_chance: whether the rate's interval lies above the null's; ``nmi_beyond_chance`` likewise.
    """

    pairs: int
    rate: float
    low: float
    high: float
    null_mean: float
    null_low: float
    null_high: float
    nmi: float
    nmi_low: float
    nmi_high: float
    nmi_null: float
    nmi_null_low: float
    nmi_null_high: float

    @property
    def beyond_chance(self) -> bool:
        """See above."""
        return self.low > self.null_high

    @property
    def nmi_beyond_chance(self) -> bool:
        """See above."""
        return self.nmi_low > self.nmi_null_high


def assignment_agreement(
    first: Assignments, second: Assignments, *, shuffles: int | None = None, seed: int = 0
) -> AssignmentAgreement:
    """Compare the prototypes of the two images of each pair with a null of shuffled pairs.

    Args:
        first: prototypes of the first images, shape (P,).
        second: of the second ones, in the same order.
        shuffles: 200 when None, and fewer from 100,000 pairs on, whose null hardly varies.
        seed: of shuffles and bootstrap.
    """
    count = len(first)
    if count == 0:
        return AssignmentAgreement(0, *[float("nan")] * 12)
    _, codes = np.unique(np.concatenate([first, second]), return_inverse=True)  # dead prototypes cost nothing
    own, other = codes[:count].astype(np.int64), codes[count:].astype(np.int64)
    rng = np.random.default_rng(seed)
    times = shuffles_for(count) if shuffles is None else shuffles
    rates, informations = np.empty(times), np.empty(times)
    for number in range(times):
        shuffled = rng.permutation(other)
        rates[number] = (own == shuffled).mean()
        informations[number] = _nmi(*_cells(own, shuffled))
    rate = float((own == other).mean())
    low, high = wilson_interval(int((own == other).sum()), count)
    null_low, null_high = ends_of(rates)
    cells = _cells(own, other)
    nmi = _nmi(*cells)
    nmi_low, nmi_high = _nmi_interval(nmi, *cells, rng)
    nmi_null_low, nmi_null_high = ends_of(informations)
    return AssignmentAgreement(
        pairs=count,
        rate=rate,
        low=low,
        high=high,
        null_mean=float(rates.mean()),
        null_low=null_low,
        null_high=null_high,
        nmi=nmi,
        nmi_low=nmi_low,
        nmi_high=nmi_high,
        nmi_null=float(informations.mean()),
        nmi_null_low=nmi_null_low,
        nmi_null_high=nmi_null_high,
    )


def _cells(first: Assignments, second: Assignments) -> tuple[Assignments, Assignments, Assignments]:
    """Pairs, row and column of each non-empty cell."""
    size = int(max(first.max(), second.max())) + 1
    flat = first * size + second
    if size * size <= 4 * len(first) + 10_000:
        every = np.bincount(flat, minlength=size * size)
        where = np.flatnonzero(every)
        joint = every[where]
    else:
        where, joint = np.unique(flat, return_counts=True)
    return joint, where // size, where % size


def _nmi(joint: Assignments, rows: Assignments, columns: Assignments) -> float:
    return float(normalised_mutual_information(joint, rows, columns)[0])


def _nmi_interval(
    value: float, joint: Assignments, rows: Assignments, columns: Assignments, rng: np.random.Generator
) -> tuple[float, float]:
    """Drawing pairs with replacement is drawing the cells' counts from a multinomial."""
    total = int(joint.sum())
    repetitions = repetitions_for(len(joint))
    drawn = [_repeated(rng, total, joint, rows, columns, part) for part in parts_of(repetitions, len(joint))]
    return centred_interval(value, np.concatenate(drawn))


def _repeated(
    rng: np.random.Generator, total: int, joint: Assignments, rows: Assignments, columns: Assignments, times: int
) -> npt.NDArray[np.float64]:
    return normalised_mutual_information(rng.multinomial(total, joint / total, size=times), rows, columns)
