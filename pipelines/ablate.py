"""``rice-ssl ablate``: a grid of pretrainings that differ in what is named and nothing else, and what came of them."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from pipelines.figure_text import figure_text
from pipelines.grid_text import grid_text
from pipelines.run import bring_in, images_changed, refuse_torchrun, run_one
from pipelines.stages import fingerprint, fingerprints, is_current
from rice_ssl.artifacts import BusyError, RunStore, atomic_path, locked, write_ablation
from rice_ssl.config import AblationConfig, RunConfig
from rice_ssl.data.loading import pair_rows
from rice_ssl.embeddings.extract import Networks, extract
from rice_ssl.embeddings.neighbours import unit_rows
from rice_ssl.errors import ArtifactError, InputError, TrainingError
from rice_ssl.evaluation.ablation import RANDOM, measures, summarise
from rice_ssl.evaluation.probe import knn_classes, probe_classes
from rice_ssl.evaluation.retrieval import recall_at
from rice_ssl.models.swav import SwAV
from rice_ssl.models.weights import load_weights
from rice_ssl.run_config import parse_config
from rice_ssl.training.device import launch
from rice_ssl.training.pretrain import build_swav
from rice_ssl.training.run_pictures import run_pictures

PAIRS_FILE = "pairs.parquet"


@dataclass(frozen=True)
class Condition:
    """One point of the grid: how it is called, and the dotted settings that make it; none for random weights."""

    title: str
    settings: dict[str, Any]
    random: bool = False

    @property
    def folder(self) -> str:
        """Name of its folder: readable, and another one for other settings."""
        key = hashlib.sha256(json.dumps([self.settings, self.random], sort_keys=True).encode()).hexdigest()[:8]
        return f"{re.sub('[^a-z0-9.-]+', '-', self.title.lower()).strip('-.')[:60]}-{key}"


@dataclass(frozen=True)
class Cell:
    """One network of a grid: a condition, a seed, and the run that they make."""

    condition: Condition
    seed: int
    run: RunConfig

    @property
    def store(self) -> RunStore:
        """Its run directory."""
        return RunStore(Path(self.run.run))

    def fingerprint(self, config: AblationConfig) -> str:
        """Of all that the judgement of its pairs depends on.

        Raises:
            ArtifactError: its images were not imported yet.
        """
        found = fingerprints(self.store, self.run)
        return fingerprint(found["pretrain"], found["embed"], self.condition.random, config.retrieval_split)

    def pairs(self, config: AblationConfig) -> pd.DataFrame | None:
        """What was judged, pair by pair, by whichever process; None where that is still to be done, or again."""
        try:
            if images_changed(self.store, self.run):
                return None
            if not is_current(self.store, "ablate", self.fingerprint(config), (PAIRS_FILE,)):
                return None
        except ArtifactError:
            return None
        return pd.read_parquet(self.store.root / PAIRS_FILE)


@dataclass(frozen=True)
class AblateSummary:
    """What was found.

    ``table`` has a row for each condition, ``failures`` a sentence for each network that cannot be had; ``elsewhere``
    counts those that other processes are at, and ``finished`` says that none was stopped.
    """

    out: str
    cells: int
    planned: int
    elsewhere: int
    table: list[dict[str, str]]
    failures: tuple[str, ...]
    finished: bool

    def text(self) -> str:
        """The table, with 95% intervals or as configured."""
        told = grid_text(
            self.cells,
            self.planned,
            "networks",
            elsewhere=self.elsewhere,
            finished=self.finished,
            table=self.table,
            failures=self.failures,
        )
        return f"{told}\nOpen it with: streamlit run dashboard/app.py -- --ablation {self.out}"


def run_ablate(config: AblationConfig, *, progress: bool = True, max_minutes: float | None = None) -> AblateSummary:
    """Do what is left of a grid, and write ``ablation.json`` and ``ablation.csv`` after each pretraining.

    Several processes may work on one grid: a pretraining that another one is at is passed over. One that collapses, or
    whose settings turn out not to fit the data, is a failure of its own; the others go on.

    Args:
        config: the grid.
        progress: whether to show progress bars.
        max_minutes: stop the pretraining at hand after that long; None for no limit.

    Raises:
        InputError: a condition's settings do not validate; found before anything is computed.
    """
    refuse_torchrun("rice-ssl ablate")
    out = Path(config.out)
    conditions = plan_conditions(config)
    cells = [
        Cell(condition, seed, cell_config(config, condition, seed)) for seed in config.seeds for condition in conditions
    ]
    stopped, elsewhere, failures = False, 0, []
    for number, cell in enumerate(cells, 1):
        if cell.pairs(config) is not None:
            continue
        print(f"{number} of {len(cells)}: {cell.condition.title}, seed {cell.seed}", file=sys.stderr)  # noqa: T201
        try:
            if not _do_cell(cell, config, progress=progress, max_minutes=max_minutes):
                stopped = True
                break
        except BusyError:
            elsewhere += 1
            continue
        except (TrainingError, InputError) as error:
            failures.append(f"{cell.condition.title}, seed {cell.seed}: {error}")
            continue
        if cell is not cells[-1]:
            write_results(out, config, conditions, cells)
    done, content = write_results(out, config, conditions, cells)
    return AblateSummary(config.out, done, len(cells), elsewhere, figures_table(content), tuple(failures), not stopped)


def plan_conditions(config: AblationConfig) -> list[Condition]:
    """Every combination of the grid's values, called by those that vary, after random weights where they are asked."""
    names = list(config.grid)
    varying = [name for name in names if len(config.grid[name]) > 1] or names[:1]
    found = [Condition(RANDOM, {}, random=True)] if config.random else []
    for values in itertools.product(*config.grid.values()):
        settings = dict(zip(names, values, strict=True))
        parts = [_say(name, settings[name], alone=len(varying) == 1) for name in varying]
        found.append(Condition(", ".join(parts) or "as set", settings))
    return found


