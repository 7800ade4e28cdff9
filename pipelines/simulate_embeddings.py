"""``rice-ssl simulate-embeddings``: a run directory of simulated embeddings, for tests of scale."""

from __future__ import annotations

import dataclasses
import datetime
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import softmax
from tqdm import tqdm

from pipelines.prepare import noted_versions
from rice_ssl.artifacts import TABLES, RunStore, vector_array
from rice_ssl.config import DataConfig, PretrainConfig, RunConfig
from rice_ssl.data.simulate.embeddings import (
    CLASSES,
    TEMPERATURE,
    EmbeddingsConfig,
    Part,
    SimulatedEmbeddings,
    assigned,
)
from rice_ssl.data.simulate.tiny_leaves import SIZE, VARIANTS, tiny_leaves
from rice_ssl.errors import InputError
from rice_ssl.run_config import config_to_dict
from rice_ssl.sensors import BOTH, RGB, RGNIR

FULL_AT_MOST = 100_000
"""Images up to which projections and prototype logits are written without being asked for."""
NOTE = "Simulated: pairs, predictions and maps were drawn from random numbers, and no network was trained."
_SENSORS = (RGB, RGNIR)
_SPLITS = pa.array(["test", "val", "train"])
_IMAGES_IN_PART = 250_000
_PAIR_SCALE = 1.5


@dataclasses.dataclass(frozen=True)
class SimulatedEmbeddingsSummary:
    """What was made.

    Attributes:
        run: the run directory.
        pairs: of images.
        dimensions: of the embeddings.
        prototypes: how many.
        full: whether projections and prototype logits were written, too.
        bytes: of all files.
        seconds: it took.
    """

    run: str
    pairs: int
    dimensions: int
    prototypes: int
    full: bool
    bytes: int
    seconds: float

    def text(self) -> str:
        """Tell it to people."""
        left_out = "" if self.full else " (projections and prototype logits were left out; --full writes them)"
        return (
            f"{self.run}: {self.pairs:,} simulated pairs, {2 * self.pairs:,} images, embeddings of "
            f"{self.dimensions} dimensions, {self.prototypes} prototypes{left_out}\n"
            f"{self.bytes / 1e6:,.0f} MB in {self.seconds:.0f} s; open it with "
            f"`streamlit run dashboard/app.py -- --run {self.run}`"
        )


@dataclasses.dataclass
class _Kept:
    """What the small tables are made of, of all pairs: arrays that are filled part by part."""

    label: npt.NDArray[np.int8]
    split: npt.NDArray[np.int8]
    fold: npt.NDArray[np.int64]
    cluster: npt.NDArray[np.int16]
    logits: npt.NDArray[np.float32]
    prototype: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]
    places: list[npt.NDArray[np.float32]]


def simulate_embeddings(
    pairs: int,
    out: Path,
    *,
    dimensions: int = 128,
    prototypes: int = 300,
    seed: int = 0,
    full: bool | None = None,
    progress: bool = True,
) -> SimulatedEmbeddingsSummary:
    """Write a run directory of simulated pairs: whole, or not at all.

    Args:
        pairs: how many, each of an RGB and an RGNIR image.
        out: the run directory; it must not be there, or be empty.
        dimensions: of the embeddings.
        prototypes: how many.
        seed: of every random choice.
        full: whether projections and prototype logits are written, too; up to 100,000 images when None.
        progress: whether to show a bar on stderr.

    Raises:
        InputError: a setting is out of range, or ``out`` holds something.
    """
    began = time.monotonic()
    config = EmbeddingsConfig(pairs, dimensions, prototypes, seed)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already and not empty: name another folder with --out.")
    whole = full if full is not None else 2 * pairs <= FULL_AT_MOST
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        _write(RunStore(temporary), config, out, whole, progress)
        if out.is_dir():
            out.rmdir()
        os.replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return SimulatedEmbeddingsSummary(
        out.as_posix(), pairs, dimensions, prototypes, whole, size, round(time.monotonic() - began, 1)
    )


