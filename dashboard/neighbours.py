"""Nearest images of a run in the original space, never on a map: the one search that every screen uses."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from dashboard.embedded import EMBEDDING, Images, Vector, finite, has_direction, images, parts, vector_of
from rice_ssl.embeddings.neighbours import rank_among, unit_rows
from rice_ssl.embeddings.similar import EXACT_AT_MOST, SimilarIndex, similar
from rice_ssl.errors import ArtifactError

_MOST_LEFT_OUT = 4096
"""Images that an index may find in vain; where more are left out, every image is compared."""


@dataclass(frozen=True)
class Found:
    """Images that are nearest.

    Attributes:
        pair_ids: nearest first; of equal ones that which the table names first.
        cosines: in [-1, 1], shape (K,).
        searched: how many images were looked among.
        exact: whether every one of them was compared, rather than those that an index led to.
        recall: share of the ten nearest that the index finds, as ``rice-ssl map`` measured it; None where it did not.
        problem: why there is no index though the images are so many that one was to be used.
    """

    pair_ids: list[str]
    cosines: npt.NDArray[np.float32]
    searched: int
    exact: bool = True
    recall: float | None = None
    problem: str = ""


@st.cache_data(max_entries=4096, show_spinner=False)
def of_image(
    run: RunKey, pair_id: str, sensor: str, among: str, count: int = 6, space: str = EMBEDDING
) -> Found | None:
    """Images of the sensor ``among`` that are nearest, by cosine, to a pair's image of ``sensor``.

    The pair itself is left out when ``among`` is ``sensor``, and kept otherwise: whether the encoder finds the twin is
    of interest. None where the image, or the sensor, has no vector.
    """
    query = vector_of(run, pair_id, sensor, space)
    return None if query is None else of_vector(run, query, among, count, space, [pair_id] if among == sensor else ())


def of_vector(
    run: RunKey, query: Vector, among: str, count: int = 6, space: str = EMBEDDING, without: Collection[str] = ()
) -> Found | None:
    """The same of any vector of the space, shape (E,), which is not kept; None where ``among`` has no vectors.

    Args:
        run: the run.
        query: finite, or nothing is found.
        among: sensor whose images are searched.
        count: images wanted.
        space: one of :func:`dashboard.embedded.spaces`.
        without: pairs that are left out.
    """
    own, vectors = images(run, among, space), access.vectors(run, "embeddings", space)
    if own is None or vectors is None:
        return None
    left_out = own.places(pd.Index(without)) if len(without) else np.empty(0, dtype=np.int64)
    searched = own.usable - int(finite(vectors, own.rows[left_out]).sum())
    index, problem = _index(run, among, own, vectors.shape[1]) if space == EMBEDDING else (None, "")
    if index is not None and len(left_out) <= _MOST_LEFT_OUT:
        places, cosines = _without(similar(index, query, count + len(left_out)), left_out, count)
        return Found(own.ids(places), cosines, searched, exact=False, recall=_recall(run, among))
    places, cosines = _without(similar(own.of(vectors), query, count + len(left_out)), left_out, count)
    return Found(own.ids(places), cosines, searched, problem=problem)


def _without(
    found: tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]], left_out: npt.NDArray[np.int64], count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    places, cosines = found
    kept = np.flatnonzero(~np.isin(places, left_out))[:count]
    return places[kept], cosines[kept]


def _index(run: RunKey, sensor: str, own: Images, width: int) -> tuple[SimilarIndex | None, str]:
    """Index of a sensor's embeddings where there are too many to compare them all, and why there is none."""
    if own.usable <= EXACT_AT_MOST:
        return None, ""
    remedy = f"Make it with `rice-ssl map {run.path}`."
    try:
        index = access.similar_index(run, sensor, (len(own.rows), width))
    except ArtifactError as error:
        return None, str(error)
    if index is None:
        return None, f"This run has no index of them. {remedy}"
    if index.count != own.usable:
        return None, f"The run's index is of {index.count:,} other images. {remedy}"
    return index, ""


def _recall(run: RunKey, sensor: str) -> float | None:
    """Share of the ten nearest that an index finds, as map.json notes it."""
    noted = access.document(run, "map").get("similar") if access.has_document(run, "map") else None
    entry = noted.get(sensor) if isinstance(noted, dict) else None
    recall = entry.get("recall") if isinstance(entry, dict) else None
    return recall if isinstance(recall, float) else None