def _say(name: str, value: Any, *, alone: bool) -> str:
    """A setting in words: views are known by their names, others need theirs."""
    short = name.rpartition(".")[2]
    return str(value) if short == "views" or (alone and isinstance(value, str)) else f"{short} {value}"


def baseline_of(config: AblationConfig) -> str | None:
    """Title of the condition that the others are compared with; None where there is no grid."""
    wanted = {name: config.baseline.get(name, values[0]) for name, values in config.grid.items()}
    for condition in plan_conditions(config):
        if not condition.random and condition.settings == wanted:
            return condition.title
    return None


def cell_config(config: AblationConfig, condition: Condition, seed: int) -> RunConfig:
    """Configuration of one pretraining.

    Raises:
        InputError: it does not validate; the message names the condition.
    """
    content = copy.deepcopy(config.settings)
    for name, value in condition.settings.items():
        *sections, last = name.split(".")
        place = content
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise InputError(f"grid.{name} of ablation {config.name!r} is no setting: check its spelling.")
        place[last] = value
    for section in ("data", "pretrain", "encoder"):
        if not isinstance(content.get(section, {}), dict):
            raise InputError(
                f"settings.{section} of ablation {config.name!r} is {content[section]!r}: give a mapping of settings."
            )
    run = Path(config.out) / "cells" / condition.folder / f"seed-{seed}"
    data = {"cache": (Path(config.out) / "cache").as_posix(), **content.get("data", {})}
    whole = {**content, "data": data, "name": f"{condition.title}, seed {seed}", "run": run.as_posix(), "seed": seed}
    return parse_config(whole, f"Condition {condition.title!r} of ablation {config.name!r}")


