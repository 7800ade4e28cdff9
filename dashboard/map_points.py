"""Points of a map and what is known of them: arrays of one value for each point, all in the same order.

Everything here is shared by all sessions and not to be changed. Nothing makes an object for each of a million points:
tables come as Arrow, and are laid beside the points by number. Where a table has its images in the order of the points,
as ``rice-ssl embed`` and ``rice-ssl map`` write them, not even that is looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from dashboard.components.words import NO_LABEL
from dashboard.point_values import at, category, greatest_of_each, number, text_array

NO_PREDICTION = "no prediction"
_METHODS = ("umap", "tsne", "pca")
_SPACES = ("embedding", "projection", "logits", "prototype_logits")
_SPLITS = ("train", "val", "test")
_IMAGES = "FROM map WHERE kind = 'image'"


@dataclass(frozen=True)
class MapKey:
    """A map of a run."""

    method: str
    space: str
    dimensions: int
    seed: int


@dataclass(frozen=True)
class Column:
    """What points can be coloured and filtered by.

    Attributes:
        name: key in code.
        title: as it is written on screen.
        kind: ``category`` or ``number``.
    """

    name: str
    title: str
    kind: str


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
class _Images:
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
def _images(run: RunKey, key: MapKey) -> _Images:
    found = points(run, key)
    texts = text_array(found["pair_id"])
    coded = texts.dictionary_encode()
    return _Images(coded.dictionary, coded.indices.to_numpy(), found["sensor"].cat.codes.to_numpy(), texts)


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
    own, pairs = _images(run, key), _pairs_in(run, key, name)
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
def _pairs_in(run: RunKey, key: MapKey, name: str) -> npt.NDArray[np.int32]:
    """Number of the pair that each row of a table is about, -1 for one that is not on the map."""
    own = _images(run, key)
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


def _beside(run: RunKey, key: MapKey, name: str, column: str, per_pair: bool = False) -> pa.Array:
    """Values of a table's column, one for each point; null where it has none."""
    values = access.arrow(run, name, [column])[column]
    return _laid_beside(run, key, name, values, per_pair)


def _laid_beside(run: RunKey, key: MapKey, name: str, values: pa.ChunkedArray, per_pair: bool = False) -> pa.Array:
    rows = rows_in(run, key, name, per_pair)
    if rows is None:
        return values.slice(0, len(points(run, key))).combine_chunks()
    return values.combine_chunks().take(pa.array(rows, mask=rows < 0))


@st.cache_resource(max_entries=6, show_spinner=False)
def twins(run: RunKey, key: MapKey) -> npt.NDArray[np.int32]:
    """Point of the pair's image of the next sensor on the same map, shape (N,), -1 where the pair has no other image.

    Of two sensors each image's twin is the other one; of more, the last leads back to the first.
    """
    own, count = _images(run, key), len(access.sensors(run))
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
    own = _images(run, key)
    wanted = pa.array([str(one) for one in pair_ids], pa.string())
    return np.flatnonzero(pc.is_in(own.pair_ids, value_set=wanted).to_numpy(zero_copy_only=False)[own.pairs])


# -- columns ----------------------------------------------------------------------------------------------------------

_MANIFEST_TITLES = {"fold": "Fold", "group": "Group", "width": "Width (pixels)", "height": "Height (pixels)"}
_QUALITY_TITLES = {
    "brightness": "Brightness",
    "sharpness": "Sharpness",
    "clipped": "Clipped values (share)",
    "leaf_area": "Leaf area (share)",
}
_KEYS = {"pair_id", "sensor", "path", "sha256", "label", "split", "fold", "group"}


def columns(run: RunKey) -> list[Column]:
    """What points can be coloured and filtered by, of the tables that are there.

    Raises:
        ArtifactError: a table cannot be read.
    """
    return [column for column, _ in _columns(run).values()]


_Values = Callable[[RunKey, MapKey], pd.Series]