def _write(store: RunStore, config: EmbeddingsConfig, out: Path, full: bool, progress: bool) -> None:
    source = SimulatedEmbeddings(config)
    _begin(store, config, out)
    with tqdm(total=2 * 2 * config.pairs, unit="image", desc="simulate", disable=not progress) as bar:
        kept = _write_embeddings(store, source, full, bar)
        ids = _ids(config.pairs)
        store.write_parts("manifest", _manifest(ids, kept))
        store.write_parts("predictions", _predictions(ids, kept))
        store.write_parts("prototypes", _prototypes(ids, kept))
        bar.update(config.pairs)
        store.write_parts("quality", _quality(ids, config.seed))
        store.write_parts("thumbnails", _thumbnails(ids, kept, config.seed))
        maps = [("umap", "embedding", 2, seed + config.seed) for seed in range(2)]
        maps += [("pca", "embedding", 2, config.seed), ("pca", "embedding", 3, config.seed)]
        maps += [("umap", "projection", 2, config.seed)]
        store.write_parts("map", _maps(ids, kept, maps, source))
        bar.update(config.pairs)
    noted = [
        {**dict(zip(("method", "space", "dimensions", "seed"), key, strict=True)), "images": 2 * config.pairs,
         "fitted": 2 * config.pairs, "quality": None}
        for key in maps
    ]  # fmt: skip
    store.write_document("map", {"maps": noted, "neighbourhoods": None, "notes": [NOTE]})


def _begin(store: RunStore, config: EmbeddingsConfig, out: Path) -> None:
    settings = RunConfig(
        name=out.name,
        run=out.as_posix(),
        data=DataConfig(root="not-there"),
        seed=config.seed,
        pretrain=PretrainConfig(prototypes=config.prototypes, temperature=TEMPERATURE),
    )
    store.create(
        {
            "name": out.name,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "config": config_to_dict(settings),
            **noted_versions(),
            "data_root": "not-there",
            "data_source": "zindi",
            "simulated": True,
            "simulated_embeddings": dataclasses.asdict(config),
            "sensors": [dataclasses.asdict(sensor) for sensor in _SENSORS],
            "classes": list(CLASSES),
            "pair_scale": _PAIR_SCALE,
        }
    )
    nothing = {column: pa.array([], kind) for column, kind in TABLES["findings"].columns.items()}
    store.write_table("findings", pa.table(nothing))


def _write_embeddings(store: RunStore, source: SimulatedEmbeddings, full: bool, bar: tqdm[Any]) -> _Kept:
    n = source.config.pairs
    kept = _Kept(
        np.empty(n, np.int8), np.empty(n, np.int8), np.empty(n, np.int64), np.empty((n, 2), np.int16),
        np.empty((n, 2, len(CLASSES)), np.float32), np.empty(2 * n, np.int64), np.empty(2 * n, np.int64),
        np.empty(2 * n, np.float32), np.empty(2 * n, np.float32),
        [np.empty((n, 2, size), np.float32) for size in (2, 2, 3)],
    )  # fmt: skip

    def tables() -> Iterator[pa.Table]:
        for part in source.parts():
            count = len(part.label)
            pairs = slice(part.first, part.first + count)
            _keep(kept, part, pairs)
            nothing = pa.nulls(2 * count, pa.list_(pa.float32()))
            yield pa.table(
                {
                    **_keys(_ids(count, part.first)),
                    "embedding": vector_array(part.embedding.reshape(2 * count, -1)),
                    "projection": vector_array(part.projection.reshape(2 * count, -1)) if full else nothing,
                    "prototype_logits": vector_array(part.prototype_logits.reshape(2 * count, -1)) if full else nothing,
                }
            )
            bar.update(2 * count)

    store.write_parts("embeddings", tables())
    return kept


