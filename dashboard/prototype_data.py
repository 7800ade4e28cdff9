"""What the Prototypes screen shows of a run, computed when asked for and then kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard import access, embedded
from dashboard.access import RunKey
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.assignment_flow import paired_assignments
from rice_ssl.evaluation.prototype_clusters import cluster_table
from rice_ssl.evaluation.prototype_figures import PrototypeFigures, prototype_figures
from rice_ssl.evaluation.prototype_history import (
    UsageHistory,
    agreement_history,
    lives,
    moves,
    stability,
    usage_history,
)
from rice_ssl.evaluation.prototypes import prototype_table

LOGITS = "prototype_logits"
"""Column of the embeddings that holds an image's cosines to all prototypes."""
MOST_IMAGES = 3000
"""Images drawn behind the prototypes on their map."""
DEFAULT_TEMPERATURE = 0.1
"""Of the original's recipe, where the run does not note its own."""


@st.cache_resource(max_entries=4, show_spinner=False)
def assigned(run: RunKey) -> tuple[pd.DataFrame, int]:
    """Assignments of the images that have a finite one, and how many have not; not to be changed.

    An embedding with NaN in it has no nearest prototype, whatever number stands in the table.

    Raises:
        ArtifactError: the table is not there, or cannot be read.
    """
    table = access.table(run, "prototypes")
    finite = np.isfinite(table["confidence"].to_numpy(dtype=float))
    return table[finite].reset_index(drop=True), int((~finite).sum())


def prototype_count(run: RunKey) -> int:
    """How many prototypes there are, K; of a run that kept no prototype logits as its settings say.

    Raises:
        ArtifactError: the run has none.
    """
    logits = access.vectors(run, "embeddings", LOGITS)
    if logits is not None:
        return int(logits.shape[1])
    if not access.has(run, "prototypes"):
        raise ArtifactError(f"This run has no prototypes. {access.remedy(run, 'pretrain')}")
    greatest = int(access.table(run, "prototypes", ["prototype"])["prototype"].max()) + 1
    noted = access.settings(run, "pretrain").get("prototypes")
    return max(greatest, noted) if isinstance(noted, int) else greatest


@st.cache_data(max_entries=4, show_spinner=False)
def prototypes(run: RunKey) -> pd.DataFrame:
    """One row for each prototype; see :func:`rice_ssl.evaluation.prototypes.prototype_table`.

    Raises:
        ArtifactError: the run has no prototypes.
    """
    count = prototype_count(run)
    return prototype_table(assigned(run)[0], access.labels(run)["label"], count, access.sensors(run))


@st.cache_resource(max_entries=4, show_spinner="Comparing with shuffled pairs and labels …")
def figures(run: RunKey) -> PrototypeFigures:
    """See :func:`rice_ssl.evaluation.prototype_figures.prototype_figures`; not to be changed.

    Raises:
        ArtifactError: the run has no prototypes.
    """
    count = prototype_count(run)
    return prototype_figures(assigned(run)[0], access.labels(run)["label"], count, access.sensors(run))


@st.cache_resource(max_entries=4, show_spinner=False)
def paired(run: RunKey) -> pd.DataFrame:
    """Prototypes of both images of each pair, columns ``first`` and ``second``; empty with one sensor alone."""
    names = access.sensors(run)
    if len(names) < 2:
        return pd.DataFrame({"first": [], "second": []}, dtype=np.int64)
    return paired_assignments(assigned(run)[0], names[0], names[1])


def clusters(run: RunKey) -> pd.Series:
    """Cluster of each prototype, counted from 1 for the largest, indexed by prototype; empty where there is no map."""
    own = places(run).prototypes if access.has(run, "map") else None
    if own is None:
        return pd.Series(dtype=np.int64)
    return own.set_index("prototype")["cluster"]


@st.cache_data(max_entries=4, show_spinner=False)
def cluster_figures(run: RunKey) -> pd.DataFrame:
    """See :func:`rice_ssl.evaluation.prototype_clusters.cluster_table`; empty where there is no map of prototypes."""
    found = clusters(run)
    if found.empty:
        return pd.DataFrame({"name": []}, dtype=object)
    return cluster_table(assigned(run)[0], access.labels(run)["label"], found)


@dataclass(frozen=True)
class Places:
    """Where prototypes and images lie on a map of projections.

    Attributes:
        method: of the map; None where there is none with prototypes.
        prototypes: columns ``prototype``, ``cluster`` (counted from 1), ``x``, ``y``; None likewise.
        images: columns ``pair_id``, ``x``, ``y`` of a seeded sample of the images.
        all_images: how many there are.
    """

    method: str | None
    prototypes: pd.DataFrame | None
    images: pd.DataFrame
    all_images: int


