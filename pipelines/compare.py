"""``rice-ssl compare``: cross-validated classifiers that differ in sensors, starting weights or labels, compared."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.compared import compare_results
from pipelines.comparison_plan import Condition, plan_conditions, pretrain_config
from pipelines.figure_text import figure_text
from pipelines.frozen import frozen_figures
from pipelines.grid_text import grid_text
from pipelines.run import bring_in, refuse_torchrun, run_one
from pipelines.stages import CROSS_VALIDATION, STAGES, fingerprints, is_current
from pipelines.submit import run_submit
from rice_ssl.artifacts import BusyError, RunStore, atomic_path, locked, write_comparison
from rice_ssl.config import ComparisonConfig, RunConfig
from rice_ssl.errors import ArtifactError, InputError, TrainingError


@dataclass(frozen=True)
class CompareSummary:
    """What was found; ``table`` has a row for each classifier, ``failures`` a sentence for each that cannot be had."""

    out: str
    done: int
    planned: int
    elsewhere: int
    table: list[dict[str, str]]
    submissions: tuple[str, ...]
    failures: tuple[str, ...]
    seconds: float
    finished: bool

    def text(self) -> str:
        """The table, with its intervals."""
        told = grid_text(
            self.done,
            self.planned,
            "classifiers",
            elsewhere=self.elsewhere,
            finished=self.finished,
            table=self.table,
            failures=self.failures,
        )
        opened = f"Open it with: streamlit run dashboard/app.py -- --comparison {self.out}"
        return "\n".join([told, *self.submissions, opened])


def run_compare(config: ComparisonConfig, *, progress: bool = True) -> CompareSummary:
    """Do what is left of a comparison, and write ``comparison.json`` and a submission for each classifier.

    Several processes may work on one comparison: a classifier that another one is at is passed over.

    Raises:
        InputError: a classifier's settings do not validate; found before anything is computed.
    """
    refuse_torchrun("rice-ssl compare")
    started, out = time.perf_counter(), Path(config.out)
    conditions, pretraining = plan_conditions(config), pretrain_config(config)
    if "swav" in config.starts and not _pretrain(pretraining, progress=progress):
        return _summary(config, conditions, {}, 0, (), started, finished=False)
    elsewhere, failures, stopped = 0, [], False
    for number, condition in enumerate(conditions, 1):
        try:
            with condition.store.locked():
                bring_in(condition.store, condition.run, progress=progress)
            if not condition.is_current(CROSS_VALIDATION):
                print(f"{number} of {len(conditions)}: {condition.title}", file=sys.stderr)  # noqa: T201
                summary: Any = run_one(condition.store, condition.run, CROSS_VALIDATION, progress=progress)
                if not summary.finished:
                    stopped = True
                    break
            for stage in ("evaluate", "card"):
                if not condition.is_current(stage):
                    run_one(condition.store, condition.run, stage, progress=progress)
        except BusyError:
            elsewhere += 1
        except (TrainingError, InputError, ArtifactError) as error:
            failures.append(f"{condition.title}: {error}")
    done, content = write_results(out, config, conditions, pretraining, progress=progress and not stopped)
    failures += _submit(out, done)
    return _summary(config, conditions, content, elsewhere, tuple(failures), started, finished=not stopped)


def _pretrain(config: RunConfig, *, progress: bool) -> bool:
    """Pretrain what the classifiers start from, once for all processes; False where it was stopped."""
    store = RunStore(Path(config.run))
    with locked(store.root / "cache" / "pretraining", wait=True):
        with store.locked():
            bring_in(store, config, progress=progress)
        if is_current(store, "pretrain", fingerprints(store, config)["pretrain"], STAGES["pretrain"].outputs):
            return True
        summary: Any = run_one(store, config, "pretrain", progress=progress)
        return bool(summary.finished)


def write_results(
    out: Path,
    config: ComparisonConfig,
    conditions: Sequence[Condition],
    pretraining: RunConfig,
    *,
    progress: bool,
) -> tuple[list[Condition], dict[str, Any]]:
    """Write ``comparison.json`` of the classifiers that are done, by whichever process.

    Returns:
        Those classifiers, and the file's content; without any nothing is written, and it is empty.
    """
    with locked(out / "cache" / "lock", wait=True):
        done = [condition for condition in conditions if condition.is_current(CROSS_VALIDATION)]
        if not done:
            return done, {}
        frozen = frozen_figures(out, config, pretraining, done[0].store, progress=progress)
        content = compare_results(config, conditions, done, frozen)
        write_comparison(out, content)
        with atomic_path(out / "comparison.csv") as temporary:
            figures_frame(content).to_csv(temporary, index=False, float_format="%.6f")
        return done, content


def _submit(out: Path, done: Sequence[Condition]) -> list[str]:
    """Write the challenge's CSV of each classifier, where there are test pairs; why one cannot be had."""
    failures = []
    for condition in done:
        if condition.label_fraction < 1:
            continue
        try:
            if (condition.store.read_table("manifest", ["split"])["split"] == "test").any():
                run_submit(condition.store, condition.run, out=submission_path(out, condition))
        except (InputError, ArtifactError) as error:
            failures.append(f"Submission of {condition.title}: {error}")
    return failures


def submission_path(out: Path, condition: Condition) -> Path:
    """Where a classifier's submission lies."""
    return out / "submissions" / f"{Path(condition.run.run).name}.csv"


def figures_frame(content: dict[str, Any]) -> pd.DataFrame:
    """A row for each classifier, judge and figure."""
    rows = [
        {"condition": one["name"], "judge": judge, "figure": name, **figure}
        for one in content["conditions"]
        for judge, figures in one["figures"].items()
        for name, figure in figures.items()
    ]
    return pd.DataFrame(rows)


def _summary(
    config: ComparisonConfig,
    conditions: Sequence[Condition],
    content: dict[str, Any],
    elsewhere: int,
    failures: tuple[str, ...],
    started: float,
    *,
    finished: bool,
) -> CompareSummary:
    rows = []
    for one in content.get("conditions", []):
        figures = one["figures"].get(one["judge"], {})
        shown = {
            title: figure_text(figures[name])
            for name, title in (("log_loss", "log loss"), ("accuracy", "accuracy"))
            if name in figures
        }
        rows.append({"classifier": one["name"], **shown})
    written = tuple(
        path.as_posix() for path in (submission_path(Path(config.out), one) for one in conditions) if path.is_file()
    )
    return CompareSummary(
        config.out,
        len(rows),
        len(conditions),
        elsewhere,
        rows,
        written,
        failures,
        time.perf_counter() - started,
        finished,
    )
