"""The dashboard's only reader of artifacts, and its only cache."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from rice_ssl.artifacts import ABLATION_FILE, RunStore, read_ablation
from rice_ssl.embeddings.neighbours import nearest
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.agreement import jensen_shannon, who_is_right
from rice_ssl.evaluation.map_quality import FEWEST, MapQuality, map_quality
from rice_ssl.evaluation.prototypes import prototype_table
from rice_ssl.sensors import BOTH

EXAMPLES = Path(__file__).resolve().parent.parent / "assets" / "examples"
ABLATION = Path(__file__).resolve().parent.parent / "assets" / "ablation"
DEMO_RUN = Path(__file__).resolve().parent.parent / "assets" / "demo"


@dataclass(frozen=True)
class RunKey:
    """A run and the state of its directory; part of every cache key, so that a changed run is read anew."""

    path: str
    stamp: str


def offered_runs() -> list[Path]:
    """Runs named on the command line (``-- --run DIR``, once or more); the demo run where none is."""
    return _arguments().run or [DEMO_RUN]


def _arguments() -> argparse.Namespace:
    """What the command line names; words that are not ours are Streamlit's."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--run", action="append", type=Path)
    parser.add_argument("--ablation", type=Path, default=ABLATION)
    return parser.parse_known_args(sys.argv[1:])[0]


def _stamp(path: Path) -> str:
    """State of a file, another one when it was written again; empty where it is not there."""
    state = path.stat() if path.is_file() else None
    return "" if state is None else f"{state.st_mtime_ns}-{state.st_size}"


def ablation() -> dict[str, Any]:
    """``ablation.json`` of the folder named on the command line (``-- --ablation DIR``), of ours where none is.

    Raises:
        ArtifactError: it is not there, or cannot be read.
    """
    folder = _arguments().ablation
    return _ablation(folder.as_posix(), _stamp(folder / ABLATION_FILE))


@st.cache_data(max_entries=4, show_spinner=False)
def _ablation(folder: str, stamp: str) -> dict[str, Any]:
    return read_ablation(Path(folder))


def current_run() -> RunKey:
    """The run on screen: one of those offered, never a path out of a URL."""
    runs = offered_runs()
    number = st.session_state.get("run", 0)
    path = runs[number if isinstance(number, int) and 0 <= number < len(runs) else 0]
    return RunKey(path.as_posix(), _stamp(path / "run.json"))


def other_runs(run: RunKey, most: int = 40) -> dict[str, RunKey]:
    """Runs that have a training log, to be laid over a run: those offered, and the run directories beside it.

    Args:
        run: the run on screen, which is left out.
        most: directories that are offered.

    Returns:
        What to call each -> the run.
    """
    own = Path(run.path).resolve()
    places = [*offered_runs(), *sorted(path.parent for path in own.parent.glob("*/run.json"))]
    found: dict[Path, RunKey] = {}
    for path in places:
        if path.resolve() != own and RunStore(path).has("metrics") and len(found) < most:
            found.setdefault(path.resolve(), RunKey(path.as_posix(), _stamp(path / "run.json")))
    return {f"{path.parent.name}/{path.name}": key for path, key in found.items()}


def example_run(name: str) -> RunKey:
    """A run of the examples that come with the project."""
    path = EXAMPLES / name
    return RunKey(path.as_posix(), _stamp(path / "run.json"))


def example(name: str) -> bytes:
    """A file of the examples that come with the project.

    Raises:
        ArtifactError: it is not there.
    """
    path = EXAMPLES / name
    if not path.is_file():
        raise ArtifactError(f"The example {path} is not there: it comes with the project, so take its folder whole.")
    return path.read_bytes()


def info(run: RunKey) -> dict[str, Any]:
    """Contents of run.json."""
    return _info(run)


@st.cache_data(max_entries=8, show_spinner=False)
def _info(run: RunKey) -> dict[str, Any]:
    return RunStore(Path(run.path)).info()