@st.cache_resource(max_entries=4, show_spinner=False)
def places(run: RunKey) -> Places:
    """The map of prototypes: of two dimensions, by the first method that there is, of its first seed.

    Raises:
        ArtifactError: the run has no map, or it cannot be read.
    """
    of_space = "FROM map WHERE space = 'projection' AND dimensions = 2"
    stars = access.query(
        run, f"SELECT method, seed, prototype, cluster, x, y {of_space} AND kind = 'prototype'", ["map"]
    ).to_pandas()
    method = next((name for name in ("umap", "tsne", "pca") if (stars["method"] == name).any()), None)
    if method is None:
        return Places(None, None, pd.DataFrame({"pair_id": [], "x": [], "y": []}), 0)
    stars = stars[stars["method"] == method]
    seed = int(stars["seed"].min())
    images = access.query(
        run, f"SELECT pair_id, x, y {of_space} AND kind = 'image' AND method = ? AND seed = ?", ["map"], [method, seed]
    ).to_pandas()
    sample = images.sample(MOST_IMAGES, random_state=0) if len(images) > MOST_IMAGES else images
    own = stars.loc[stars["seed"] == seed, ["prototype", "cluster", "x", "y"]].reset_index(drop=True)
    own["cluster"] += 1
    return Places(method, own, sample.reset_index(drop=True), len(images))


def temperature(run: RunKey) -> tuple[float, bool]:
    """Temperature of the run's SwAV, and whether the run notes it."""
    found = access.settings(run, "pretrain").get("temperature")
    known = isinstance(found, (int, float)) and not isinstance(found, bool) and found > 0
    return (float(found), True) if known else (DEFAULT_TEMPERATURE, False)


def nearest_images(run: RunKey, prototype: int, sensor: str, count: int) -> list[tuple[str, float]]:
    """Pairs whose image of a sensor is nearest to a prototype, with the cosine, nearest first."""
    logits, own = access.vectors(run, "embeddings", LOGITS), embedded.images(run, sensor, LOGITS)
    if logits is None or own is None or not 0 <= prototype < logits.shape[1]:
        return []
    cosines = logits[own.rows, prototype]
    places = np.flatnonzero(np.isfinite(cosines))
    if len(places) > count:
        lowest = np.partition(cosines[places], len(places) - count)[len(places) - count]
        places = places[cosines[places] >= lowest]
    places = places[np.argsort(-cosines[places], kind="stable")[:count]]
    return list(zip(own.ids(places), cosines[places].tolist(), strict=True))


def cosines_of(run: RunKey, pair_id: str, sensor: str) -> npt.NDArray[np.float64] | None:
    """Cosines of one image to all prototypes, shape (K,); None where it has no finite ones."""
    found = embedded.vector_of(run, pair_id, sensor, LOGITS)
    return None if found is None or not np.isfinite(found).all() else np.asarray(found, dtype=np.float64)


@dataclass(frozen=True)
class History:
    """Assignments over training.

    Attributes:
        usage: images by checkpoint, prototype and sensor.
        lives: when each prototype formed and died.
        moves: splits and merges.
        stability: share of images that kept their prototype.
        agreement: of the two sensors; empty with one alone.
        images: of the sample.
    """

    usage: UsageHistory
    lives: pd.DataFrame
    moves: pd.DataFrame
    stability: pd.DataFrame
    agreement: pd.DataFrame
    images: int


@st.cache_resource(max_entries=4, show_spinner="Reading assignments over training …")
def history(run: RunKey) -> History:
    """What the table ``assignments`` shows; not to be changed.

    Raises:
        ArtifactError: it is not there, cannot be read, is empty, or is of other prototypes.
    """
    table = access.table(run, "assignments")
    names, count = access.sensors(run), prototype_count(run)
    table = table[table["sensor"].isin(names)]
    if table.empty or int(table["prototype"].max()) >= count or int(table["prototype"].min()) < 0:
        raise ArtifactError(
            "The assignments over training are empty, or of other prototypes than the run has. "
            f"Make them anew with `rice-ssl assignments {run.path}`."
        )
    usage = usage_history(table, count, names)
    agreement: Any = agreement_history(table, names[0], names[1]) if len(names) > 1 else pd.DataFrame()
    images = len(table[["pair_id", "sensor"]].drop_duplicates())
    return History(usage, lives(usage), moves(table), stability(table), agreement, images)
