"""All stages of a run in order; a stage whose inputs did not change is skipped."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.prepare import begin_run, import_data
from pipelines.stages import (
    IMPORT,
    IMPORTED,
    SHARED_LOG,
    STAGES,
    Summary,
    fingerprint,
    fingerprints,
    is_current,
    left_out,
    outputs_of,
    run_stage,
)
from rice_ssl.artifacts import RunStore, sha256_file
from rice_ssl.config import DataConfig, RunConfig
from rice_ssl.errors import InputError
from rice_ssl.run_config import config_to_dict

SHARED = ("pretrain", "embed", "attribution")
"""Stages whose work several processes share under torchrun."""


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

    A stage is up to date when the settings and the rows of the manifest that it reads and the stages before it are as
    when it was done, and its files are as it wrote them. A stage cut short resumes.

    Args:
        config: the run.
        progress: whether to show progress bars.
        max_minutes: stop pretraining after that long; None for no limit.

    Raises:
        ArtifactError: another process is at work on the run, or a newer version made it.
    """
    refuse_torchrun("rice-ssl run")
    store = RunStore(Path(config.run))
    with store.locked():
        done, up_to_date, seconds = [], [], {}
        started = time.perf_counter()
        if bring_in(store, config, progress=progress):
            done.append(IMPORT)
            seconds[IMPORT] = time.perf_counter() - started
        else:
            up_to_date.append(IMPORT)
        skipped, wanted = left_out(store, config), fingerprints(store, config)
        for name in skipped:
            store.remove(*(file for file in STAGES[name].outputs if file != SHARED_LOG))
        for stage in STAGES.values():
            if stage.name in skipped:
                continue
            if is_current(store, stage.name, wanted[stage.name], outputs_of(stage, skipped)):
                up_to_date.append(stage.name)
                continue
            started = time.perf_counter()
            summary = run_stage(store, config, stage, wanted[stage.name], progress=progress, max_minutes=max_minutes)
            seconds[stage.name] = time.perf_counter() - started
            _tell(stage.name, summary)
            if not getattr(summary, "finished", True):
                return RunSummary(config.run, tuple(done), tuple(up_to_date), skipped, False, seconds)
            done.append(stage.name)
    return RunSummary(config.run, tuple(done), tuple(up_to_date), skipped, True, seconds)


def run_one(
    store: RunStore, config: RunConfig, name: str, *, progress: bool, max_minutes: float | None = None
) -> Summary | None:
    """Do one stage of a run, which is begun from its images where it is not there yet.

    Args:
        store: the run.
        config: its configuration.
        name: of the stage.
        progress: whether to show progress bars.
        max_minutes: stop pretraining after that long; None for no limit.

    Under torchrun, the first process does what needs doing only once, and the others join it for the stage's work.

    Returns:
        What was done; None in a process that is not the first.

    Raises:
        ArtifactError: what the stage reads is not there; or another process is at work on the run.
        InputError: torchrun started it, and the stage is none that several processes share.
    """
    if name not in SHARED:
        refuse_torchrun(f"rice-ssl {name}")
        return _lead(store, config, name, progress=progress, max_minutes=max_minutes)
    from rice_ssl.training.device import launch, ranks_of_environment  # PyTorch takes seconds to load

    ranks = ranks_of_environment()
    if ranks.leads:
        summary: Summary | None = _lead(store, config, name, progress=progress, max_minutes=max_minutes)
    else:
        accelerator = getattr(config, name).accelerator
        launch(accelerator, "32-true", ranks)  # waits for the first process to have prepared the run
        summary = STAGES[name].act(store, config, False, max_minutes)
    ranks.leave()
    return summary if ranks.leads else None


def _lead(store: RunStore, config: RunConfig, name: str, *, progress: bool, max_minutes: float | None) -> Summary:
    """Do one stage as the first process, or the only one."""
    with store.locked():
        settings = config_to_dict(config)
        if store.exists and store.info().get("config", {}).get("data") == settings["data"]:
            store.update_info(config=settings, name=config.name)
        else:
            bring_in(store, config, progress=progress)
        wanted = fingerprints(store, config)[name]
        return run_stage(store, config, STAGES[name], wanted, progress=progress, max_minutes=max_minutes)


def refuse_torchrun(command: str) -> None:
    """Refuse to do in several processes what is made for one.

    Raises:
        InputError: torchrun started this process among others.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1:
        raise InputError(
            f"`{command}` is work for one process, and torchrun started {world}: leave torchrun out. It is for "
            "`-m pipelines.main pretrain` and `embed`, whose results `rice-ssl run` then takes up."
        )


def images_changed(store: RunStore, config: RunConfig) -> bool:
    """Whether the images of a run, or their tables, are others than it was begun with; False where they are gone."""
    if not Path(config.data.root).is_dir():
        return False
    return not is_current(store, IMPORT, _import_fingerprint(config, store), IMPORTED)


def bring_in(store: RunStore, config: RunConfig, *, progress: bool) -> bool:
    """Import the images, simulating them first where the configuration says so; False where that is up to date."""
    wanted = _import_fingerprint(config, store)
    if is_current(store, IMPORT, wanted, IMPORTED):
        store.update_info(config=config_to_dict(config), name=config.name)
        return False
    manifest = import_data(config.data, progress=progress)
    _tell(IMPORT, begin_run(store, config, manifest))
    store.finish_stage(IMPORT, _import_fingerprint(config, store))
    return True


def _tell(name: str, summary: Summary) -> None:
    print(f"{name}: {summary.text()}", file=sys.stderr)  # noqa: T201


def _import_fingerprint(config: RunConfig, store: RunStore) -> str:
    """Of the settings of the data and of its files: tables by content, images by name, size and time of change."""
    settings = config_to_dict(config)["data"]
    root, own = Path(config.data.root), store.root.resolve()
    listing: list[Any] = []
    if root.is_dir():
        linked = [entry for entry in root.iterdir() if entry.is_symlink() and entry.is_dir()]  # rglob goes past these
        for path in sorted(path for folder in (root, *linked) for path in folder.rglob("*")):
            inside = path.relative_to(root)
            if not path.is_file() or "masks" in inside.parts or path.resolve().is_relative_to(own):
                continue
            state = path.stat()
            what: Any = sha256_file(path) if path.suffix.lower() == ".csv" else [state.st_size, state.st_mtime_ns]
            listing.append([inside.as_posix(), what])
    return fingerprint(
        {k: v for k, v in settings.items() if k not in {"image_size", "cache"}}, listing, _tables_elsewhere(config.data)
    )


def _tables_elsewhere(data: DataConfig) -> list[str]:
    """Hashes of the tables that need not lie below the root."""
    found = []
    for name in (data.labels, data.test_labels):
        try:
            found.append("" if name is None or not Path(name).is_file() else sha256_file(Path(name)))
        except OSError as error:
            raise InputError(f"{name} cannot be read ({error.strerror}): check the file.") from None
    return found
