"""A log ready to be drawn, wherever it comes from: a stage of a run, the original's curve, or the user's file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.components import checkpoint_tests, uploaded_log
from rice_ssl.dynamics.events import Event, events_of_run
from rice_ssl.dynamics.generalisation import early_generalisation
from rice_ssl.dynamics.logs import TrainingLog, log_of_run
from rice_ssl.dynamics.loss_settings import settings_of_run
from rice_ssl.dynamics.run_log import analyse_run_log
from rice_ssl.errors import ArtifactError

ORIGINAL, EXAMPLE = "The original's curve", "Simulated example"
_CURVE, _RECIPE = "mwalimu-128_loss_digitised.csv", "mwalimu-128_recipe.yaml"
_SOURCE = (
    "Losses of mwalimu-128 read off the published plot (repository poppingtonic/semisupervised-rice-africa; "
    "“Visualising Multi-Sensor Predictions from a Rice Disease Classifier”, Qeios U1Y01E). "
    "Recipe: queue from half of 600 epochs of 83 steps."
)


@dataclass(frozen=True)
class Shown:
    """One metric of a log.

    Attributes:
        name: what to call the log beside others.
        log: raw values.
        metric: a name in the log.
        found: as dynamics.json has it; None for metrics that are no loss.
        events: known ones, in the log's unit.
        own: whether the metric's unit is known.
        remarks: sentences to be shown below.
        tests: as dynamics_tests.json has it, whose verdict ``found`` then has; None where no tests were made.
        config: of the run, as run.json has it; empty where it is none of ours.
        remake: command that makes ``found`` anew; empty where it is made here.
    """

    name: str
    log: TrainingLog
    metric: str
    found: Mapping[str, Any] | None
    events: tuple[Event, ...]
    own: bool
    remarks: tuple[str, ...] = ()
    tests: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    remake: str = ""

    @property
    def drops(self) -> list[Mapping[str, Any]]:
        """Drops that were found."""
        return list(self.found["drops"]) if self.found else []


def is_loss(metric: str) -> bool:
    """Whether a metric is one whose drops mean something here."""
    return "loss" in metric or "cross_entropy" in metric


def name_of(run: access.RunKey) -> str:
    """What to call a run beside others."""
    path = Path(run.path)
    return f"{path.parent.name}/{path.name}".lstrip("/")


def log_of(run: access.RunKey, stage: str) -> TrainingLog:
    """Log of one stage of a run.

    Raises:
        ArtifactError: the run has no log, or it is that of the run whose weights this one uses.
        InputError: nothing usable was logged in that stage.
    """
    other = access.weights_from(run)
    if other and not access.has(run, "metrics"):
        where = access.info(run).get("weights_run")
        told = f": `streamlit run dashboard/app.py -- --run {where}`" if isinstance(where, str) else ""
        raise ArtifactError(
            f"These images were not trained on: the weights are those of the run {other}, and so is the training log. "
            f"Open that run to see it{told}."
        )
    began = access.swav_run(run)
    if began and not access.has(run, "metrics"):
        raise ArtifactError(
            f"This run keeps no training log. Its classifier began with the SwAV weights of {began}; open that run to "
            f"see how they were trained: `streamlit run dashboard/app.py -- --run {began}`."
        )
    return log_of_run(access.table(run, "metrics"), stage)


def shown_run(run: access.RunKey, stage: str, metric: str, name: str | None = None) -> Shown:
    """One metric of one stage of a run: as its documents have it, or analysed here where they do not say.

    Raises:
        ArtifactError: as :func:`log_of`.
        InputError: as :func:`log_of`; or the log has no such loss.
    """
    log, entries = log_of(run, stage), access.events(run)
    config = access.info(run).get("config")
    config = config if isinstance(config, dict) else {}
    shown = Shown(name or name_of(run), log, metric, None, events_of_run(entries, stage), own=True, config=config)
    if not is_loss(metric):
        return shown
    metrics = access.table(run, "metrics")
    rows = metrics[metrics["stage"] == stage]
    if stage == "pretrain" and metric == "loss":
        try:
            document = _checked(run, access.document(run, "dynamics"))
        except ArtifactError as error:
            shown = replace(shown, remarks=(f"{error} Until then this screen analyses the log itself.",))
        else:
            if "generalisation" not in document:
                document = {**document, "generalisation": _below_training(rows, stage, metric, config)}
            return _with_tests(run, replace(shown, found=document, remake=f"rice-ssl dynamics {run.path}"))
    found = _analyse_stage(rows, list(entries), stage, metric, config)
    return replace(shown, found={**found, "generalisation": _below_training(rows, stage, metric, config)})


def shown_original(*, recipe: bool = True) -> Shown:
    """The published curve that the project began with, with or without its recipe.

    Raises:
        ArtifactError: the example is not there.
    """
    given = uploaded_log.example_log(_CURVE, access.example(_CURVE))
    settings = uploaded_log.settings_of(access.example(_RECIPE)) if recipe else {}
    shown = shown_upload(given, settings, "loss")
    return replace(shown, name=ORIGINAL, own=True, remarks=(_SOURCE,))


def shown_upload(given: uploaded_log.UploadedLog, settings: dict[str, Any], metric: str) -> Shown:
    """One metric of a log that the user gives, with the recipe as it is filled in.

    Raises:
        InputError: it cannot be read, or a setting is out of range.
    """
    log, recipe = uploaded_log.parsed(given), uploaded_log.recipe_of(settings)
    shown = Shown(
        given.name, log, metric, None, recipe.schedule(log.unit), own=False, remarks=recipe.unplaced(log.unit)
    )
    if not is_loss(metric):
        return shown
    found = uploaded_log.analysed(given, metric, settings)
    return replace(shown, found=found, events=events_of(found))


def events_of(found: Mapping[str, Any]) -> tuple[Event, ...]:
    """Events as dynamics.json has them."""
    return tuple(Event(str(e["kind"]), float(e["step"]), str(e.get("detail", ""))) for e in found.get("events", []))


@st.cache_data(scope="session", max_entries=16, show_spinner="Searching the curve for drops …")
def _analyse_stage(
    rows: pd.DataFrame, entries: list[dict[str, Any]], stage: str, metric: str, config: dict[str, Any]
) -> dict[str, Any]:
    return analyse_run_log(rows, entries, stage=stage, metric=metric, config=config).document()


@st.cache_data(scope="session", max_entries=16, show_spinner="Comparing training and validation …")
def _below_training(rows: pd.DataFrame, stage: str, metric: str, config: dict[str, Any]) -> dict[str, Any]:
    settings = settings_of_run(config, stage)
    return early_generalisation(log_of_run(rows, stage), metric=metric, recipe=settings).document()


def _with_tests(run: access.RunKey, shown: Shown) -> Shown:
    """The same with the tests on checkpoints, where they were made, and with their verdict."""
    try:
        tests = checkpoint_tests.read(run)
    except ArtifactError as error:
        return replace(shown, remarks=(*shown.remarks, str(error)))
    if tests is None:
        if not shown.drops:
            return shown
        told = f"What made it drop can be tested on checkpoints: `rice-ssl dynamics test {run.path}`"
        return replace(shown, remarks=(*shown.remarks, f"{told} (a run trained with pretrain.keep_checkpoints)."))
    verdict = tests["verdict"]
    own = {"verdict": verdict["word"], "evidence": verdict["evidence"], "missing": verdict["missing"]}
    return replace(shown, found={**(shown.found or {}), **own}, tests=tests)


def _checked(run: access.RunKey, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document, or an error when it is not what the pipeline writes."""
    try:
        for drop in document["drops"]:
            numbers = [float(drop[key]) for key in ("step", "step_low", "step_high", "size")]
            numbers += [float(event["step"]) for event in drop.get("events", ())]
            if not all(math.isfinite(number) for number in numbers) or drop["split"] not in ("train", "val"):
                raise ValueError
        texts = [document["verdict"], *document["evidence"], *document["missing"]]
        texts += [event["kind"] for drop in document["drops"] for event in drop.get("events", ())]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ArtifactError(
            f"dynamics.json lacks what this screen shows. Make it anew with `rice-ssl dynamics {run.path}`."
        ) from None
    return document