@st.cache_data(max_entries=32, show_spinner=False)
def table(run: RunKey, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table, or some of its columns; a copy that the caller may change."""
    return RunStore(Path(run.path)).read_table(name, columns)


@st.cache_resource(max_entries=8, show_spinner=False)
def vectors(run: RunKey, name: str, column: str) -> npt.NDArray[np.float32] | None:
    """A vector column, shape (rows, D), shared by all sessions: not to be changed. None where every row is null."""
    found = RunStore(Path(run.path)).read_vectors(name, column)
    if found is not None:
        found.setflags(write=False)
    return found


def document(run: RunKey, name: str) -> dict[str, Any]:
    """``report``, ``dynamics`` or ``dynamics_tests``."""
    return _document(run, name)


@st.cache_data(max_entries=8, show_spinner=False)
def _document(run: RunKey, name: str) -> dict[str, Any]:
    return RunStore(Path(run.path)).read_document(name)


@st.cache_data(max_entries=8, show_spinner=False)
def events(run: RunKey) -> list[dict[str, Any]]:
    """Schedule events."""
    return RunStore(Path(run.path)).events()


def has(run: RunKey, name: str) -> bool:
    """Whether a table or document is there."""
    return RunStore(Path(run.path)).has(name)


@st.cache_resource(max_entries=4, show_spinner=False)
def _cams(run: RunKey) -> tuple[dict[tuple[str, str], int], npt.NDArray[np.float16]]:
    index, maps = RunStore(Path(run.path)).read_cams()
    return dict(zip(zip(index["pair_id"], index["sensor"], strict=True), index["row"], strict=True)), maps


def cam(run: RunKey, pair_id: str, sensor: str) -> npt.NDArray[np.float32] | None:
    """CAMs of one image, shape (classes, h, w), >= 0; None where it has none."""
    index, maps = _cams(run)
    row = index.get((pair_id, sensor))
    return None if row is None else np.asarray(maps[row], dtype=np.float32)


@st.cache_resource(max_entries=4, show_spinner=False)
def _thumbnails(run: RunKey) -> dict[tuple[str, str], bytes]:
    frame = RunStore(Path(run.path)).read_table("thumbnails", ["pair_id", "sensor", "jpeg"])
    return dict(zip(zip(frame["pair_id"], frame["sensor"], strict=True), frame["jpeg"], strict=True))


def thumbnail(run: RunKey, pair_id: str, sensor: str) -> bytes | None:
    """JPEG of one image; None where the run keeps none of it."""
    return _thumbnails(run).get((pair_id, sensor))


def sensors(run: RunKey) -> list[str]:
    """Names of the run's sensors, in order."""
    return [str(sensor["name"]) for sensor in info(run)["sensors"]]


def titles(run: RunKey) -> dict[str, str]:
    """How each sensor is written on screen; ``both``, the pair judged from all its sensors, is the joint prediction."""
    return {**{str(s["name"]): str(s["title"]) for s in info(run)["sensors"]}, BOTH: "Joint"}


def weights_from(run: RunKey) -> str | None:
    """Name of the other run whose weights were used; None where they are the run's own."""
    name = info(run).get("weights_from")
    return name if isinstance(name, str) and name else None


def remedy(run: RunKey, command: str) -> str:
    """What makes what this run lacks for want of weights, which ``rice-ssl pretrain`` or ``finetune`` makes."""
    other, where = weights_from(run), info(run).get("weights_run")
    if other is None:
        return f"Make them with `rice-ssl {command} {run.path}`, then `rice-ssl embed {run.path}`."
    first, then = (where, "") if isinstance(where, str) else ("RUN", " --weights RUN")
    return (
        f"Its weights are those of the run {other}, which has none: make them with `rice-ssl {command} {first}`, then "
        f"`rice-ssl embed {run.path}{then}`."
    )


def was_seen(run: RunKey, split: str) -> bool:
    """Whether the weights were trained (``train``) or chosen (``val``) on the pairs of a split.

    A run with the weights of another keeps the splits that its pairs had there; one that does not note where that run
    is, is older than this rule, and none of its pairs were seen.
    """
    return split != "test" and (weights_from(run) is None or "weights_run" in info(run))


@st.cache_data(max_entries=8, show_spinner=False)
def pairs(run: RunKey) -> pd.DataFrame:
    """One row for each pair, indexed by pair_id.

    Columns: ``label`` and ``split``; for each sensor S (and ``both``) with predictions ``S_prediction``,
    ``S_confidence`` and ``S_correct`` (null where unlabelled);
    where there are two sensors ``divergence`` (Jensen-Shannon, bits), ``agree`` and
    ``who_is_right``. Without predictions only the first two.
    """
    store = RunStore(Path(run.path))
    frame = store.read_table("manifest", ["pair_id", "label", "split"]).groupby("pair_id").first()
    if not store.has("predictions"):
        return frame
    predictions = store.read_table("predictions")
    probabilities: dict[str, pd.Series] = {}
    for sensor, part in predictions.groupby("sensor"):
        own = part.set_index("pair_id")
        probabilities[str(sensor)] = own["probabilities"]
        frame[f"{sensor}_prediction"] = own["prediction"]
        frame[f"{sensor}_confidence"] = own["probabilities"].map(max)
        right = (frame[f"{sensor}_prediction"] == frame["label"]).astype("boolean")
        frame[f"{sensor}_correct"] = right.where(frame["label"].notna() & frame[f"{sensor}_prediction"].notna())
    names = [name for name in (s["name"] for s in store.info()["sensors"]) if name in probabilities][:2]
    if len(names) == 2:
        first, second = (probabilities[name] for name in names)
        shared = frame.index[frame.index.isin(first.index) & frame.index.isin(second.index)]
        if len(shared):
            tables = [np.stack(side.loc[shared].to_list()) for side in (first, second)]
            frame.loc[shared, "divergence"] = jensen_shannon(*tables)
            same = frame.loc[shared, f"{names[0]}_prediction"] == frame.loc[shared, f"{names[1]}_prediction"]
            frame.loc[shared, "agree"] = same.astype("boolean")
            known = shared[frame.loc[shared, "label"].notna()]
            right = [frame.loc[known, f"{name}_correct"].to_numpy(dtype=bool) for name in names]
            frame.loc[known, "who_is_right"] = who_is_right(right[0], right[1], (names[0], names[1]))
    return frame


@st.cache_data(max_entries=2048, show_spinner=False)
def probabilities(run: RunKey, pair_id: str) -> dict[str, list[float]]:
    """Class probabilities of a pair by sensor, and for ``both``; empty without predictions."""
    return dict(_vectors_of_pairs(run, "probabilities").get(pair_id, []))


@st.cache_data(max_entries=2048, show_spinner=False)
def contributions(run: RunKey, pair_id: str) -> dict[str, list[float]]:
    """What each sensor adds to the pair's logits, which are their sum; empty where an image or the scale lacks."""
    logits = dict(_vectors_of_pairs(run, "logits").get(pair_id, []))
    single = {sensor: values for sensor, values in logits.items() if sensor != BOTH}
    scale = info(run).get("pair_scale")
    if len(single) < 2 or not isinstance(scale, float):
        return {}
    return {sensor: [scale * value / len(single) for value in values] for sensor, values in single.items()}


@st.cache_resource(max_entries=4, show_spinner=False)
def _vectors_of_pairs(run: RunKey, column: str) -> dict[str, list[tuple[str, list[float]]]]:
    frame = RunStore(Path(run.path)).read_table("predictions", ["pair_id", "sensor", column])
    found: dict[str, list[tuple[str, list[float]]]] = {}
    for pair_id, sensor, values in frame.itertuples(index=False):
        found.setdefault(pair_id, []).append((sensor, [float(value) for value in values]))
    return found


@st.cache_resource(max_entries=4, show_spinner=False)
def _embedding_index(run: RunKey) -> dict[str, tuple[list[str], npt.NDArray[np.int64]]]:
    keys = RunStore(Path(run.path)).read_table("embeddings", ["pair_id", "sensor"])
    return {str(s): (part["pair_id"].tolist(), part.index.to_numpy()) for s, part in keys.groupby("sensor")}


@st.cache_data(max_entries=4096, show_spinner=False)
def neighbours(run: RunKey, pair_id: str, sensor: str, among: str, count: int = 6) -> list[tuple[str, float]]:
    """Pairs whose image of the sensor ``among`` is nearest, by cosine of embeddings, to a pair's image of ``sensor``.

    The pair itself is left out when ``among`` is ``sensor``, and kept otherwise: whether the encoder finds the twin is
    of interest. Empty where the image has no embedding.
    """
    embeddings, index = vectors(run, "embeddings", "embedding"), _embedding_index(run)
    if embeddings is None or sensor not in index or among not in index or pair_id not in index[sensor][0]:
        return []
    query = embeddings[index[sensor][1][index[sensor][0].index(pair_id)]]
    ids, rows = index[among]
    exclude = ids.index(pair_id) if among == sensor else None
    found, similarity = nearest(query, embeddings[rows], count, exclude=exclude)
    return [(ids[row], float(value)) for row, value in zip(found, similarity, strict=True)]


@st.cache_data(max_entries=4, show_spinner=False)
def prototypes(run: RunKey) -> pd.DataFrame:
    """One row for each prototype; see :func:`rice_ssl.evaluation.prototypes.prototype_table`.

    Raises:
        ArtifactError: the run has no prototypes.
    """
    logits = vectors(run, "embeddings", "prototype_logits")
    if logits is None:
        raise ArtifactError(f"This run has no prototypes. {remedy(run, 'pretrain')}")
    return prototype_table(table(run, "prototypes"), pairs(run)["label"], logits.shape[1])


def clusters(run: RunKey) -> pd.Series:
    """Cluster of each prototype, counted from 1 for the largest, indexed by prototype; empty where the map has none."""
    maps = table(run, "map", ["kind", "prototype", "cluster"])
    own = maps[(maps["kind"] == "prototype") & (maps["cluster"] >= 0)].drop_duplicates("prototype")
    return own.set_index("prototype")["cluster"] + 1


QUALITY_SAMPLE = 2000


@st.cache_data(max_entries=32, show_spinner="Measuring the map …")
def quality(run: RunKey, space: str, method: str) -> MapQuality | None:
    """How far a map may be believed, on a seeded sample of at most 2,000 images; None where they are fewer than 50."""
    name = "predictions" if space == "logits" else "embeddings"
    maps = table(run, "map")
    maps = maps[(maps["kind"] == "image") & (maps["space"] == space) & (maps["method"] == method)]
    original = vectors(run, name, space)
    if original is None or len(maps) < FEWEST:
        return None
    keys = table(run, name, ["pair_id", "sensor"]).itertuples(index=False, name=None)
    row = {key: number for number, key in enumerate(keys)}
    if len(maps) > QUALITY_SAMPLE:
        maps = maps.sample(QUALITY_SAMPLE, random_state=0)
    rows = [row[key] for key in zip(maps["pair_id"], maps["sensor"], strict=True)]
    metric = "euclidean" if space == "logits" else "cosine"
    return map_quality(original[rows], maps[["x", "y"]].to_numpy(), metric=metric)