def _keep(kept: _Kept, part: Part, pairs: slice) -> None:
    for name in ("label", "split", "fold", "cluster", "logits"):
        getattr(kept, name)[pairs] = getattr(part, name)
    nearest = assigned(part.prototype_logits.reshape(2 * len(part.label), -1))
    images = slice(2 * pairs.start, 2 * pairs.stop)
    for name in ("prototype", "second", "confidence", "entropy"):
        getattr(kept, name)[images] = getattr(nearest, name)
    for own, places in zip(kept.places, part.places, strict=True):
        own[pairs] = places


def _ids(count: int, first: int = 0) -> pa.Array:
    """Ids of pairs, in alphabetical order."""
    numbers = pa.array(np.arange(first, first + count)).cast(pa.string())
    return pc.binary_join_element_wise("sim_", pc.utf8_lpad(numbers, 8, "0"), "")


def _keys(ids: pa.Array) -> dict[str, pa.Array]:
    """Pair and sensor of each image: the two of a pair one after the other."""
    pairs = np.repeat(np.arange(len(ids)), 2)
    names = pa.array([sensor.name for sensor in _SENSORS])
    return {"pair_id": ids.take(pa.array(pairs)), "sensor": names.take(pa.array(np.arange(2 * len(ids)) % 2))}


def _slices(ids: pa.Array, images: int | None = None) -> Iterator[tuple[slice, pa.Array]]:
    """Pairs, as many at a time as make a part of so many images, and their ids."""
    pairs = (images or _IMAGES_IN_PART) // 2
    for start in range(0, len(ids), pairs):
        own = slice(start, min(start + pairs, len(ids)))
        yield own, ids.slice(start, own.stop - own.start)


def _label(kept: _Kept, rows: slice, times: int) -> pa.Array:
    """Labels; test pairs have none."""
    known = np.where(kept.split[rows] == 0, -1, kept.label[rows]).repeat(times)
    return pa.array(CLASSES).take(pa.array(known, mask=known < 0))


def _told(kept: _Kept, rows: slice, times: int) -> dict[str, pa.Array]:
    return {
        "label": _label(kept, rows, times),
        "split": _SPLITS.take(pa.array(kept.split[rows].repeat(times))),
        "fold": pa.array(kept.fold[rows].repeat(times)),
    }


def _manifest(ids: pa.Array, kept: _Kept) -> Iterator[pa.Table]:
    for rows, own in _slices(ids):
        keys, images = _keys(own), 2 * len(own)
        numbers = pa.array(np.arange(2 * rows.start, 2 * rows.stop)).cast(pa.string())
        ends = pa.array([sensor.pattern.removeprefix("{id}") for sensor in _SENSORS])
        path = pc.binary_join_element_wise(
            "Images/", keys["pair_id"], ends.take(pa.array(np.arange(images) % 2)), ""
        )  # fmt: skip
        yield pa.table(
            {
                **keys,
                "path": path,
                **_told(kept, rows, 2),
                "group": keys["pair_id"],
                "width": pa.array(np.full(images, 500)),
                "height": pa.array(np.full(images, 400)),
                "sha256": pc.utf8_lpad(numbers, 64, "0"),
            }
        )


def _predictions(ids: pa.Array, kept: _Kept) -> Iterator[pa.Table]:
    """Of the images, then of the pairs from both."""
    for rows, own in _slices(ids):
        yield _judged(_keys(own), kept.logits[rows].reshape(2 * len(own), -1), _told(kept, rows, 2))
    for rows, own in _slices(ids):
        keys = {"pair_id": own, "sensor": pa.array([BOTH]).take(pa.array(np.zeros(len(own), np.int64)))}
        yield _judged(keys, _PAIR_SCALE * kept.logits[rows].mean(axis=1), _told(kept, rows, 1))


