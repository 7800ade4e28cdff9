"""Images of a run that have vectors: which they are, by sensor and space, and the vectors themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.access import RunKey

EMBEDDING, PROJECTION = "embedding", "projection"
SPACES = {EMBEDDING: "Embeddings", PROJECTION: "Projections"}
"""Column of the vectors -> title of the space."""
PART = 50_000
"""Images whose vectors are copied at once, where it is for more than a search."""
Vector = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Images:
    """A sensor's images that have a vector in one space.

    Attributes:
        pair_ids: of each, shape (N,), in the order of the table.
        rows: of the table of embeddings, shape (N,).
        usable: images whose vector is finite; the others are never found.
    """

    pair_ids: pd.Series
    rows: npt.NDArray[np.int64]
    usable: int

    def of(self, vectors: Vector) -> Vector:
        """Their vectors, shape (N, E), out of all; not copied where the rows are evenly spaced, as pairs' are."""
        steps = np.unique(np.diff(self.rows))
        if len(steps) > 1:
            return np.asarray(vectors[self.rows])
        step = int(steps[0]) if len(steps) else 1
        return vectors[int(self.rows[0]) : int(self.rows[-1]) + 1 : step]

    def places(self, pair_ids: pd.Index) -> npt.NDArray[np.int64]:
        """Where the images of these pairs are, ascending."""
        return np.flatnonzero(self.pair_ids.isin(pair_ids).to_numpy()).astype(np.int64)

    def ids(self, places: npt.NDArray[np.int64]) -> list[str]:
        """Pairs of some of them, in the order in which they are given."""
        return [str(pair_id) for pair_id in self.pair_ids.iloc[places]]

    def place(self, pair_id: str) -> int | None:
        """Where a pair's image is; None where it has none."""
        found = np.flatnonzero((self.pair_ids == pair_id).to_numpy())
        return int(found[0]) if len(found) else None


def spaces(run: RunKey) -> list[str]:
    """Spaces in which there are vectors, the default first."""
    return [space for space in SPACES if access.vectors(run, "embeddings", space) is not None]


@st.cache_resource(max_entries=16, show_spinner=False)
def images(run: RunKey, sensor: str, space: str = EMBEDDING) -> Images | None:
    """Images of a sensor; None where it has none, or the space has no vectors. Shared: not to be changed.

    Raises:
        ArtifactError: the table is not there, or cannot be read.
    """
    keys = access.table(run, "embeddings", ["pair_id", "sensor"])
    vectors = access.vectors(run, "embeddings", space)
    rows = np.flatnonzero((keys["sensor"] == sensor).to_numpy()).astype(np.int64)
    if vectors is None or not len(rows):
        return None
    return Images(keys["pair_id"].iloc[rows].reset_index(drop=True), rows, int(finite(vectors, rows).sum()))


def finite(vectors: Vector, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of some rows of (N, E) hold neither NaN nor infinity; they are read some at a time."""
    return np.concatenate([np.isfinite(vectors[part]).all(axis=1) for part in parts(rows)] or [np.empty(0, bool)])


def has_direction(vectors: Vector) -> npt.NDArray[np.bool_]:
    """Which vectors, shape (N, E), can be asked with: finite, and not zero; shape (N,)."""
    return np.asarray(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))


def parts(rows: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Rows, some at a time."""
    return (rows[start : start + PART] for start in range(0, len(rows), PART))


def vector_of(run: RunKey, pair_id: str, sensor: str, space: str = EMBEDDING) -> Vector | None:
    """Vector of an image of the run, shape (E,), as the table has it; None where it has none."""
    own, vectors = images(run, sensor, space), access.vectors(run, "embeddings", space)
    place = None if own is None else own.place(pair_id)
    return None if own is None or vectors is None or place is None else vectors[own.rows[place]]