def _do_cell(cell: Cell, config: AblationConfig, *, progress: bool, max_minutes: float | None) -> bool:
    """Train and judge one cell; False when it was stopped."""
    store, run, condition = cell.store, cell.run, cell.condition
    with store.locked():
        bring_in(store, run, progress=progress)
    if not condition.random:
        summary: Any = run_one(store, run, "pretrain", progress=progress, max_minutes=max_minutes)
        if not summary.finished:
            return False
    with store.locked():
        table = judge_pairs(store, run, random=condition.random, split=config.retrieval_split, progress=progress)
        with atomic_path(store.root / PAIRS_FILE) as temporary:
            table.to_parquet(temporary)
        store.note_hash(PAIRS_FILE)
        store.finish_stage("ablate", cell.fingerprint(config))
    return True


def judge_pairs(store: RunStore, config: RunConfig, *, random: bool, split: str, progress: bool) -> pd.DataFrame:
    """Judge a network pair by pair.

    Args:
        store: the run, with its weights unless ``random``.
        config: its configuration.
        random: whether to judge the network with random weights.
        split: whose complete pairs sensors are compared on.
        progress: whether to show a progress bar.

    Returns:
        Index pair_id; for each sensor S ``probe_S`` and ``knn_S`` (whether the class is right; labelled validation
        pairs), and of the pairs of ``split`` with images of the first two sensors ``recall_1``, ``recall_5`` and
        ``prototype_S``. NaN elsewhere.
    """
    device = launch(config.embed.accelerator, "32-true").device
    pictures, table, sensors = run_pictures(store, config, device, progress=progress)
    network = _network(store, config, random=random).to(device).eval()
    rows = np.array([row for row in range(len(table)) if row not in pictures.cache.faults], dtype=np.int64)
    folder = store.root / "cache" / "ablate"
    for leftover in folder.glob("*.npz"):  # of other weights, perhaps
        leftover.unlink()
    embedded = extract(
        pictures, rows, Networks(network, None), batch_size=config.embed.batch_size, folder=folder, progress=progress
    )
    vectors = np.zeros((len(table), embedded["embedding"].shape[1]), dtype=np.float32)
    vectors[rows] = unit_rows(embedded["embedding"])
    raw = np.zeros_like(vectors)
    raw[rows] = embedded["embedding"]
    prototype = np.full(len(table), -1)
    prototype[rows] = embedded["prototype_logits"].argmax(axis=1)
    for leftover in folder.glob("*.npz"):
        leftover.unlink()
    kept = table.loc[rows]
    parts = [
        _judge_sensor(kept[kept["sensor"] == sensor], sensor, raw, vectors, list(store.info()["classes"]))
        for sensor in sensors
    ]
    if len(sensors) > 1:
        parts.append(_judge_twins(kept[kept["split"] == split], sensors[:2], vectors, prototype))
    return pd.concat([part for part in parts if len(part.columns)], axis=1).rename_axis("pair_id")


def _network(store: RunStore, config: RunConfig, *, random: bool) -> SwAV:
    torch.manual_seed(config.seed)
    network = build_swav(config.encoder, config.pretrain)
    if not random:
        load_weights(network, store.checked_weights("swav", "rice-ssl pretrain {run}"))
    return network


def _judge_sensor(
    images: pd.DataFrame,
    sensor: str,
    embeddings: npt.NDArray[np.float32],
    unit: npt.NDArray[np.float32],
    classes: list[str],
) -> pd.DataFrame:
    """Whether probe and kNN know the class of a sensor's validation images."""
    known = images[images["label"].isin(classes)]
    train, val = known[known["split"] == "train"], known[known["split"] == "val"]
    if train["label"].nunique() < 2 or val.empty:
        return pd.DataFrame()
    number = {name: position for position, name in enumerate(classes)}
    of_train, of_val = (np.array([number[label] for label in side["label"]], dtype=np.int64) for side in (train, val))
    rows, queries = train.index.to_numpy(), val.index.to_numpy()
    folds = train["fold"].to_numpy(dtype=np.int64)
    probe = probe_classes(embeddings[queries], embeddings[rows], of_train, folds)
    knn = knn_classes(unit[queries], unit[rows], of_train, len(classes))
    hits = {f"probe_{sensor}": (probe == of_val).astype(float), f"knn_{sensor}": (knn == of_val).astype(float)}
    return pd.DataFrame(hits, index=val["pair_id"])


