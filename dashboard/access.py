"""The dashboard's only reader of artifacts, and its only cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboard.command_line import EXAMPLES, ablation_folder, comparison_folder, offered_runs
from dashboard.pairs import first_of_pair, pairs_table
from dashboard.thumbnail_cache import ThumbnailCache
from rice_ssl.artifacts import ABLATION_FILE, COMPARISON_FILE, TABLES, RunStore, read_ablation, read_comparison
from rice_ssl.data.image_file import read_image_file
from rice_ssl.embeddings.similar import SimilarIndex, index_file
from rice_ssl.errors import ArtifactError
from rice_ssl.evidence.leaf import Evidence
from rice_ssl.evidence.read import read_leaves
from rice_ssl.sensors import BOTH

CROSS_VALIDATION, OOF = "cross_validation", "oof"
JUDGED = ("test", OOF, "val", "train")
"""Splits on which judges are looked at; ``oof`` are labelled pairs, judged by networks that did not see them."""
_JUDGED = ["pair_id", "sensor", "prediction"]


@dataclass(frozen=True)
class RunKey:
    """A run and the state of its directory; part of every cache key, so that a changed run is read anew."""

    path: str
    stamp: str


def _stamp(path: Path) -> str:
    """State of a file, another one when it was written again; empty where it is not there."""
    state = path.stat() if path.is_file() else None
    return "" if state is None else f"{state.st_mtime_ns}-{state.st_size}"


def key_of(path: Path) -> RunKey:
    """The key of a run directory as it is now."""
    return RunKey(path.as_posix(), _stamp(path / "run.json"))


def ablation() -> dict[str, Any]:
    """``ablation.json`` of the folder named on the command line (``-- --ablation DIR``), of ours where none is.

    Raises:
        ArtifactError: it is not there, or cannot be read.
    """
    return _results(ablation_folder() / ABLATION_FILE)


def comparison() -> dict[str, Any]:
    """``comparison.json`` of the folder named on the command line (``-- --comparison DIR``), of ours where none is.

    Raises:
        ArtifactError: it is not there, or cannot be read.
    """
    return _results(comparison_folder() / COMPARISON_FILE)


def _results(path: Path) -> dict[str, Any]:
    return _results_as_they_were(path.as_posix(), _stamp(path))


@st.cache_data(max_entries=8, show_spinner=False)
def _results_as_they_were(path: str, stamp: str) -> dict[str, Any]:
    read = {ABLATION_FILE: read_ablation, COMPARISON_FILE: read_comparison}[Path(path).name]
    return read(Path(path).parent)


def current_run() -> RunKey:
    """The run on screen: one of those offered, never a path out of a URL."""
    runs = offered_runs()
    number = st.session_state.get("run", 0)
    return key_of(runs[number if isinstance(number, int) and 0 <= number < len(runs) else 0])


def example_run(name: str) -> RunKey:
    """A run of the examples that come with the project."""
    return key_of(EXAMPLES / name)


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


def table(run: RunKey, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table, or some of its columns; the caller may change it, which copies the columns that are changed alone."""
    return _table(run, name, None if columns is None else tuple(columns)).copy(deep=False)


@st.cache_resource(max_entries=32, show_spinner=False)
def _table(run: RunKey, name: str, columns: tuple[str, ...] | None) -> pd.DataFrame:
    return RunStore(Path(run.path)).read_table(name, columns)


def arrow(run: RunKey, name: str, columns: Sequence[str]) -> pa.Table:
    """Columns of a table without an object for each row; not kept here, so keep what is made of it.

    Raises:
        ArtifactError: the table is not there, or cannot be read.
    """
    return RunStore(Path(run.path)).read_arrow(name, columns)


def column_names(run: RunKey, name: str) -> list[str]:
    """Names of a table's columns, those included that the schema does not know; empty where it is not there."""
    return RunStore(Path(run.path)).column_names(name) if has(run, name) else []


def query(run: RunKey, sql: str, tables: Sequence[str], parameters: Sequence[Any] = ()) -> pa.Table:
    """Ask DuckDB a question of tables; see :func:`rice_ssl.artifacts.query.query_files`. Not kept here.

    Raises:
        ArtifactError: a table is not there, or cannot be read.
    """
    return RunStore(Path(run.path)).query(sql, tables, parameters)


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


def has_document(run: RunKey, name: str) -> bool:
    """Whether the JSON document is there; a table may bear the same name."""
    return RunStore(Path(run.path)).has_document(name)