@st.cache_resource(max_entries=8, show_spinner=False)
def _columns(run: RunKey) -> dict[str, tuple[Column, _Values]]:
    found: list[tuple[str, str, str, _Values]] = []
    manifest = access.column_names(run, "manifest")
    if manifest:
        found.append(("label", "Label", "category", _label))
    found.append(("sensor", "Sensor", "category", lambda run, key: points(run, key)["sensor"]))
    if manifest:
        found.append(("split", "Split", "category", _split))
    if access.judged_by(run) is not None:
        found.append(("prediction", "Prediction", "category", _prediction))
        if manifest:
            found.append(("correct", "Correct", "category", _correct))
        found.append(("confidence", "Confidence", "number", _confidence))
    if access.has(run, "prototypes"):
        found.append(("prototype", "Prototype", "category", _prototype))
        if _clusters(run) is not None:
            found.append(("cluster", "Cluster of prototypes", "category", _cluster))
        found.append(("prototype_confidence", "Confidence of the prototype", "number", _of("prototypes", "confidence")))
        found.append(("entropy", "Entropy over prototypes (nats)", "number", _of("prototypes", "entropy")))
    if access.has(run, "neighbourhoods"):
        found.append(
            ("overlap", "Overlap of neighbourhoods", "number", _of("neighbourhoods", "overlap", per_pair=True))
        )
    if manifest:
        found.append(("fold", "Fold", "category", _of("manifest", "fold")))
        if _has_groups(run):
            found.append(("group", "Group", "category", _of("manifest", "group")))
    for table, titles in (("manifest", _MANIFEST_TITLES), ("quality", _QUALITY_TITLES)):
        taken = _KEYS | {name for name, *_ in found}
        for name, kind in _kinds(run, table):
            if name not in taken:
                found.append((name, titles.get(name, name), kind, _of(table, name)))
    return {name: (Column(name, title, kind), values) for name, title, kind, values in found}


def column(run: RunKey, key: MapKey, name: str) -> pd.Series:
    """Values of a column for each point: categories, or float32 with NaN where a value is not known.

    Points without label are ``no label``, those without prediction ``no prediction``; ``correct`` is ``right``,
    ``wrong``, or what of the two is lacking. Other categories are missing where they are not known.

    Raises:
        KeyError: it is none of :func:`columns`.
        ArtifactError: a table cannot be read.
    """
    return _column(run, key, name)


@st.cache_resource(max_entries=48, show_spinner=False)
def _column(run: RunKey, key: MapKey, name: str) -> pd.Series:
    _, values = _columns(run)[name]
    return values(run, key).rename(name)


def _kinds(run: RunKey, table: str) -> list[tuple[str, str]]:
    """Columns of a table that points can have a colour by, with the kind of each."""
    names = access.column_names(run, table)
    if not names:
        return []
    found = []
    for field in access.query(run, f"SELECT * FROM {table} LIMIT 0", [table]).schema:
        if pa.types.is_boolean(field.type) or pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            found.append((field.name, "category"))
        elif pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
            found.append((field.name, "number"))
    return found


def _of(table: str, name: str, *, per_pair: bool = False) -> _Values:
    """Values of a table's column as they stand."""

    def values(run: RunKey, key: MapKey) -> pd.Series:
        found = _beside(run, key, table, name, per_pair)
        if name in ("fold", "group") or not (pa.types.is_integer(found.type) or pa.types.is_floating(found.type)):
            return category(found)
        return number(found)

    return values


def _has_groups(run: RunKey) -> bool:
    """Whether groups say more than which pair an image is of."""
    (counts,) = access.query(
        run, 'SELECT count(DISTINCT "group") AS groups, count(DISTINCT pair_id) AS pairs FROM manifest', ["manifest"]
    ).to_pylist()
    return bool(counts["groups"] < counts["pairs"])