def _judge_twins(
    images: pd.DataFrame, sensors: list[str], unit: npt.NDArray[np.float32], prototype: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Whether the images of the first two sensors find each other, and which prototype each has."""
    ids, rows = pair_rows(images, sensors)
    complete = np.flatnonzero((rows >= 0).all(axis=1))
    if len(complete) == 0:
        return pd.DataFrame()
    first, second = rows[complete].T
    found = {f"recall_{count}": recall_at(unit[first], unit[second], count) for count in (1, 5)}
    sides = {f"prototype_{sensor}": prototype[side] for sensor, side in zip(sensors, (first, second), strict=True)}
    return pd.DataFrame({**found, **sides}, index=[ids[pair] for pair in complete])


def write_results(
    out: Path, config: AblationConfig, conditions: Sequence[Condition], cells: Sequence[Cell]
) -> tuple[int, dict[str, Any]]:
    """Write ``ablation.json`` and ``ablation.csv`` of the cells that are done, by whichever process.

    Returns:
        How many are done, and the former's content; without any, nothing is written.
    """
    with locked(out / "cache" / "lock", wait=True):  # what another process has just found is not written over
        return _write_results(out, config, conditions, cells)


def _write_results(
    out: Path, config: AblationConfig, conditions: Sequence[Condition], cells: Sequence[Cell]
) -> tuple[int, dict[str, Any]]:
    found: dict[tuple[str, int], pd.DataFrame] = {}
    info: dict[str, Any] = {}
    for cell in cells:
        table = cell.pairs(config)
        if table is None:
            continue
        first = next(iter(found.values()), table)
        if not table.index.equals(first.index):
            raise ArtifactError(
                f"{cell.store.root} was judged on other pairs than the first network: the images were changed "
                f"meanwhile. Remove {out / 'cells'} to train all of them on what is there now."
            )
        found[cell.condition.title, cell.seed] = table
        info = cell.store.info()
    if not found:
        return 0, {"figures": []}
    sensors = [str(sensor["name"]) for sensor in info["sensors"]]
    titles = {str(sensor["name"]): str(sensor["title"]) for sensor in info["sensors"]}
    wanted = measures(sensors, titles)
    baseline = baseline_of(config)
    done = summarise(found, wanted, baseline, bootstrap=config.bootstrap, confidence=config.confidence)
    content = {
        "name": config.name,
        "simulated": bool(info["simulated"]),
        "data_root": Path(info["data_root"]).name,
        "conditions": [condition.title for condition in conditions],
        "baseline": baseline,
        "seeds": list(config.seeds),
        "planned": len(cells),
        "retrieval_split": config.retrieval_split,
        "confidence": config.confidence,
        "bootstrap": config.bootstrap,
        "settings": config.settings,
        "grid": config.grid,
        "measures": [{"name": m.name, "title": m.title, "meaning": m.meaning} for m in wanted],
        **done,
    }
    write_ablation(out, content)
    with atomic_path(out / "ablation.csv") as temporary:
        pd.DataFrame(done["figures"]).to_csv(temporary, index=False)
    return len(found), content


def figures_table(content: dict[str, Any]) -> list[dict[str, str]]:
    """One row a condition, one entry a measure, each as ``value [low, high]``."""
    titles = {measure["name"]: measure["title"] for measure in content.get("measures", [])}
    rows: dict[str, dict[str, str]] = {}
    for entry in content["figures"]:
        rows.setdefault(entry["condition"], {})[titles[entry["measure"]]] = figure_text(entry)
    return [{"condition": condition, **figures} for condition, figures in rows.items()]
