"""``rice-ssl map``: maps of a run's embeddings, projections and logits, what they are worth, and neighbourhoods."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from pipelines.neighbourhoods import write_neighbourhoods
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.config import MapConfig, RunConfig
from rice_ssl.embeddings.map2d import cluster_prototypes, fit_map
from rice_ssl.embeddings.neighbours import Rows, finite_rows
from rice_ssl.errors import InputError
from rice_ssl.evaluation.map_quality import FEWEST, map_quality
from rice_ssl.sensors import BOTH

MEASURED = 2000
"""Images of a map that are measured, at most; a seeded sample of more."""
_TOGETHER = 250_000
"""Rows of the table that are held in memory and written as one file; more go to parts."""
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MapSummary:
    """Maps made, as ``method of space``, pairs whose neighbourhoods were found, and notes on what was left out."""

    maps: tuple[str, ...]
    images: int
    pairs: int
    notes: tuple[str, ...]

    def text(self) -> str:
        """Readable summary."""
        told = f"{len(self.maps)} maps of {self.images} images: {', '.join(self.maps)}"
        return "; ".join([told, f"neighbourhoods of {self.pairs} pairs", *self.notes])


def run_map(store: RunStore, config: RunConfig, *, progress: bool = True) -> MapSummary:
    """Fit every map of the configuration, both sensors in one fit, and find every pair's neighbourhoods.

    Writes ``map.parquet``, ``neighbourhoods.parquet``, ``map.json``, and where a sensor has more images than can be
    compared one by one, ``index/``.

    Raises:
        ArtifactError: the run has no embeddings.
        InputError: not one map could be made.
    """
    made: list[dict[str, Any]] = []
    notes: list[str] = []
    frames = _maps(store, config, made, notes, progress)
    held, rows = [], 0
    for frame in frames:
        held.append(frame)
        rows += len(frame)
        if rows > _TOGETHER:
            break
    if not held:
        raise InputError(f"No map could be made: {'; '.join(dict.fromkeys(notes))}.")
    if rows > _TOGETHER:
        store.write_parts("map", itertools.chain(held, frames))
    else:
        store.write_table("map", pd.concat(held, ignore_index=True))
    found = write_neighbourhoods(store, config.map.nearest, seed=config.seed, progress=progress)
    notes = list(dict.fromkeys([*notes, *found.notes]))
    content = {"maps": made, "neighbourhoods": found.noted, "similar": found.similar, "notes": notes}
    store.write_document("map", content)
    names = tuple(_name(entry, config.seed) for entry in made)
    return MapSummary(names, max(entry["images"] for entry in made), found.pairs, tuple(notes))


@dataclass(frozen=True)
class _Wanted:
    """One map that the configuration asks for; ``later`` says that it is a further seed's."""

    method: str
    dimensions: int
    seed: int
    later: bool


def _wanted(settings: MapConfig, seed: int) -> list[_Wanted]:
    """Maps of one space, in the order in which they are made."""
    found = [_Wanted(method, 2, seed, later=False) for method in settings.methods]
    for more in range(1, settings.seeds):
        found += [_Wanted(method, 2, seed + more, later=True) for method in settings.methods if method != "pca"]
    if 3 in settings.dimensions:
        found += [_Wanted(method, 3, seed, later=False) for method in settings.methods if method != "tsne"]
    return found