@st.cache_resource(max_entries=4, show_spinner=False)
def _cams(run: RunKey) -> tuple[dict[tuple[str, str], int], npt.NDArray[np.float16]]:
    index, maps = RunStore(Path(run.path)).read_cams()
    return dict(zip(zip(index["pair_id"], index["sensor"], strict=True), index["row"], strict=True)), maps


def cam(run: RunKey, pair_id: str, sensor: str) -> npt.NDArray[np.float32] | None:
    """CAMs of one image, shape (classes, h, w), >= 0; None where it has none."""
    index, maps = _cams(run)
    row = index.get((pair_id, sensor))
    return None if row is None else np.asarray(maps[row], dtype=np.float32)


@st.cache_resource(max_entries=32, show_spinner=False)
def _evidence(run: RunKey, file: str) -> tuple[dict[tuple[str, str], int], npt.NDArray[np.float16]]:
    store = RunStore(Path(run.path))
    index = store.read_table("attribution", ["pair_id", "sensor", "row"])
    maps = store.read_array(file, TABLES["attribution"].made_by)
    return dict(zip(zip(index["pair_id"], index["sensor"], strict=True), index["row"], strict=True)), maps


def evidence_maps(run: RunKey) -> list[dict[str, Any]]:
    """What kinds of maps ``rice-ssl attribution`` made; empty where it was not called. See :func:`evidence_map`."""
    return list(document(run, "attribution")["maps"]) if has_document(run, "attribution") else []


def evidence_map(run: RunKey, pair_id: str, sensor: str, kind: Mapping[str, Any]) -> npt.NDArray[np.float32] | None:
    """Maps of one image, shape (classes, h, w), or (h, w) where they are of no class; None where it has none.

    Args:
        run: the run.
        pair_id: of the image.
        sensor: of the image.
        kind: one of :func:`evidence_maps`.
    """
    index, maps = _evidence(run, f"attribution/{Path(str(kind['file'])).name}")
    row = index.get((pair_id, sensor))
    return None if row is None or row >= len(maps) else np.asarray(maps[row], dtype=np.float32)


@st.cache_resource(max_entries=256, show_spinner=False)
def _rows_of_pair(run: RunKey, name: str, pair_id: str) -> pd.DataFrame:
    store = RunStore(Path(run.path))
    return store.read_rows(name, [pair_id], store.column_names(name))


def rows_of_pair(run: RunKey, name: str, pair_id: str) -> pd.DataFrame | None:
    """Rows of a table that are about one pair, a copy; None where the table is not there, or has none.

    For a screen of one pair: no more of the table is read than parts of it that may hold the pair.
    """
    if not has(run, name):
        return None
    found = _rows_of_pair(run, name, pair_id)
    return None if found.empty else found.copy()


@st.cache_resource(max_entries=8, show_spinner=False)
def _thumbnails(run: RunKey) -> ThumbnailCache:
    store = RunStore(Path(run.path))
    return ThumbnailCache(lambda pair_ids: store.read_rows("thumbnails", pair_ids, ["pair_id", "sensor", "jpeg"]))


def thumbnails(run: RunKey, entries: Sequence[tuple[str, str]]) -> list[bytes | None]:
    """JPEGs of some images, each named by pair and sensor; None where the run keeps none. No others are read.

    Raises:
        ArtifactError: the table is not there, or cannot be read.
    """
    return _thumbnails(run).get(entries)


def thumbnail(run: RunKey, pair_id: str, sensor: str) -> bytes | None:
    """JPEG of one image; None where the run keeps none of it."""
    return thumbnails(run, [(pair_id, sensor)])[0]


@st.cache_resource(max_entries=8, show_spinner=False)
def similar_index(run: RunKey, sensor: str, shape: tuple[int, int]) -> SimilarIndex | None:
    """Index of a sensor's embeddings, (N, E) of them, whose rows it counts; None where the run has none.

    Raises:
        ArtifactError: it is damaged, or not the one that ``rice-ssl map`` wrote.
    """
    store, file = RunStore(Path(run.path)), index_file("embedding", sensor)
    if not (store.root / file).is_file():
        return None
    store.check_hash(file, TABLES["map"].made_by)
    return SimilarIndex.read(store.root / file, f"rice-ssl map {run.path}", shape=shape)


