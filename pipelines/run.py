"""All stages of a run in order; a stage whose inputs did not change is skipped."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipelines.configuration import config_to_dict
from pipelines.dynamics import run_dynamics
from pipelines.embed import run_embed
from pipelines.evaluate import run_evaluate
from pipelines.finetune import run_finetune
from pipelines.map import run_map
from pipelines.prepare import begin_run, import_data
from pipelines.pretrain import run_pretrain
from pipelines.submit import run_submit
from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig


class Summary(Protocol):
    """What a stage tells at its end."""

    def text(self) -> str:
        """Readable summary."""
        ...


@dataclass(frozen=True)
class Stage:
    """One stage: its sections of the configuration, and the stages whose results it reads."""

    name: str
    sections: tuple[str, ...]
    needs: tuple[str, ...]
    outputs: tuple[str, ...]
    act: Callable[[RunStore, RunConfig, bool], Summary]


STAGES = (
    Stage(
        "pretrain",
        ("seed", "encoder", "pretrain"),
        ("import",),
        ("weights/swav.safetensors", "metrics.parquet"),
        lambda store, config, progress: run_pretrain(store, config, progress=progress),
    ),
    Stage(
        "finetune",
        ("seed", "encoder", "finetune"),
        ("import", "pretrain"),
        ("weights/classifier.safetensors", "metrics.parquet"),
        lambda store, config, progress: run_finetune(store, config, progress=progress),
    ),
    Stage(
        "embed",
        ("embed",),
        ("import", "pretrain", "finetune"),
        ("embeddings.parquet", "thumbnails/images.parquet"),
        lambda store, config, progress: run_embed(store, config, progress=progress),
    ),
    Stage(
        "map",
        ("seed", "map"),
        ("embed",),
        ("map.parquet",),
        lambda store, config, progress: run_map(store, config, progress=progress),
    ),
    Stage(
        "evaluate",
        ("seed", "evaluate"),
        ("embed",),
        ("report.json",),
        lambda store, config, progress: run_evaluate(store, config, progress=progress),
    ),
    Stage(
        "dynamics",
        ("seed", "dynamics"),
        ("pretrain",),
        ("dynamics.json",),
        lambda store, config, progress: run_dynamics(store, config, progress=progress),
    ),
    Stage(
        "submit",
        (),
        ("embed",),
        ("submission.csv",),
        lambda store, config, progress: run_submit(store, config),
    ),
)


@dataclass(frozen=True)
class RunSummary:
    """What was done and what was up to date; ``seconds`` is wall-clock time by stage."""

    run: str
    done: tuple[str, ...]
    up_to_date: tuple[str, ...]
    skipped: dict[str, str]
    finished: bool
    seconds: dict[str, float] = field(default_factory=dict)

    def text(self) -> str:
        """Readable summary."""
        lines = [f"Run {self.run}: " + ("complete" if self.finished else "stopped; the same command resumes it")]
        lines += [f"  {name}: done in {self.seconds[name]:.0f} s" for name in self.done]
        lines += [f"  {name}: up to date" for name in self.up_to_date]
        lines += [f"  {name}: skipped, {why}" for name, why in self.skipped.items()]
        if self.finished:
            lines.append(f"Open it with: streamlit run dashboard/app.py -- --run {self.run}")
        return "\n".join(lines)


def run_all(config: RunConfig, *, progress: bool = True, max_minutes: float | None = None) -> RunSummary:
    """Do every stage of a run in order, skipping what is up to date.

    A stage is up to date when the settings it reads, the stages before it and its images are as when it was done, and
    its files are there. When they changed, its checkpoints are thrown away; otherwise a stage cut short resumes.

    Args:
        config: the run.
        progress: whether to show progress bars.
        max_minutes: stop pretraining after that long; None for no limit.
    """
    store = RunStore(Path(config.run))
    settings = config_to_dict(config)
    prints = {"import": _fingerprint(settings["data"], _listing(Path(config.data.root)))}
    done: list[str] = []
    up_to_date: list[str] = []
    skipped: dict[str, str] = {}
    seconds: dict[str, float] = {}

    def is_current(name: str, outputs: tuple[str, ...]) -> bool:
        noted = store.info()["stages"].get(name, {}).get("fingerprint") if store.exists else None
        return noted == prints[name] and all((store.root / file).is_file() for file in outputs)

    if is_current("import", ("manifest.parquet",)):
        up_to_date.append("import")
        store.update_info(config=settings, name=config.name)
    else:
        started = time.perf_counter()
        manifest = import_data(config.data, progress=progress)
        prints["import"] = _fingerprint(settings["data"], _listing(Path(config.data.root)))
        print(f"import: {begin_run(store, config, manifest).text()}", file=sys.stderr)  # noqa: T201
        store.finish_stage("import", prints["import"])
        done.append("import")
        seconds["import"] = time.perf_counter() - started

    labelled = bool((store.read_table("manifest").query("split == 'train'")["label"].notna()).any())
    for stage in STAGES:
        prints[stage.name] = _fingerprint(
            {section: settings[section] for section in stage.sections}, [prints[need] for need in stage.needs]
        )
        if not labelled and stage.name in {"finetune", "evaluate", "submit"}:
            skipped[stage.name] = "no training pair has a label"
            continue
        if is_current(stage.name, stage.outputs):
            up_to_date.append(stage.name)
            continue
        _drop_stale_checkpoints(store, stage.name, prints[stage.name])
        started = time.perf_counter()
        if stage.name == "pretrain":
            summary: Summary = run_pretrain(store, config, progress=progress, max_minutes=max_minutes)
        else:
            summary = stage.act(store, config, progress)
        seconds[stage.name] = time.perf_counter() - started
        print(f"{stage.name}: {summary.text()}", file=sys.stderr)  # noqa: T201
        if not getattr(summary, "finished", True):
            return RunSummary(config.run, tuple(done), tuple(up_to_date), skipped, False, seconds)
        store.finish_stage(stage.name, prints[stage.name], seconds=round(seconds[stage.name], 1))
        done.append(stage.name)
    return RunSummary(config.run, tuple(done), tuple(up_to_date), skipped, True, seconds)


def _fingerprint(*parts: Any) -> str:
    """SHA-256 over the JSON of ``parts``."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _listing(root: Path) -> list[tuple[str, int]]:
    """Name and size of every file of a data folder (content is hashed at import; this tells when to import again)."""
    if not root.is_dir():
        return []
    return sorted(
        (path.relative_to(root).as_posix(), path.stat().st_size)
        for path in root.rglob("*")
        if path.is_file() and "masks" not in path.parts
    )


def _drop_stale_checkpoints(store: RunStore, stage: str, fingerprint: str) -> None:
    """Throw away a stage's checkpoints when they belong to other settings or other images."""
    folder = store.root / "checkpoints" / stage
    note = folder / "fingerprint"
    if folder.is_dir() and (not note.is_file() or note.read_text() != fingerprint):
        shutil.rmtree(folder)
    if stage in {"pretrain", "finetune"}:
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(fingerprint)