def rank_of(
    run: RunKey, query: Vector, among: str, pair_id: str, space: str = EMBEDDING
) -> tuple[int, int, float] | None:
    """Place of one pair's image among a sensor's by cosine with a vector, counted from 1; how many there are; cosine.

    Every image is compared, also where an index finds the nearest. None where the pair has no finite vector of the
    sensor.
    """
    own, vectors = images(run, among, space), access.vectors(run, "embeddings", space)
    place = None if own is None else own.place(pair_id)
    if own is None or vectors is None or place is None:
        return None
    found = rank_among(query, own.of(vectors), place)
    return None if found is None else (found[0], own.usable, found[1])


@st.cache_data(max_entries=1024, show_spinner=False)
def twin_rank(
    run: RunKey, pair_id: str, sensor: str, among: str, space: str = EMBEDDING
) -> tuple[int, int, float] | None:
    """The same of a pair's image of ``sensor`` and its image of ``among``, kept for who asks again."""
    query = vector_of(run, pair_id, sensor, space)
    return None if query is None else rank_of(run, query, among, pair_id, space)


def mean_of(
    run: RunKey, pair_ids: pd.Index, sensors: Sequence[str], space: str = EMBEDDING
) -> tuple[Vector | None, int, int]:
    """Mean direction of the images of some pairs: each counts as a vector of length 1.

    Returns:
        The mean, shape (E,), None where there is none, or where the vectors cancel out; how many images it is of; how
        many were left out because they have no direction.
    """
    vectors = access.vectors(run, "embeddings", space)
    total, used, left_out = np.zeros(0 if vectors is None else vectors.shape[1]), 0, 0
    for sensor in sensors:
        own = images(run, sensor, space)
        if own is None or vectors is None:
            continue
        for rows in parts(own.rows[own.places(pair_ids)]):
            part = vectors[rows]
            good = has_direction(part)
            total += unit_rows(part[good]).sum(axis=0, dtype=np.float64)
            used, left_out = used + int(good.sum()), left_out + int((~good).sum())
    mean = total / max(1, used)
    return (mean if used and np.linalg.norm(mean) > _CANCELLED else None), used, left_out


_CANCELLED = 1e-6
"""Length of a mean of unit vectors below which it is rounding, and points nowhere."""
FAR_PERCENT, FAR_SAMPLE, FAR_FEWEST = 1.0, 2000, 50
"""Percentile of similarities below which an image is far, of how many images at most, and at least."""


@st.cache_data(max_entries=16, show_spinner="Measuring how near the run's own images are to each other …")
def far_below(run: RunKey, sensor: str) -> float | None:
    """Cosine with its nearest neighbour that all but 1% of a sensor's images exceed; each one's own is left out.

    From a seeded sample of at most 2,000 images among all. None where there are fewer than 50.
    """
    embeddings, own = access.vectors(run, "embeddings", EMBEDDING), images(run, sensor)
    if embeddings is None or own is None or own.usable < FAR_FEWEST:
        return None
    unit = unit_rows(embeddings[own.rows])
    unit = unit[np.isfinite(unit).all(axis=1)]
    drawn = np.random.default_rng(0).permutation(len(unit))[:FAR_SAMPLE]
    best = []
    for start in range(0, len(drawn), 200):
        rows = drawn[start : start + 200]
        similarity = unit[rows] @ unit.T
        similarity[np.arange(len(rows)), rows] = -np.inf
        best.append(similarity.max(axis=1))
    return float(np.percentile(np.concatenate(best), FAR_PERCENT))


@st.cache_data(max_entries=32, show_spinner=False)
def label_counts(run: RunKey, sensor: str, space: str = EMBEDDING) -> pd.Series:
    """How many of a sensor's images that can be found have each label, most first; those without one are left out."""
    own, vectors = images(run, sensor, space), access.vectors(run, "embeddings", space)
    if own is None or vectors is None:
        return pd.Series(dtype="int64")
    return access.pairs(run)["label"].reindex(own.pair_ids[finite(vectors, own.rows)]).value_counts()
