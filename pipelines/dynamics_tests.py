"""``rice-ssl dynamics test``: tests on a run's kept checkpoints of what made its loss drop."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from rice_ssl.artifacts import RunStore, atomic_path, sha256_file
from rice_ssl.config import RunConfig
from rice_ssl.dynamics.logs import log_of_run
from rice_ssl.dynamics.run_log import analyse_run_log
from rice_ssl.dynamics.tested_verdict import judge_tests
from rice_ssl.dynamics.verdict import SENTENCES
from rice_ssl.errors import InputError
from rice_ssl.landscape.checks import LanczosSettings
from rice_ssl.landscape.examine import Places, choose_places, examine
from rice_ssl.landscape.question import question_of
from rice_ssl.landscape.swav_run import Source, SwAVTrajectory, kept_of, scratch_folder
from rice_ssl.run_config import config_to_dict
from rice_ssl.training.kept import kept_checkpoints
from rice_ssl.training.pretrain import STAGE, PretrainData
from rice_ssl.training.run_pictures import labelled_rows, run_pictures

_PARTS = "cache/dynamics-tests.json"


@dataclass(frozen=True)
class TestSettings:
    """How the tests are made.

    Attributes:
        batches: fixed training batches.
        starts: random starts of Lanczos on each.
        continue_steps: length of the continuations; 2 % of the training, at least 30, when None.
        double: curvature in float64 rather than float32.
    """

    __test__ = False  # no test case of pytest's

    batches: int = 4
    starts: int = 2
    continue_steps: int | None = None
    double: bool = False

    def __post_init__(self) -> None:
        """Refuse what leaves nothing to be measured.

        Raises:
            InputError: the message names the setting and its value.
        """
        for name, value in (("batches", self.batches), ("starts", self.starts), ("steps", self.continue_steps)):
            if value is not None and value < 1:
                raise InputError(f"--{name} is {value}: give at least 1.")


@dataclass(frozen=True)
class TestsSummary:
    """What the tests show: the fields of dynamics_tests.json, and whether they are all made."""

    __test__ = False

    verdict: dict[str, Any]
    finished: bool
    document: dict[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """Readable summary."""
        if not self.finished:
            return "stopped between two tests; the same command goes on"
        word = self.verdict["word"]
        lines = [f"{SENTENCES.get(word, word)} (verdict: {word})"]
        for title, key in (("Evidence", "evidence"), ("What would decide it", "missing")):
            if self.verdict[key]:
                lines += [f"{title}:", *(f"  - {sentence}" for sentence in self.verdict[key])]
        return "\n".join(lines)


def run_dynamics_tests(
    store: RunStore, config: RunConfig, settings: TestSettings, *, step: int | None = None, progress: bool = True
) -> TestsSummary:
    """Test what made a run's loss drop, and write dynamics_tests.json.

    Args:
        store: the run; it must have kept checkpoints (``pretrain.keep_checkpoints``).
        config: the run's configuration.
        settings: of the tests.
        step: where to look instead of at the log's largest drop.
        progress: whether to show a progress bar.

    Raises:
        ArtifactError: log or kept checkpoints are missing.
        InputError: the log has no drop and no step is given, or no checkpoint lies on one side of it.
    """
    started = time.perf_counter()
    metrics = store.read_table("metrics")
    log = log_of_run(metrics, STAGE)
    found = analyse_run_log(
        metrics,
        store.events(),
        stage=STAGE,
        config=config_to_dict(config),
        confidence=config.dynamics.confidence,
        bootstrap=config.dynamics.bootstrap,
        seed=config.seed,
    )
    asked = question_of(log, found, step=step)
    event = asked.event
    folder = store.root / "checkpoints" / STAGE
    source = _source(store, config, progress=progress)
    with scratch_folder() as scratch:
        places = choose_places(kept_of(folder), asked.low, asked.high, event.step if event is not None else None)
        trajectory = SwAVTrajectory(
            source,
            folder,
            scratch,
            event=event.kind if event is not None else None,
            first=int(event.step) if event is not None else places.before,
            batches=settings.batches,
            double=settings.double,
        )
        steps = settings.continue_steps or max(30, int(0.02 * trajectory.steps))
        plan = {
            "settings": {
                "batches": settings.batches,
                "starts": settings.starts,
                "continue_steps": steps,
                "precision": "float64" if settings.double else "float32",
                "seed": config.seed,
            },
            "steps": places.document(),
            "drop": None if asked.drop is None else asked.drop.document(),
            "event": None if event is None else event.document(),
        }
        parts = _Parts(store, plan, folder, places)
        tests = examine(
            trajectory,
            places,
            fall_seen=asked.falls,
            lanczos=LanczosSettings(starts=settings.starts, seed=config.seed),
            continue_steps=steps,
            event=event.step if event is not None else None,
            done=parts.load(),
            save=parts.save,
            show=progress,
        )
        if tests is None:
            return TestsSummary({}, finished=False)
        changes = trajectory.changes_objective
    document: dict[str, Any] = {
        "source": STAGE,
        **plan,
        "changes_objective": changes,
        **tests,
        "logged_gradient": asked.gradient,
        "log_hash": store.info()["hashes"].get("metrics.parquet"),
        "seconds": round(time.perf_counter() - started, 1),
    }
    verdict = judge_tests(found.verdict, document, asked.explanations)
    document["verdict"] = {
        "word": verdict.word,
        "evidence": list(verdict.evidence),
        "missing": list(verdict.missing),
    }
    store.write_document("dynamics_tests", document)
    parts.forget()
    return TestsSummary(document["verdict"], finished=True, document=document)


def _source(store: RunStore, config: RunConfig, *, progress: bool) -> Source:
    pictures, table, sensors = run_pictures(store, config, torch.device("cpu"), progress=progress)
    classes = list(store.info()["classes"])
    train, val = [labelled_rows(table[table["split"] == name], sensors, classes, pictures) for name in ("train", "val")]
    data = PretrainData(pictures, train, val, tuple(sensors), config.data.image_size)
    return Source(data, replace(config.encoder, weights=None), config.pretrain, config.seed, len(classes))


class _Parts:
    """Tests made so far, on disk until all are."""

    def __init__(self, store: RunStore, plan: Mapping[str, Any], folder: Path, places: Places) -> None:
        """Note what they depend on."""
        self._path = store.root / _PARTS
        used = {places.before, places.after, *places.controls}
        hashes = {step: sha256_file(path) for step, path in kept_checkpoints(folder).items() if step in used}
        text = json.dumps({**plan, "checkpoints": hashes}, sort_keys=True)
        self._of = hashlib.sha256(text.encode()).hexdigest()

    def load(self) -> dict[str, Any]:
        """Those of the same plan and checkpoints; others, and what cannot be read, count as none."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        usable = isinstance(content, dict) and content.get("of") == self._of and isinstance(content.get("made"), dict)
        return dict(content["made"]) if usable else {}

    def save(self, made: Mapping[str, Any]) -> None:
        """Keep them."""
        self._path.parent.mkdir(exist_ok=True)
        with atomic_path(self._path) as temporary:
            temporary.write_text(json.dumps({"of": self._of, "made": made}), encoding="utf-8")

    def forget(self) -> None:
        """Remove them, as the document has them all."""
        self._path.unlink(missing_ok=True)
