"""How prototypes came about: usage, forming, dying, splitting and merging over the kept checkpoints of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.evaluation.assignment_flow import paired_assignments
from rice_ssl.evaluation.prototypes import counts_by, wilson_intervals

Steps = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]
QUARTER = 0.25
"""Least share of a prototype's images that another one takes over in a split, or gives in a merge."""
FEWEST = 8
"""Images that a prototype must have for a split or a merge of it to be told: of fewer, two are a quarter."""


@dataclass(frozen=True)
class UsageHistory:
    """Images of each prototype at each checkpoint.

    Attributes:
        steps: of the checkpoints, rising, shape (T,).
        epochs: of them, shape (T,).
        sensors: names in order.
        counts: shape (T, K, S).
    """

    steps: Steps
    epochs: npt.NDArray[np.float64]
    sensors: tuple[str, ...]
    counts: Counts

    @property
    def images(self) -> Counts:
        """Of both sensors together, shape (T, K)."""
        found: Counts = self.counts.sum(axis=2)
        return found

    @property
    def threshold(self) -> float:
        """Images from which on a prototype counts as formed: a quarter of an even share, one at least."""
        even = float(self.images.sum(axis=1).mean()) / max(1, int(self.counts.shape[1]))
        return max(1.0, QUARTER * even)


def usage_history(assignments: pd.DataFrame, prototypes: int, sensors: Sequence[str]) -> UsageHistory:
    """Count the images of the table ``assignments``.

    Args:
        assignments: columns ``step``, ``epoch``, ``sensor``, ``prototype``; the same images at each step.
        prototypes: K.
        sensors: names in order.
    """
    steps, place = np.unique(assignments["step"].to_numpy(dtype=np.int64), return_inverse=True)
    epochs = assignments.groupby("step")["epoch"].first().reindex(steps).to_numpy(dtype=np.float64)
    slot = np.asarray(pd.Index(list(sensors)).get_indexer(pd.Index(assignments["sensor"])))
    prototype, kinds = assignments["prototype"].to_numpy(dtype=np.int64), len(sensors)
    counts = np.stack(
        [counts_by(prototype[place == t], slot[place == t], prototypes, kinds) for t in range(len(steps))]
    )
    return UsageHistory(steps, epochs, tuple(sensors), counts)


def lives(history: UsageHistory) -> pd.DataFrame:
    """When each prototype formed and died.

    Returns:
        Index ``prototype``; nullable integer columns ``formed`` (first checkpoint from which on it never has fewer
        images than the history's threshold; null where it has at the last one) and ``died`` (first checkpoint from
        which on it has none; null where it has some at the last one, or never had any).
    """
    images, steps = history.images, history.steps
    index = pd.RangeIndex(images.shape[1], name="prototype")
    enough = np.logical_and.accumulate((images >= history.threshold)[::-1])[::-1]
    none = np.logical_and.accumulate((images == 0)[::-1])[::-1]

    def first(found: npt.NDArray[np.bool_], where: npt.NDArray[np.bool_]) -> pd.Series:
        values = pd.Series(steps[found.argmax(axis=0)], index=index, dtype="Int64")
        return values.where(where, None)

    return pd.DataFrame(
        {
            "formed": first(enough, np.any(enough, axis=0)),
            "died": first(none, np.any(none, axis=0) & np.any(images > 0, axis=0)),
        }
    )


def moves(assignments: pd.DataFrame, *, fewest: int = FEWEST) -> pd.DataFrame:
    """Splits and merges between one checkpoint and the next.

    A prototype splits where its images go to two prototypes or more, each with at least a quarter of them; it may be
    one of these itself. Two or more merge into one where its images come from them, at least a quarter from each.

    Args:
        assignments: columns ``step``, ``pair_id``, ``sensor``, ``prototype``.
        fewest: images that the prototype that splits, or that is merged into, has at least.

    Returns:
        Columns ``step`` (the later checkpoint's), ``kind`` (``split`` or ``merge``), ``prototype``, ``others`` (sorted
        list), ``images``; by step, kind, and images, most first.
    """
    rows: list[tuple[int, str, int, list[int], int]] = []
    wide = _wide(assignments)
    for before, after in zip(wide.columns[:-1], wide.columns[1:], strict=True):
        known = wide[[before, after]].dropna().to_numpy(dtype=np.int64)
        held, codes = np.unique(known, return_inverse=True)  # dead prototypes cost nothing
        codes = codes.reshape(known.shape)
        table = counts_by(codes[:, 0], codes[:, 1], len(held), len(held))
        for kind, flows in (("split", table), ("merge", table.T)):
            total = flows.sum(axis=1)
            parts = (flows >= QUARTER * total[:, None]) & (flows > 0) & (total[:, None] >= fewest)
            told = np.flatnonzero(parts.sum(axis=1) > 1)
            for number in told[np.argsort(-total[told], kind="stable")]:
                others = held[np.flatnonzero(parts[number])].tolist()
                rows.append((int(after), kind, int(held[number]), others, int(total[number])))
    return pd.DataFrame(rows, columns=["step", "kind", "prototype", "others", "images"])


def stability(assignments: pd.DataFrame) -> pd.DataFrame:
    """Share of images that have the prototype that they had at the checkpoint before.

    Returns:
        Index ``step`` (the later checkpoint's); columns ``rate``, ``low``, ``high`` (Wilson, 95%, as if images were
        independent) and ``images``.
    """
    wide = _wide(assignments)
    kept, counts = [], []
    for before, after in zip(wide.columns[:-1], wide.columns[1:], strict=True):
        known = wide[[before, after]].dropna()
        kept.append(int((known[before] == known[after]).sum()))
        counts.append(len(known))
    return _shares(kept, counts, [int(step) for step in wide.columns[1:]]).rename(columns={"count": "images"})


def agreement_history(assignments: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Share of pairs whose two images have one prototype, at each checkpoint, next to chance.

    Returns:
        Index ``step``; columns ``rate``, ``low``, ``high`` (Wilson, 95%), ``chance`` (what shuffled pairs have on
        average: the sum over prototypes of the product of both sensors' shares) and ``pairs``. Empty where no pair has
        both images.
    """
    same, counts, chance, steps = [], [], [], []
    for step in np.unique(assignments["step"].to_numpy(dtype=np.int64)):
        part = assignments[assignments["step"] == step]
        pairs = paired_assignments(part, first, second)
        if len(pairs):
            one, other = pairs["first"].to_numpy(), pairs["second"].to_numpy()
            size = int(max(one.max(), other.max())) + 1
            shares = [np.bincount(side, minlength=size) / len(pairs) for side in (one, other)]
            same.append(int((one == other).sum()))
            counts.append(len(pairs))
            chance.append(float(shares[0] @ shares[1]))
            steps.append(int(step))
    return _shares(same, counts, steps).assign(chance=chance).rename(columns={"count": "pairs"})


def _wide(assignments: pd.DataFrame) -> pd.DataFrame:
    """Prototype of each image (row) at each step (column, rising)."""
    return assignments.pivot(index=["pair_id", "sensor"], columns="step", values="prototype")


def _shares(hits: list[int], counts: list[int], steps: list[int]) -> pd.DataFrame:
    found, of = np.array(hits, dtype=np.int64), np.array(counts, dtype=np.int64)
    low, high = wilson_intervals(found, of)
    rate = np.divide(found, of, out=np.full(len(of), np.nan), where=of > 0)
    columns = {"rate": rate, "low": low, "high": high, "count": of}
    return pd.DataFrame(columns, index=pd.Index(steps, name="step", dtype="int64"))