def _label(run: RunKey, key: MapKey) -> pd.Series:
    return category(_of_pairs(run, key, "label"), list(access.info(run)["classes"]), missing=NO_LABEL)


def _split(run: RunKey, key: MapKey) -> pd.Series:
    return category(_of_pairs(run, key, "split"), _SPLITS)


def _of_pairs(run: RunKey, key: MapKey, name: str) -> pa.Array:
    """A column of the manifest that is one value of a pair, the first that is known; as :func:`access.labels`."""
    own, coded = _images(run, key), access.arrow(run, "manifest", [name])[name].combine_chunks().dictionary_encode()
    pairs, codes = _pairs_in(run, key, "manifest"), pc.fill_null(coded.indices, -1).to_numpy()
    known = np.flatnonzero((codes >= 0) & (pairs >= 0))[::-1]
    code_of = np.full(len(own.pair_ids), -1, dtype=np.int32)
    code_of[pairs[known]] = codes[known]
    found = code_of[own.pairs]
    return pa.DictionaryArray.from_arrays(pa.array(found, mask=found < 0), coded.dictionary)


def _prediction(run: RunKey, key: MapKey) -> pd.Series:
    found = _beside(run, key, str(access.judged_by(run)), "prediction")
    return category(found, list(access.info(run)["classes"]), missing=NO_PREDICTION)


def _correct(run: RunKey, key: MapKey) -> pd.Series:
    label, prediction = column(run, key, "label"), column(run, key, "prediction")
    names = pd.Index([*label.cat.categories, *prediction.cat.categories]).unique()
    known, said = (values.cat.set_categories(names).cat.codes.to_numpy() for values in (label, prediction))
    unlabelled, silent = ((codes == _code(names, name)) for codes, name in ((known, NO_LABEL), (said, NO_PREDICTION)))
    codes = np.select([unlabelled, silent, known == said], [2, 3, 0], default=1)
    kinds = ["right", "wrong", NO_LABEL] + ([NO_PREDICTION] if (codes == 3).any() else [])
    return pd.Series(pd.Categorical.from_codes(codes, kinds))


def _code(names: pd.Index, name: str) -> int:
    """Code of a category; one that no value has where there is none."""
    return int(names.get_loc(name)) if name in names else -2


def _confidence(run: RunKey, key: MapKey) -> pd.Series:
    judged = str(access.judged_by(run))
    values = greatest_of_each(access.arrow(run, judged, ["probabilities"])["probabilities"])
    return number(_laid_beside(run, key, judged, values))


def _prototype(run: RunKey, key: MapKey) -> pd.Series:
    return category(_beside(run, key, "prototypes", "prototype"), by_usage=True)


@st.cache_resource(max_entries=8, show_spinner=False)
def _clusters(run: RunKey) -> npt.NDArray[np.int64] | None:
    """Cluster of each prototype, counted from 1, by its number; None where the map has none."""
    if not access.has(run, "map"):
        return None
    found = access.query(
        run,
        "SELECT prototype, min(cluster) + 1 AS cluster FROM map WHERE kind = 'prototype' AND space = 'projection' "
        "AND prototype >= 0 GROUP BY prototype",
        ["map"],
    )
    if not len(found):
        return None
    numbers = found["prototype"].to_numpy()
    clusters = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
    clusters[numbers] = found["cluster"].to_numpy()
    return clusters


def _cluster(run: RunKey, key: MapKey) -> pd.Series:
    clusters = _clusters(run)
    prototype = column(run, key, "prototype")
    numbers = np.asarray(prototype.cat.categories, dtype=np.int64)
    known = np.zeros(len(numbers), dtype=np.int64) if clusters is None else at(clusters, numbers)
    codes = prototype.cat.codes.to_numpy()
    values = np.where(codes >= 0, known[codes], 0) if len(known) else np.zeros(len(codes), dtype=np.int64)
    return category(pa.array(values, mask=values <= 0))