def image_file(run: RunKey, pair_id: str, sensor: str) -> bytes | None:
    """An image of the run's data, as it was when the run was made; None where it is gone, or is another one now.

    Raises:
        InputError: the file cannot be read, or has more than 512 MiB.
    """
    rows = rows_of_pair(run, "manifest", pair_id)
    root, noted = info(run).get("data_root"), None if rows is None else rows[rows["sensor"] == sensor]
    if noted is None or noted.empty or not isinstance(root, str):
        return None
    path = Path(root) / str(noted["path"].iloc[0])
    if not path.is_file() or not path.resolve().is_relative_to(Path(root).resolve()):
        return None
    content = read_image_file(path, path.name)
    return content if hashlib.sha256(content).hexdigest() == noted["sha256"].iloc[0] else None


def evidence(run: RunKey, pair_ids: Sequence[str]) -> Evidence:
    """What is handed on of some leaves; not kept, and to be called from any thread.

    Raises:
        InputError: none, too many, or one that the run does not know.
        ArtifactError: the run cannot be read.
    """
    return read_leaves(RunStore(Path(run.path)), pair_ids)


def sensors(run: RunKey) -> list[str]:
    """Names of the run's sensors, in order."""
    return [str(sensor["name"]) for sensor in info(run)["sensors"]]


def titles(run: RunKey) -> dict[str, str]:
    """How each sensor is written on screen; ``both``, the pair judged from all its sensors, is the joint prediction."""
    return {**{str(s["name"]): str(s["title"]) for s in info(run)["sensors"]}, BOTH: "Joint"}


def settings(run: RunKey, section: str) -> dict[str, Any]:
    """A section of the run's configuration; empty where it is not noted."""
    config = info(run).get("config")
    found = config.get(section) if isinstance(config, dict) else None
    return found if isinstance(found, dict) else {}


def finetuning(run: RunKey) -> dict[str, Any]:
    """Section ``finetune`` of the configuration; empty where it is not noted."""
    return settings(run, "finetune")


def epoch_was_chosen(run: RunKey) -> bool:
    """Whether validation pairs chose the classifier's epoch, or the end of its training; also where it is not noted."""
    section = {} if weights_from(run) is not None else finetuning(run)  # of another run's classifier it is not noted
    patience = section.get("patience", 0)
    return section.get("keep", "best") == "best" or (isinstance(patience, (int, float)) and patience > 0)


def trained_sensors(run: RunKey) -> str | None:
    """``shared``, ``fused``, or the sensor whose images alone the classifier learnt from; None where not noted."""
    found = finetuning(run).get("sensors")
    return found if isinstance(found, str) else None


def swav_run(run: RunKey) -> str | None:
    """Directory of another run whose SwAV weights the classifier began with; None where they are the run's own."""
    section = finetuning(run)
    found = section.get("swav_run") if section.get("start") == "swav" else None
    return found if isinstance(found, str) and found else None


def weights_from(run: RunKey) -> str | None:
    """Name of the other run whose weights were used; None where they are the run's own."""
    name = info(run).get("weights_from")
    return name if isinstance(name, str) and name else None


def has_networks(run: RunKey) -> bool:
    """Whether the run, or the one whose weights it uses, has weights; where that one lies elsewhere now, too."""
    source = RunStore(Path(run.path)).source_of_weights()
    if not source.exists or any(source.weights_path(name).is_file() for name in ("swav", "classifier")):
        return True
    config = source.info().get("config")
    encoder = config.get("encoder") if isinstance(config, dict) else None
    return isinstance(encoder, dict) and bool(encoder.get("weights"))  # an encoder alone


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
    return split not in ("test", OOF) and (weights_from(run) is None or "weights_run" in info(run))


def judged_by(run: RunKey) -> str | None:
    """Table that says what is said of the pairs: ``predictions``, or ``cross_validation`` where there are none."""
    return next((name for name in ("predictions", CROSS_VALIDATION) if has(run, name)), None)


def pairs(run: RunKey) -> pd.DataFrame:
    """One row for each pair, indexed by pair_id; see :func:`dashboard.pairs.pairs_table`.

    ``label`` and ``split`` as in the manifest; predictions are those of :func:`judged_by`, none where it is None.
    """
    return _pairs(run).copy(deep=False)


@st.cache_resource(max_entries=8, show_spinner=False)
def _pairs(run: RunKey) -> pd.DataFrame:
    judged = judged_by(run)
    if judged is None:
        return labels(run)
    return pairs_table(labels(run), table(run, judged, _JUDGED), vectors(run, judged, "probabilities"), sensors(run))


@st.cache_data(max_entries=8, show_spinner=False)
def cross_validated(run: RunKey) -> pd.DataFrame:
    """Pairs that cross-validation judged, as :func:`pairs`, with the manifest's labels; ``split``: ``oof``, ``test``.

    Raises:
        ArtifactError: the table is not there, or cannot be read.
    """
    judged = table(run, CROSS_VALIDATION, [*_JUDGED, "split"])
    frame = judged.groupby("pair_id")[["split"]].first().join(labels(run)["label"])
    probabilities = vectors(run, CROSS_VALIDATION, "probabilities")
    return pairs_table(frame[["label", "split"]], judged, probabilities, sensors(run))