def _maps(
    store: RunStore, config: RunConfig, made: list[dict[str, Any]], notes: list[str], progress: bool
) -> Iterator[pd.DataFrame]:
    """Rows of the table for one map after the other; what was made, and what was not, is added to the two lists."""
    settings, total = config.map, 0
    clusters: npt.NDArray[np.int64] | None = None
    with tqdm(desc="map", unit="image", total=0, disable=not progress) as bar:
        for space in settings.spaces:
            keys, vectors, prototypes = _space(store, space)
            if vectors is None:
                notes.append(f"no {space} in this run")
                continue
            finite = finite_rows(vectors)
            if not finite.all():
                notes.append(f"the {space} of {(~finite).sum()} images is not finite: they are left out")
                keys, vectors = keys.take(np.flatnonzero(finite)), vectors[finite]
            if prototypes is not None and clusters is None:
                clusters = cluster_prototypes(prototypes, settings.prototype_clusters)
            metric, images = "euclidean" if space == "logits" else "cosine", len(vectors)
            wanted = _wanted(settings, config.seed)
            total += images * len(wanted)
            bar.total = total
            for one in wanted:
                fit_on = _sample(images, settings.fit_at_most, one.seed)
                entry: dict[str, Any] = {
                    "method": one.method,
                    "space": space,
                    "dimensions": one.dimensions,
                    "seed": one.seed,
                }
                bar.set_postfix_str(_name(entry, config.seed))
                try:
                    found = fit_map(
                        vectors,
                        one.method,
                        seed=one.seed,
                        dimensions=one.dimensions,
                        landmarks=prototypes,
                        fit_on=fit_on,
                        random_start=one.later,
                        neighbours=settings.neighbours,
                        min_dist=settings.min_dist,
                        perplexity=settings.perplexity,
                        metric=metric,
                        advance=bar.update,
                        progress=progress,
                    )
                except InputError as error:
                    notes.append(str(error))
                    total -= images
                    bar.total = total
                    continue
                points = found.astype(np.float32)  # what a picture needs: half the bytes on disk
                fitted = _fitted(images, None if one.method == "pca" else fit_on)
                notes += _notes(one, images, int(fitted.sum()))
                quality = _quality(vectors, points[:images], metric, config.seed)
                made.append({**entry, "images": images, "fitted": int(fitted.sum()), "quality": quality})
                rows = _rows(keys, points, fitted, clusters if prototypes is not None else None)
                yield rows.assign(**entry)[list(TABLES["map"].columns)]


def _name(entry: dict[str, Any], seed: int) -> str:
    dimensions = "" if entry["dimensions"] == 2 else " in 3-D"
    later = "" if entry["seed"] == seed else f", seed {entry['seed']}"
    return f"{entry['method']} of {entry['space']}{dimensions}{later}"


def _notes(one: _Wanted, images: int, fitted: int) -> Iterator[str]:
    if fitted < images:
        yield (
            f"umap and tsne maps are fitted on {fitted} of {images} images, drawn with the map's seed; "
            "the others are laid into them"
        )
    if one.later and one.method == "tsne":
        yield "a further seed's tsne map starts from random places, the first from PCA"


def _sample(images: int, at_most: int, seed: int) -> Rows | None:
    """Rows that are fitted; None for all."""
    if images <= at_most:
        return None
    return np.sort(np.random.default_rng(seed).choice(images, at_most, replace=False)).astype(np.int64)


def _fitted(images: int, rows: Rows | None) -> npt.NDArray[np.bool_]:
    found = np.full(images, rows is None)
    if rows is not None:
        found[rows] = True
    return found


def _quality(
    vectors: Vectors, points: npt.NDArray[np.float32], metric: str, seed: int
) -> dict[str, float | int] | None:
    """What the map is worth, on the same seeded sample for every map of a space; None of too few images."""
    if len(points) < FEWEST:
        return None
    rows = _sample(len(points), MEASURED, seed)
    some: Callable[[Vectors], Vectors] = lambda values: values if rows is None else values[rows]  # noqa: E731
    return dataclasses.asdict(map_quality(some(vectors), some(points), metric=metric))


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
    keys: pd.DataFrame,
    points: npt.NDArray[np.float32],
    fitted: npt.NDArray[np.bool_],
    clusters: npt.NDArray[np.int64] | None,
) -> pd.DataFrame:
    """Rows of images, then of prototypes, where there are clusters of these; ``points`` is in that order."""
    count = len(keys)
    axes = dict(zip(("x", "y", "z"), [*points.T, np.full(len(points), np.nan)][:3], strict=True))
    places = pd.DataFrame({axis: values[:count] for axis, values in axes.items()}, index=keys.index)
    found = keys.assign(kind="image", prototype=-1, cluster=-1, fitted=fitted).join(places)
    if clusters is None:
        return found
    own = pd.DataFrame(
        {
            "kind": "prototype",
            "pair_id": None,
            "sensor": None,
            "prototype": range(len(clusters)),
            "cluster": clusters,
            "fitted": True,
            **{axis: values[count:] for axis, values in axes.items()},
        }
    )
    return pd.concat([found, own.astype({"pair_id": keys["pair_id"].dtype, "sensor": keys["sensor"].dtype})])
