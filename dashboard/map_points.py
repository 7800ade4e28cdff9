"""Points of a map, and where tables speak of them: arrays of one value for each point, all in the same order.

Everything here is shared by all sessions and not to be changed. Nothing makes an object for each of a million points:
tables come as Arrow, and are laid beside the points by number. Where a table has its images in the order of the points,
as ``rice-ssl embed`` and ``rice-ssl map`` write them, not even that is looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from dashboard.point_values import text_array

_METHODS = ("umap", "tsne", "pca")
_SPACES = ("embedding", "projection", "logits", "prototype_logits")
_IMAGES = "FROM map WHERE kind = 'image'"


@dataclass(frozen=True)
class MapKey:
    """A map of a run."""

    method: str
    space: str
    dimensions: int
    seed: int


def map_keys(run: RunKey) -> list[MapKey]:
    """Maps of images that the run has: by method, space, dimensions and seed, in a fixed order.

    Raises:
        ArtifactError: the run has no map, or it cannot be read.
    """
    return list(_map_keys(run))


@st.cache_resource(max_entries=8, show_spinner=False)
def _map_keys(run: RunKey) -> list[MapKey]:
    found = access.query(run, f"SELECT DISTINCT method, space, dimensions, seed {_IMAGES}", ["map"])
    keys = [MapKey(**one) for one in found.to_pylist()]

    def order(key: MapKey) -> tuple[int, str, int, str, int, int]:
        method = _METHODS.index(key.method) if key.method in _METHODS else len(_METHODS)
        space = _SPACES.index(key.space) if key.space in _SPACES else len(_SPACES)
        return method, key.method, space, key.space, key.dimensions, key.seed

    return sorted(keys, key=order)


@st.cache_resource(max_entries=6, show_spinner=False)
def points(run: RunKey, key: MapKey) -> pd.DataFrame:
    """The points of a map, one row for each image: row k is "point k".

    Returns:
        ``pair_id`` (text), ``sensor`` (category, of :func:`dashboard.access.sensors`), ``x`` and ``y``, in three
        dimensions ``z``, as float32, and ``fitted``.

    Raises:
        ArtifactError: there is no such map, or it cannot be read.
    """
    places = ["x", "y", "z"][: key.dimensions]
    found = access.query(
        run,
        f"SELECT pair_id, sensor, {', '.join(f'{name}::FLOAT AS {name}' for name in places)}, fitted {_IMAGES} "
        "AND method = ? AND space = ? AND dimensions = ? AND seed = ?",
        ["map"],
        [key.method, key.space, key.dimensions, key.seed],
    )
    names = access.sensors(run)
    codes = pc.index_in(found["sensor"], value_set=pa.array(names, pa.string()))
    columns: dict[str, object] = {
        "pair_id": found["pair_id"].to_pandas(),
        "sensor": pd.Categorical.from_codes(_filled(codes), names),
        **{name: found[name].to_numpy() for name in places},
        "fitted": pc.fill_null(found["fitted"], True).to_numpy(),
    }
    return pd.DataFrame(columns)


@dataclass(frozen=True)
class Images:
    """Images of a map by number.

    Attributes:
        pair_ids: of its pairs, each once.
        pairs: number of each point's pair, shape (N,).
        sensors: number of each point's sensor, shape (N,); -1 for one that the run does not know.
        texts: id of each point's pair, to see whether a table has the same order.
    """

    pair_ids: pa.Array
    pairs: npt.NDArray[np.int32]
    sensors: npt.NDArray[np.int8]
    texts: pa.Array


@st.cache_resource(max_entries=6, show_spinner=False)
def images(run: RunKey, key: MapKey) -> Images:
    """The images of a map by number; shared."""
    found = points(run, key)
    texts = text_array(found["pair_id"])
    coded = texts.dictionary_encode()
    return Images(coded.dictionary, coded.indices.to_numpy(), found["sensor"].cat.codes.to_numpy(), texts)


def _filled(indices: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int32]:
    """What ``index_in`` found, with -1 for nothing."""
    filled: npt.NDArray[np.int32] = pc.fill_null(indices, -1).to_numpy()
    return filled


@st.cache_resource(max_entries=32, show_spinner=False)
def rows_in(run: RunKey, key: MapKey, name: str, per_pair: bool = False) -> npt.NDArray[np.int32] | None:
    """Row of a table that is about each point, shape (N,), -1 for none; the first where there are several.

    Args:
        run: the run.
        key: of the map.
        name: of the table.
        per_pair: whether it has a row for each pair, not for each image.

    Returns:
        None where the table's first rows are about the points in their order, so that nothing is to be looked up.
    """
    own, pairs = images(run, key), pairs_in(run, key, name)
    sensors = None if per_pair else _sensors_in(run, name)
    count = len(own.pairs)
    if (
        sensors is not None
        and np.array_equal(pairs[:count], own.pairs)
        and np.array_equal(sensors[:count], own.sensors)
    ):
        return None
    if sensors is None:
        numbers, wanted, size = pairs, own.pairs, len(own.pair_ids)
    else:
        names = access.sensors(run)
        numbers = np.where((pairs >= 0) & (sensors >= 0), pairs.astype(np.int64) * len(names) + sensors, -1)
        wanted = np.where(own.sensors >= 0, own.pairs.astype(np.int64) * len(names) + own.sensors, -1)
        size = len(own.pair_ids) * len(names)
    row_of = np.full(size + 1, -1, dtype=np.int32)  # the last is that of number -1
    rows = np.flatnonzero(numbers >= 0)[::-1]
    row_of[numbers[rows]] = rows
    return row_of[wanted]


@st.cache_resource(max_entries=24, show_spinner=False)
def pairs_in(run: RunKey, key: MapKey, name: str) -> npt.NDArray[np.int32]:
    """Number of the pair that each row of a table is about, -1 for one that is not on the map."""
    own = images(run, key)
    texts = access.arrow(run, name, ["pair_id"])["pair_id"].combine_chunks()
    count = len(own.texts)
    if texts.slice(0, count).equals(own.texts):  # so it is, at least at its beginning, as embed and map write tables
        further = _filled(pc.index_in(texts.slice(count), value_set=own.pair_ids)) if len(texts) > count else None
        return own.pairs if further is None else np.concatenate([own.pairs, further])
    return _filled(pc.index_in(texts, value_set=own.pair_ids))


@st.cache_resource(max_entries=24, show_spinner=False)
def _sensors_in(run: RunKey, name: str) -> npt.NDArray[np.int8]:
    """Number of the sensor that each row of a table is about, -1 for one that the run does not know, as ``both``."""
    texts = access.arrow(run, name, ["sensor"])["sensor"]
    return _filled(pc.index_in(texts, value_set=pa.array(access.sensors(run), pa.string()))).astype(np.int8)


def beside(run: RunKey, key: MapKey, name: str, column: str, per_pair: bool = False) -> pa.Array:
    """Values of a table's column, one for each point; null where it has none."""
    values = access.arrow(run, name, [column])[column]
    return laid_beside(run, key, name, values, per_pair)


