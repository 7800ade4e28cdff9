"""The stages of a run: what each reads, what it writes, and whether it is up to date."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from pipelines.card import HTML, MARKDOWN, run_card
from pipelines.dynamics import run_dynamics
from pipelines.evaluate import run_evaluate
from pipelines.map import run_map
from pipelines.submit import run_submit
from rice_ssl.artifacts import TABLES, RunStore, file_hash
from rice_ssl.config import FREE_TO_CHANGE, RunConfig
from rice_ssl.errors import ArtifactError
from rice_ssl.run_config import config_to_dict
from rice_ssl.training.kept import kept_checkpoints

IMPORT = "import"
IMPORTED = ("manifest.parquet", "findings.parquet")
PROTOTYPES = "prototypes.parquet"
CLASSIFIED = ("predictions.parquet", "cams/index.parquet", "cams/cams.npy")
"""What embed makes where there is a classifier."""
ATTRIBUTED = ("attribution", "trust", "localisation", "map_agreement", "band_evidence")
"""Tables that attribution makes in any case; its arrays depend on the settings."""
_FURTHER_FOLDERS = {"map": ("index/",)}
"""Folders of a stage beside that of its name, whose files depend on the data."""
SHARED_LOG = "metrics.parquet"
"""Both trainings' log: it stays where one of them is left out."""
_TRAININGS = {"pretrain", "finetune"}
CROSS_VALIDATION = "cross-validate"
ASSIGNMENTS, HISTORY = "assignments", "embed.history_images"
"""A stage, and the one setting of the section embed that is its alone."""
_FOR_SWAV = {("finetune", "pretrain"), (CROSS_VALIDATION, "pretrain")}
"""What a stage needs only where it starts from the run's own SwAV weights."""
_IMAGES, _LABELS = ("pair_id", "sensor", "sha256", "split"), ("label", "fold")


