"""What one judge (a sensor, or both) says of each pair, next to the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.errors import ArtifactError

UNKNOWN = -1
"""Class number of a pair without a label, or with one that is no class of the run."""


@dataclass(frozen=True)
class Judged:
    """The judgements of one judge.

    Attributes:
        pairs: ids, each once, shape (N,).
        probabilities: shape (N, C), finite.
        labels: class numbers, shape (N,); ``UNKNOWN`` where there is none.
    """

    pairs: pd.Index
    probabilities: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """Most probable class of each pair, shape (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is the label, shape (N,); never where that is unknown."""
        return np.asarray(self.predicted == self.labels)

    def of(self, pairs: pd.Index) -> Judged:
        """The judgements of these pairs, in their order; each must be among them."""
        return self._rows(self.pairs.get_indexer(pairs))

    def labelled(self) -> Judged:
        """The pairs whose label is a class."""
        return self._rows(np.flatnonzero(self.labels != UNKNOWN))

    def _rows(self, rows: npt.NDArray[np.intp]) -> Judged:
        return Judged(self.pairs[rows], self.probabilities[rows], self.labels[rows])


def by_judge(table: pd.DataFrame, classes: Sequence[str]) -> dict[str, Judged]:
    """Split predictions of one split by judge.

    Args:
        table: columns ``pair_id``, ``sensor``, ``probabilities``, ``label``.
        classes: names, in the order of the probabilities.

    Raises:
        ArtifactError: a judge judges a pair twice, or probabilities are not finite or not of these classes.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    found = {}
    for name, part in table.groupby("sensor"):
        remedy = "Make the predictions anew with `rice-ssl embed` or `rice-ssl cross-validate`."
        twice = part["pair_id"][part["pair_id"].duplicated()]
        if len(twice):
            raise ArtifactError(f"Pair {twice.iloc[0]!r} has two predictions of {str(name)!r}. {remedy}")
        vectors = [np.asarray(v, dtype=np.float64) for v in part["probabilities"]]
        bad = [k for k, v in enumerate(vectors) if v.shape != (len(classes),) or not np.isfinite(v).all()]
        if bad:
            raise ArtifactError(
                f"Probabilities of pair {part['pair_id'].iloc[bad[0]]!r} by {str(name)!r} are {vectors[bad[0]]}: "
                f"{len(classes)} finite numbers are needed. {remedy}"
            )
        labels = part["label"].map(numbers).fillna(UNKNOWN).to_numpy(dtype=np.int64)
        found[str(name)] = Judged(pd.Index(part["pair_id"]), np.stack(vectors), labels.astype(np.int64))
    return found