def laid_beside(run: RunKey, key: MapKey, name: str, values: pa.ChunkedArray, per_pair: bool = False) -> pa.Array:
    """Values of a table's rows, one for each point; null where the table has none."""
    rows = rows_in(run, key, name, per_pair)
    if rows is None:
        return values.slice(0, len(points(run, key))).combine_chunks()
    return values.combine_chunks().take(pa.array(rows, mask=rows < 0))


@st.cache_resource(max_entries=6, show_spinner=False)
def twins(run: RunKey, key: MapKey) -> npt.NDArray[np.int32]:
    """Point of the pair's image of the next sensor on the same map, shape (N,), -1 where the pair has no other image.

    Of two sensors each image's twin is the other one; of more, the last leads back to the first.
    """
    own, count = images(run, key), len(access.sensors(run))
    row_of = np.full((len(own.pair_ids), count), -1, dtype=np.int32)
    known = np.flatnonzero(own.sensors >= 0)
    row_of[own.pairs[known], own.sensors[known]] = known
    found = np.full(len(own.pairs), -1, dtype=np.int32)
    for step in range(count - 1, 0, -1):  # the nearest one last, so that it holds
        other = row_of[own.pairs[known], (own.sensors[known] + step) % count]
        found[known] = np.where(other >= 0, other, found[known])
    return found


def rows_of(run: RunKey, key: MapKey, pair_ids: Sequence[str]) -> npt.NDArray[np.int64]:
    """Points whose pair is among these, ascending."""
    own = images(run, key)
    wanted = pa.array([str(one) for one in pair_ids], pa.string())
    return np.flatnonzero(pc.is_in(own.pair_ids, value_set=wanted).to_numpy(zero_copy_only=False)[own.pairs])
