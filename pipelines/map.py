"""``rice-ssl map``: 2-D maps of a run's embeddings, projections and logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.config import RunConfig
from rice_ssl.embeddings.map2d import cluster_prototypes, fit_map
from rice_ssl.errors import InputError
from rice_ssl.sensors import BOTH


@dataclass(frozen=True)
class MapSummary:
    """Maps made, as ``method of space``, and notes on what was left out."""

    maps: tuple[str, ...]
    images: int
    notes: tuple[str, ...]

    def text(self) -> str:
        """Readable summary."""
        return "; ".join([f"{len(self.maps)} maps of {self.images} images: {', '.join(self.maps)}", *self.notes])


def run_map(store: RunStore, config: RunConfig, *, progress: bool = True) -> MapSummary:
    """Fit every map of the configuration, both sensors in one fit, and write ``map.parquet``.

    Raises:
        ArtifactError: the run has no embeddings.
        InputError: not one map could be made.
    """
    parts, maps, notes = [], [], []
    images = 0
    wanted = [(space, method) for space in config.map.spaces for method in config.map.methods]
    for space, method in tqdm(wanted, desc="map", unit="map", disable=not progress):
        keys, vectors, prototypes = _space(store, space)
        if vectors is None:
            notes.append(f"no {space} in this run")
            continue
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            notes.append(f"{(~finite).sum()} images have a {space} that is not finite and are left out")
        keys, vectors = keys.take(np.flatnonzero(finite)), vectors[finite]
        joint = vectors if prototypes is None else np.concatenate([vectors, prototypes])
        try:
            points = fit_map(
                joint,
                method,
                seed=config.seed,
                neighbours=config.map.neighbours,
                min_dist=config.map.min_dist,
                perplexity=config.map.perplexity,
                metric="euclidean" if space == "logits" else "cosine",
            )
        except InputError as error:
            notes.append(str(error))
            continue
        images = max(images, len(keys))
        maps.append(f"{method} of {space}")
        parts.append(_rows(method, space, keys, points, prototypes, config.map.prototype_clusters))
    if not parts:
        raise InputError(f"No map could be made: {'; '.join(dict.fromkeys(notes))}.")
    store.write_table("map", pd.concat(parts, ignore_index=True)[list(TABLES["map"].columns)])
    return MapSummary(tuple(maps), images, tuple(dict.fromkeys(notes)))


Vectors = npt.NDArray[np.float32]


def _space(store: RunStore, space: str) -> tuple[pd.DataFrame, Vectors | None, Vectors | None]:
    """Keys and vectors of a space's images, and the prototypes that lie in it."""
    name = "predictions" if space == "logits" else "embeddings"
    if name == "predictions" and not store.has(name):
        return pd.DataFrame(), None, None
    keys, vectors = store.read_table(name, ["pair_id", "sensor"]), store.read_vectors(name, space)
    if vectors is not None and space == "logits":
        single = (keys["sensor"] != BOTH).to_numpy()
        keys, vectors = keys[single], vectors[single]
    prototypes = None
    if space == "projection" and vectors is not None:
        prototypes = _prototypes(store)
    return keys.reset_index(drop=True), vectors, prototypes


def _prototypes(store: RunStore) -> Vectors | None:
    """Prototypes of the weights that the run was embedded with; None where these are not at hand."""
    source = store.source_of_weights()
    if not source.exists or not source.weights_path("swav").is_file():
        return None
    return source.read_weight("swav", "prototypes.weight", "rice-ssl pretrain {run}").astype(np.float32)


def _rows(
    method: str,
    space: str,
    keys: pd.DataFrame,
    points: npt.NDArray[np.float64],
    prototypes: Vectors | None,
    clusters: int,
) -> pd.DataFrame:
    count = len(keys)
    found = keys.assign(kind="image", prototype=-1, cluster=-1, x=points[:count, 0], y=points[:count, 1])
    if prototypes is not None:
        own = pd.DataFrame(
            {
                "kind": "prototype",
                "pair_id": None,
                "sensor": None,
                "prototype": range(len(prototypes)),
                "cluster": cluster_prototypes(prototypes, clusters),
                "x": points[count:, 0],
                "y": points[count:, 1],
            }
        )
        found = pd.concat([found, own.astype({"pair_id": "object", "sensor": "object"})], ignore_index=True)
    return found.assign(method=method, space=space)