def judged_pairs(run: RunKey, split: str) -> pd.DataFrame:
    """Pairs of a split with what is said of them: of ``oof``, and of ``test`` without predictions, cross-validation.

    Raises:
        ArtifactError: a table is not there, or cannot be read.
    """
    frame = cross_validated(run) if is_calibrated(run, split) else pairs(run)
    return frame[frame["split"] == split]


def labels(run: RunKey) -> pd.DataFrame:
    """``label`` and ``split`` of each pair, indexed by pair_id, as the manifest has them now."""
    return _labels(run).copy(deep=False)


@st.cache_resource(max_entries=8, show_spinner=False)
def _labels(run: RunKey) -> pd.DataFrame:
    return first_of_pair(table(run, "manifest", ["pair_id", "label", "split"]))


def judgements(run: RunKey, split: str) -> pd.DataFrame:
    """Columns ``pair_id``, ``sensor`` (judge), ``probabilities`` and ``label`` of a split; see :func:`judged_pairs`.

    Labels are those of the manifest as it is now, as in ``report.json``.

    Raises:
        ArtifactError: the table is not there, or cannot be read.
    """
    columns = ["pair_id", "sensor", "probabilities"]
    if is_calibrated(run, split):
        found = table(run, CROSS_VALIDATION, [*columns, "split"]).join(labels(run)["label"], on="pair_id")
    else:
        found = table(run, "predictions", columns).join(labels(run), on="pair_id")
    return found[found["split"] == split].drop(columns="split")


def images(run: RunKey) -> pd.DataFrame:
    """SHA-256 of each pair's images: a row for each pair, a column for each sensor; null where it has none."""
    manifest = table(run, "manifest", ["pair_id", "sensor", "sha256"]).drop_duplicates(["pair_id", "sensor"])
    return manifest.pivot(index="pair_id", columns="sensor", values="sha256")


def card(run: RunKey) -> tuple[str | None, bytes | None]:
    """Model card as Markdown, and as a page of HTML to be downloaded; None where there is none."""
    text, html = Path(run.path) / "card.md", Path(run.path) / "card.html"
    return (
        text.read_text(encoding="utf-8", errors="replace") if text.is_file() else None,
        html.read_bytes() if html.is_file() else None,
    )


def is_calibrated(run: RunKey, split: str) -> bool:
    """Whether probabilities on a split are those of cross-validation, which are scaled by a temperature."""
    return split == OOF or judged_by(run) == CROSS_VALIDATION


def judged_splits(run: RunKey) -> list[str]:
    """Splits that have pairs that were judged, in the order in which figures matter."""
    there = set(cross_validated(run)["split"].unique()) if has(run, CROSS_VALIDATION) else set()
    if judged_by(run) == "predictions":
        there = (there & {OOF}) | set(pairs(run)["split"].unique())
    return [split for split in JUDGED if split in there]


@st.cache_data(max_entries=2048, show_spinner=False)
def probabilities(run: RunKey, pair_id: str) -> dict[str, list[float]]:
    """Class probabilities of a pair by sensor, and for ``both``; empty without predictions."""
    return _vectors_of_pair(run, "probabilities", pair_id)


@st.cache_data(max_entries=2048, show_spinner=False)
def contributions(run: RunKey, pair_id: str) -> dict[str, list[float]]:
    """What each sensor adds to the pair's logits; empty where an image or the scale lacks, or they are not the sum."""
    logits = _vectors_of_pair(run, "logits", pair_id)
    single = {sensor: values for sensor, values in logits.items() if sensor != BOTH}
    scale = info(run).get("pair_scale")
    if len(single) < 2 or not isinstance(scale, float):
        return {}
    parts = {sensor: [scale * value / len(single) for value in values] for sensor, values in single.items()}
    return parts if np.allclose(np.sum(list(parts.values()), axis=0), logits.get(BOTH, np.nan), atol=0.05) else {}


def _vectors_of_pair(run: RunKey, column: str, pair_id: str) -> dict[str, list[float]]:
    rows = RunStore(Path(run.path)).read_rows(judged_by(run) or "predictions", [pair_id], ["sensor", column])
    pairs = zip(rows["sensor"], rows[column], strict=True)
    return {sensor: [float(value) for value in values] for sensor, values in pairs}
