"""Neighbourhoods of pairs in the original space, and an index of the sensors that have very many images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from rice_ssl.artifacts import RunStore, atomic_path
from rice_ssl.embeddings.neighbourhoods import Neighbourhoods, neighbourhoods, neighbourhoods_by_index
from rice_ssl.embeddings.neighbours import Rows, finite_rows
from rice_ssl.embeddings.similar import EXACT_AT_MOST, SimilarIndex, build_index, index_file

SPACE = "embedding"
Vectors = npt.NDArray[np.float32]


@dataclass
class Written:
    """What was found.

    Attributes:
        pairs: with an embedding of both sensors.
        noted: for ``map.json``; None where there is nothing to compare.
        similar: for ``map.json``: of each sensor, how many images are searched, and how.
        notes: what was left out.
    """

    pairs: int = 0
    noted: dict[str, Any] | None = None
    similar: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def write_neighbourhoods(store: RunStore, nearest: int, *, seed: int, progress: bool) -> Written:
    """Write ``neighbourhoods.parquet`` of the first two sensors.

    ``index/`` is written of sensors with more than 100,000 images. The table is empty where no two pairs have an
    embedding of both sensors.

    Args:
        store: of a run with embeddings.
        nearest: pairs of a neighbourhood.
        seed: of shuffled pairs and of the indexes.
        progress: whether to show it.

    Raises:
        ArtifactError: the embeddings are not there, or cannot be read.
    """
    keys, vectors = store.read_table("embeddings", ["pair_id", "sensor"]), store.read_vectors("embeddings", SPACE)
    found = Written()
    names = [str(sensor["name"]) for sensor in store.info()["sensors"]]
    finite = np.zeros(len(keys), dtype=np.bool_) if vectors is None else finite_rows(vectors)
    rows = {name: np.flatnonzero((keys["sensor"] == name).to_numpy()) for name in names}
    indexes = {}
    for name, own in rows.items():
        usable = int(finite[own].sum())
        found.similar[name] = {"images": usable, "exact": True, "recall": None}
        if vectors is not None and usable > EXACT_AT_MOST:
            indexes[name] = _index(store, name, vectors, own, seed, progress)
            found.similar[name] |= {"exact": False, "recall": indexes[name].recall}
        else:
            store.remove(index_file(SPACE, name))
    table = pd.DataFrame({"pair_id": [], "overlap": [], "first_rank": [], "second_rank": []}).astype({"pair_id": "str"})
    two = [] if vectors is None else _twins(keys, finite, [rows[name] for name in names[:2]])
    if vectors is not None and len(names) > 1 and len(two[0]) > 1:
        measured = _measure(vectors, names[:2], two, rows, indexes, nearest, seed, progress)
        table = pd.DataFrame(
            {
                "pair_id": keys["pair_id"].iloc[two[0]].to_numpy(),
                "overlap": measured.overlap,
                "first_rank": _known(measured.first_rank),
                "second_rank": _known(measured.second_rank),
            }
        )
        found.pairs = len(table)
        found.noted = {
            "neighbours": measured.neighbours,
            "pairs": len(table),
            "expected": measured.expected,
            "exact": measured.exact,
            "recall": measured.recall,
        }
    else:
        found.notes.append("fewer than two pairs have an embedding of both sensors, so no neighbourhoods are compared")
    store.write_table("neighbourhoods", table)
    return found


def _index(store: RunStore, name: str, vectors: Vectors, rows: Rows, seed: int, progress: bool) -> SimilarIndex:
    with tqdm(total=len(rows), desc=f"index of {name}", unit="image", disable=not progress) as bar:
        made = build_index(vectors[rows], seed=seed, advance=bar.update)
    file = index_file(SPACE, name)
    with atomic_path(store.root / file) as temporary:
        made.write(temporary)
    store.note_hash(file)
    return made


def _twins(keys: pd.DataFrame, finite: npt.NDArray[np.bool_], rows: list[Rows]) -> list[Rows]:
    """Rows of the images of pairs that have a finite vector of every sensor, in the order of the first's."""
    if len(rows) < 2:
        return [np.empty(0, dtype=np.int64)]
    ids = [pd.Index(keys["pair_id"].iloc[own[finite[own]]]) for own in rows]
    places = ids[1].get_indexer(ids[0])
    kept = [own[finite[own]] for own in rows]
    return [kept[0][places >= 0], kept[1][places[places >= 0]]]


def _measure(
    vectors: Vectors,
    names: list[str],
    two: list[Rows],
    rows: dict[str, Rows],
    indexes: dict[str, SimilarIndex],
    nearest: int,
    seed: int,
    progress: bool,
) -> Neighbourhoods:
    first, second = (vectors[own] for own in two)
    exact = len(first) <= EXACT_AT_MOST
    searches = 3 if exact else 4  # one by one, both sensors' twins are ranked at once
    with tqdm(total=searches * len(first), desc="neighbourhoods", unit="image", disable=not progress) as bar:
        if exact:
            return neighbourhoods(first, second, nearest, seed=seed, advance=bar.update)
        pair_of = []
        for name, own in zip(names, two, strict=True):
            numbers = np.full(len(vectors), -1, dtype=np.int64)
            numbers[own] = np.arange(len(own))
            pair_of.append(numbers[rows[name]])
        return neighbourhoods_by_index(
            first, second, [indexes[name] for name in names], pair_of, nearest, seed=seed, advance=bar.update
        )


def _known(ranks: Rows) -> pd.Series:
    return pd.Series(ranks, dtype="Int64").where(ranks > 0)