def _judged(keys: dict[str, pa.Array], logits: npt.NDArray[np.float32], told: dict[str, pa.Array]) -> pa.Table:
    return pa.table(
        {
            **keys,
            "logits": vector_array(logits),
            "probabilities": vector_array(softmax(logits, axis=1)),
            "prediction": pa.array(CLASSES).take(pa.array(logits.argmax(axis=1))),
            **told,
        }
    )


def _prototypes(ids: pa.Array, kept: _Kept) -> Iterator[pa.Table]:
    for rows, own in _slices(ids):
        images = slice(2 * rows.start, 2 * rows.stop)
        columns = ("prototype", "confidence", "second", "entropy")
        yield pa.table({**_keys(own), **{name: pa.array(getattr(kept, name)[images]) for name in columns}})


def _quality(ids: pa.Array, seed: int) -> Iterator[pa.Table]:
    for number, (_, own) in enumerate(_slices(ids)):
        rng, images = np.random.default_rng([seed, 5, number]), 2 * len(own)
        yield pa.table(
            {
                **_keys(own),
                "brightness": pa.array(rng.beta(8, 10, images)),
                "sharpness": pa.array(rng.gamma(4, 0.01, images)),
                "clipped": pa.array(rng.beta(1, 60, images)),
                "leaf_area": pa.array(rng.beta(6, 4, images)),
            }
        )


def _thumbnails(ids: pa.Array, kept: _Kept, seed: int) -> Iterator[pa.Table]:
    pictures = pa.array(tiny_leaves(seed), pa.binary())
    for rows, own in _slices(ids, 50_000):
        sensor, images = np.arange(2), 2 * len(own)
        variant = np.arange(rows.start, rows.stop)[:, None] % VARIANTS
        places = (kept.cluster[rows].astype(np.int64) * 2 + sensor) * VARIANTS + variant
        yield pa.table(
            {
                **_keys(own),
                "width": pa.array(np.full(images, SIZE[0])),
                "height": pa.array(np.full(images, SIZE[1])),
                "jpeg": pictures.take(pa.array(places.reshape(-1))),
            }
        )


def _maps(
    ids: pa.Array, kept: _Kept, maps: list[tuple[str, str, int, int]], source: SimulatedEmbeddings
) -> Iterator[pa.Table]:
    """Images on each map, one map after the other; at the end the prototypes, on that of projections."""
    first, other, linear = kept.places
    shown = [first, other, linear[..., :2], linear, first]
    for key, places in zip(maps, shown, strict=True):
        for rows, own in _slices(ids):
            where = places[rows].reshape(2 * len(own), -1)
            yield _laid_out(key, "image", where, _keys(own), np.full(len(where), -1), np.full(len(where), -1))
    count = source.config.prototypes
    none = {name: pa.nulls(count, pa.string()) for name in ("pair_id", "sensor")}
    yield _laid_out(maps[-1], "prototype", source.prototype_places, none, np.arange(count), source.prototype_cluster)


def _laid_out(
    key: tuple[str, str, int, int],
    kind: str,
    places: npt.NDArray[np.float32],
    keys: dict[str, pa.Array],
    prototype: npt.NDArray[np.int64],
    cluster: npt.NDArray[np.int64],
) -> pa.Table:
    n = len(places)
    method, space, dimensions, seed = key
    text = {name: pa.repeat(value, n) for name, value in (("method", method), ("space", space), ("kind", kind))}
    return pa.table(
        {
            **text,
            "dimensions": pa.array(np.full(n, dimensions)),
            "seed": pa.array(np.full(n, seed)),
            **keys,
            "prototype": pa.array(prototype),
            "cluster": pa.array(cluster),
            "x": pa.array(places[:, 0].astype(np.float64)),
            "y": pa.array(places[:, 1].astype(np.float64)),
            "z": pa.array(places[:, 2].astype(np.float64)) if dimensions == 3 else pa.nulls(n, pa.float64()),
            "fitted": pa.array(np.ones(n, dtype=bool)),
        }
    )
