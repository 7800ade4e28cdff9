"""What is known of the points of a map, by which they are coloured and filtered; see :mod:`dashboard.map_points`."""

from __future__ import annotations

from collections.abc import Callable
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
from dashboard.map_points import MapKey, beside, images, laid_beside, pairs_in, points
from dashboard.point_values import at, category, greatest_of_each, number

NO_PREDICTION = "no prediction"
_SPLITS = ("train", "val", "test")


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


def names(run: RunKey) -> list[str]:
    """Names of :func:`columns`, in order."""
    return list(_columns(run))


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
        found = beside(run, key, table, name, per_pair)
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
    own, coded = images(run, key), access.arrow(run, "manifest", [name])[name].combine_chunks().dictionary_encode()
    pairs, codes = pairs_in(run, key, "manifest"), pc.fill_null(coded.indices, -1).to_numpy()
    known = np.flatnonzero((codes >= 0) & (pairs >= 0))[::-1]
    code_of = np.full(len(own.pair_ids), -1, dtype=np.int32)
    code_of[pairs[known]] = codes[known]
    found = code_of[own.pairs]
    return pa.DictionaryArray.from_arrays(pa.array(found, mask=found < 0), coded.dictionary)


def _prediction(run: RunKey, key: MapKey) -> pd.Series:
    found = beside(run, key, str(access.judged_by(run)), "prediction")
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
    return number(laid_beside(run, key, judged, values))


def _prototype(run: RunKey, key: MapKey) -> pd.Series:
    return category(beside(run, key, "prototypes", "prototype"), by_usage=True)


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