class Summary(Protocol):
    """What a stage tells at its end."""

    def text(self) -> str:
        """Readable summary."""
        ...


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: also the command's.
        sections: of the configuration.
        columns: of the manifest that it reads.
        splits: whose rows it reads.
        needs: stages whose results it reads.
        outputs: files that it writes in any case.
        others: files that it reads where they are there, and that no stage makes.
        act: does it; takes store, configuration, whether to show progress, and a limit in minutes (pretrain alone).
    """

    name: str
    sections: tuple[str, ...]
    columns: tuple[str, ...]
    splits: tuple[str, ...]
    needs: tuple[str, ...]
    outputs: tuple[str, ...]
    act: Callable[[RunStore, RunConfig, bool, float | None], Summary | None]
    others: tuple[str, ...] = ()


# Stages that need PyTorch load it, which takes seconds, when they are done.


def _pretrain(store: RunStore, config: RunConfig, progress: bool, limit: float | None) -> Summary | None:
    from pipelines.pretrain import run_pretrain

    return run_pretrain(store, config, progress=progress, max_minutes=limit)


def _finetune(store: RunStore, config: RunConfig, progress: bool, limit: float | None) -> Summary | None:
    from pipelines.finetune import run_finetune

    return run_finetune(store, config, progress=progress)


def _cross_validate(store: RunStore, config: RunConfig, progress: bool, limit: float | None) -> Summary | None:
    from pipelines.cross_validate import run_cross_validate

    return run_cross_validate(store, config, progress=progress)


def _embed(store: RunStore, config: RunConfig, progress: bool, limit: float | None) -> Summary | None:
    from pipelines.embed import run_embed

    return run_embed(store, config, progress=progress)


def _assignments(store: RunStore, config: RunConfig, progress: bool, limit: float | None) -> Summary | None:
    from pipelines.assignments import run_assignments

    return run_assignments(store, config, progress=progress)


def _channels(store: RunStore, config: RunConfig, progress: bool, limit: float | None) -> Summary | None:
    from pipelines.channels import run_channels

    return run_channels(store, config, progress=progress)


def _attribution(store: RunStore, config: RunConfig, progress: bool, limit: float | None) -> Summary | None:
    from pipelines.attribution import run_attribution

    return run_attribution(store, config, progress=progress)


_LEARNT, _ALL = ("train", "val"), ("train", "val", "test")
STAGES = {
    stage.name: stage
    for stage in (
        Stage(
            "pretrain",
            ("seed", "encoder", "pretrain"),
            _IMAGES,
            _LEARNT,
            (),
            ("weights/swav.safetensors", SHARED_LOG),
            _pretrain,
        ),
        Stage(
            "finetune",
            ("seed", "encoder", "finetune"),
            (*_IMAGES, *_LABELS),
            _LEARNT,
            ("pretrain",),
            ("weights/classifier.safetensors", SHARED_LOG),
            _finetune,
        ),
        Stage(
            CROSS_VALIDATION,
            ("seed", "encoder", "finetune", "cross_validation"),
            (*_IMAGES, *_LABELS, "group"),
            _ALL,
            ("pretrain",),
            ("cross_validation.parquet",),
            _cross_validate,
        ),
        Stage(
            "embed",
            ("embed",),
            (*_IMAGES, *_LABELS),
            _ALL,
            ("pretrain", "finetune"),
            ("embeddings.parquet", PROTOTYPES, "thumbnails/images.parquet"),
            _embed,
        ),
        Stage(
            ASSIGNMENTS,
            ("seed", HISTORY),
            _IMAGES,
            _ALL,
            ("pretrain",),
            (TABLES[ASSIGNMENTS].file,),
            _assignments,
        ),
        Stage(
            "map",
            ("seed", "map"),
            (),
            (),
            ("embed",),
            ("map.parquet", "map.json", "neighbourhoods.parquet"),
            lambda store, config, progress, limit: run_map(store, config, progress=progress),
        ),
        Stage(
            "evaluate",
            ("seed", "evaluate"),
            (*_IMAGES, *_LABELS),
            _ALL,
            ("embed", CROSS_VALIDATION),
            ("report.json",),
            lambda store, config, progress, limit: run_evaluate(store, config),
            ("quality.parquet",),
        ),
        Stage(
            "channels",
            ("seed", "evaluate"),
            (*_IMAGES, *_LABELS, "group"),
            _ALL,
            ("embed",),
            ("channels.parquet", "channels.json"),
            _channels,
        ),
        Stage(
            "attribution",
            ("seed", "attribution"),
            (*_IMAGES, *_LABELS),
            _ALL,
            ("embed",),
            ("attribution.json", *(TABLES[name].file for name in ATTRIBUTED)),
            _attribution,
            ("registration.parquet",),
        ),
        Stage(
            "dynamics",
            ("seed", "dynamics"),
            (),
            (),
            ("pretrain",),
            ("dynamics.json",),
            lambda store, config, progress, limit: run_dynamics(store, config),
        ),
        Stage(
            "submit",
            ("finetune",),
            (*_IMAGES, "label"),
            _ALL,
            ("embed", CROSS_VALIDATION),
            ("submission.csv",),
            lambda store, config, progress, limit: run_submit(store, config),
        ),
        Stage(
            "card",
            tuple(field.name for field in dataclasses.fields(RunConfig)),
            (*_IMAGES, *_LABELS, "group"),
            _ALL,
            ("evaluate", "channels", "attribution", "dynamics", "submit"),
            (MARKDOWN, HTML),
            lambda store, config, progress, limit: run_card(store),
            ("audit.parquet", "findings.parquet"),
        ),
    )
}


def fingerprints(store: RunStore, config: RunConfig) -> dict[str, str]:
    """SHA-256 of all that a stage's result depends on: settings, rows of the manifest, and the stages before it.

    Raises:
        ArtifactError: the run has no manifest that can be read.
    """
    settings, manifest = config_to_dict(config), store.read_table("manifest")
    for section in _TRAININGS:
        settings[section] = {k: v for k, v in settings[section].items() if k not in FREE_TO_CHANGE}
    settings[HISTORY] = settings["embed"].pop("history_images")
    if config.encoder.weights is not None:
        settings["encoder"]["weights_sha256"] = file_hash(config.encoder.weights)
    if config.finetune.swav_run is not None:
        weights = RunStore(Path(config.finetune.swav_run)).weights_path("swav")
        settings["finetune"]["swav_sha256"] = file_hash(weights.as_posix())
    found: dict[str, str] = {}
    info = store.info()
    noted = info["hashes"]
    own_swav = config.finetune.start == "swav" and config.finetune.swav_run is None
    learnt = manifest.assign(label=manifest["label"].where(manifest["split"] != "test"))
    for stage in STAGES.values():
        seen = learnt if stage.name == CROSS_VALIDATION else manifest  # labels of test pairs may come later
        rows = seen.loc[seen["split"].isin(stage.splits), list(stage.columns)]
        needs = [need for need in stage.needs if own_swav or (stage.name, need) not in _FOR_SWAV]
        others = [noted.get(file, {}).get("sha256") for file in stage.others]
        if stage.name == "submit":
            others.append(file_hash((Path(info["data_root"]) / "SampleSubmission.csv").as_posix()))
        found[stage.name] = fingerprint(
            {section: settings[section] for section in stage.sections},
            settings["data"]["image_size"],
            list(info["classes"]),
            rows.astype("object").where(rows.notna(), None).to_numpy().tolist(),
            [found[need] for need in needs],
            *(others if any(others) else ()),
        )
    return found


def fingerprint(*parts: Any) -> str:
    """SHA-256 over the JSON of ``parts``."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def is_current(store: RunStore, name: str, wanted: str, outputs: tuple[str, ...]) -> bool:
    """Whether a stage was done from what ``wanted`` stands for, and its files are there as they were written."""
    try:
        info = store.info()
        if info["stages"].get(name, {}).get("fingerprint") != wanted:
            return False
        folders = (f"{name}/", *_FURTHER_FOLDERS.get(name, ()))
        own = [file for file in info["hashes"] if file.startswith(folders)]  # how many depends on the settings
        for file in dict.fromkeys([*outputs, *own]):
            if not store.has_file(file):
                return False
            store.check_hash(file, "rice-ssl run CONFIG")
    except ArtifactError:
        return False
    return True


def outputs_of(stage: Stage, skipped: Mapping[str, str]) -> tuple[str, ...]:
    """Files that a stage writes, when the stages of ``skipped`` are left out."""
    if stage.name != "embed":
        return stage.outputs
    own = tuple(file for file in stage.outputs if not (file == PROTOTYPES and "pretrain" in skipped))
    return own + (CLASSIFIED if "finetune" not in skipped else ())


def left_out(store: RunStore, config: RunConfig) -> dict[str, str]:
    """Stages that this run's data do not allow or its configuration does not ask for, and why."""
    manifest, classes = store.read_table("manifest", ["split", "label"]), list(store.info()["classes"])
    known: pd.Series = manifest.loc[manifest["split"] == "train", "label"]
    known = known[known.isin(classes)]
    found: dict[str, str] = {}
    if known.nunique() < 2:
        why = (
            f"the training pairs have one class only ({known.iloc[0]})"
            if len(known)
            else "no training pair is labelled"
        )
        found |= dict.fromkeys(("finetune", CROSS_VALIDATION, "evaluate", "submit"), why)
    if config.cross_validation is None:
        found.setdefault(CROSS_VALIDATION, "the configuration has no section cross_validation")
    if config.finetune.swav_run is not None:
        found |= dict.fromkeys(("pretrain", "dynamics"), f"the SwAV weights are those of {config.finetune.swav_run}")
    if "pretrain" in found:
        found[ASSIGNMENTS] = found["pretrain"]
    elif why := _no_history(store, config):
        found[ASSIGNMENTS] = why
    if not (manifest["split"] == "test").any():
        found.setdefault("submit", "there is no test pair")
    if "finetune" in found:
        found |= dict.fromkeys(("channels", "attribution"), found["finetune"])
    elif not manifest["split"].isin(["val", "test"]).any():
        found |= dict.fromkeys(("channels", "attribution"), "there is no validation or test pair")
    return found


def _no_history(store: RunStore, config: RunConfig) -> str:
    """Why there are no assignments over training; empty where there are, or can be made."""
    if not config.embed.history_images:
        return "embed.history_images is 0"
    wanted = fingerprints(store, config)
    if is_current(store, ASSIGNMENTS, wanted[ASSIGNMENTS], STAGES[ASSIGNMENTS].outputs):
        return ""  # the checkpoints may be gone since
    if not is_current(store, "pretrain", wanted["pretrain"], STAGES["pretrain"].outputs):
        return "" if config.pretrain.keep_checkpoints else "pretrain.keep_checkpoints is 0"
    kept = kept_checkpoints(store.root / "checkpoints" / "pretrain")
    return "" if kept else "the pretraining that was done kept no checkpoints (pretrain.keep_checkpoints)"


def run_stage(
    store: RunStore, config: RunConfig, stage: Stage, wanted: str, *, progress: bool, max_minutes: float | None = None
) -> Summary:
    """Do one stage, whether or not it is up to date, and note that it is.

    A training resumes from its checkpoint when that is of the same settings and data; others are thrown away.

    Args:
        store: the run.
        config: its configuration.
        stage: to do.
        wanted: its fingerprint.
        progress: whether to show progress bars.
        max_minutes: stop pretraining after that long; None for no limit.
    """
    if stage.name in _TRAININGS:
        _drop_unreadable_log(store)
    if stage.name in {*_TRAININGS, CROSS_VALIDATION}:
        _drop_stale_checkpoints(store, stage.name, wanted)
    started = time.perf_counter()
    summary = stage.act(store, config, progress, max_minutes)
    if summary is None:  # a process that others lead comes never here
        raise RuntimeError(f"{stage.name} told nothing")
    if getattr(summary, "finished", True):
        seconds = round(time.perf_counter() - started, 1)
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        store.finish_stage(stage.name, wanted, seconds=seconds, finished=now)
    return summary


def _drop_stale_checkpoints(store: RunStore, stage: str, wanted: str) -> None:
    """Throw away a stage's checkpoints when they belong to other settings or other data."""
    folder = store.root / "checkpoints" / stage
    note = folder / "fingerprint"
    if folder.is_dir() and (not note.is_file() or note.read_text() != wanted):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    note.write_text(wanted)


def _drop_unreadable_log(store: RunStore) -> None:
    """Both trainings are due again where their log cannot be read: there would be a hole in it."""
    file = TABLES["metrics"].file
    if not store.has("metrics"):
        return
    try:
        store.note_hash(file)  # a process killed between writing the log and noting its hash leaves the two apart
        store.read_table("metrics")
    except ArtifactError:
        store.remove(file)
        shutil.rmtree(store.root / "checkpoints", ignore_errors=True)
        store.update_info(stages={k: v for k, v in store.info()["stages"].items() if k not in _TRAININGS})
