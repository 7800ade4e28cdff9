"""Training: what the loss did, where it dropped, and what that coincides with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.charts.training import event_labels, metric_title, training_figure
from dashboard.components import below_training, checkpoint_tests, overlay, uploaded_log
from dashboard.components.notice import explain
from dashboard.components.short_link import choose
from rice_ssl.dynamics.events import Event, events_of_run
from rice_ssl.dynamics.generalisation import early_generalisation
from rice_ssl.dynamics.logs import TrainingLog, log_of_run
from rice_ssl.dynamics.loss_settings import settings_of_run
from rice_ssl.dynamics.run_log import analyse_run_log
from rice_ssl.dynamics.verdict import SENTENCES
from rice_ssl.errors import ArtifactError, RiceSSLError

SOURCES = {
    "pretrain": "Pretraining",
    "finetune": "Fine-tuning",
    "original": "The original's curve",
    "example": "Simulated example",
    "upload": "Your log",
}
VIEWS = {"log": "Whole log", "drop": "Around the drop"}
BADGES = {
    "no drop": ("gray", ":material/trending_flat:"),
    "too short": ("gray", ":material/short_text:"),
    "undecided": ("orange", ":material/help:"),
    "schedule artefact": ("blue", ":material/toggle_on:"),
    "learning-rate effect": ("blue", ":material/speed:"),
    "data or resume effect": ("blue", ":material/restart_alt:"),
    "consistent with a saddle escape": ("violet", ":material/landscape:"),
}


@dataclass(frozen=True)
class Shown:
    """One log ready to be drawn; ``found`` is as dynamics.json has it, None for metrics that are no loss.

    ``tests`` is as dynamics_tests.json has it, None where no tests were made; its verdict then is the one of ``found``.
    ``config`` is the configuration of the run whose pretraining is shown.
    """

    log: TrainingLog
    metric: str
    found: Mapping[str, Any] | None
    events: tuple[Event, ...]
    own: bool
    remarks: tuple[str, ...] = ()
    tests: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None


def page() -> None:
    """Draw the screen."""
    st.title("Training")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = choose(st.segmented_control, "Log", "log", SOURCES, required=True)
        chooser = st.container(width=320)
    try:
        if source == "upload":
            shown = _upload(chooser)
        else:
            shown = _original(chooser) if source == "original" else _of_run(source, chooser)
    except RiceSSLError as error:
        explain(error)
        return
    if shown is not None:
        _draw(shown)


def _of_run(stage: str, chooser: Any) -> Shown:
    """Log of one stage of the open run, or of the example that comes with the project."""
    run = access.current_run()
    if stage == "example":
        run, stage = access.example_run("queue-start"), "pretrain"
    other = access.weights_from(run)
    if other and not access.has(run, "metrics"):
        where = access.info(run).get("weights_run")
        told = f": `streamlit run dashboard/app.py -- --run {where}`" if isinstance(where, str) else ""
        raise ArtifactError(
            f"These images were not trained on: the weights are those of the run {other}, and so is the training log. "
            f"Open that run to see it{told}."
        )
    metrics = access.table(run, "metrics")
    log = log_of_run(metrics, stage)
    metric = _choose_metric(log, chooser)
    entries = access.events(run)
    known = events_of_run(entries, stage)
    if not _is_loss(metric):
        return Shown(log, metric, None, known, own=True)
    remarks: tuple[str, ...] = ()
    if stage == "pretrain" and metric == "loss":
        try:
            document = _checked(access.document(run, "dynamics"))
        except ArtifactError as error:
            remarks = (f"{error} Until then this screen analyses the log itself.",)
        else:
            config = access.info(run).get("config")
            return _with_tests(run, Shown(log, metric, document, known, own=True, config=config))
    config = access.info(run).get("config")
    rows = metrics[metrics["stage"] == stage]
    found = _analyse_stage(rows, list(entries), stage, metric, config if isinstance(config, dict) else {})
    return Shown(log, metric, found, known, own=True, remarks=remarks)


@st.cache_data(scope="session", max_entries=8, show_spinner="Searching the curve for drops …")
def _analyse_stage(
    rows: pd.DataFrame, entries: list[dict[str, Any]], stage: str, metric: str, config: dict[str, Any]
) -> dict[str, Any]:
    found = analyse_run_log(rows, entries, stage=stage, metric=metric, config=config).document()
    settings = settings_of_run(config, stage)
    told = early_generalisation(log_of_run(rows, stage), metric=metric, recipe=settings)
    return {**found, "generalisation": told.document()}


def _with_tests(run: access.RunKey, shown: Shown) -> Shown:
    """The same with the tests on checkpoints, where they were made, and with their verdict."""
    try:
        tests = checkpoint_tests.read(run)
    except ArtifactError as error:
        return replace(shown, remarks=(*shown.remarks, str(error)))
    if tests is None:
        if not shown.found or not shown.found["drops"]:
            return shown
        told = f"What made it drop can be tested on checkpoints: `rice-ssl dynamics test {run.path}`"
        return replace(shown, remarks=(*shown.remarks, f"{told} (a run trained with pretrain.keep_checkpoints)."))
    return replace(shown, found={**(shown.found or {}), **_verdict_of(tests)}, tests=tests)


def _verdict_of(tests: Mapping[str, Any]) -> dict[str, Any]:
    verdict = tests["verdict"]
    return {"verdict": verdict["word"], "evidence": verdict["evidence"], "missing": verdict["missing"]}


def _original(chooser: Any) -> Shown:
    """The published curve that the project began with, with or without its recipe."""
    with chooser:
        known = st.toggle("With its recipe", value=True, key="training_original_recipe")
    name = "mwalimu-128_loss_digitised.csv"
    given = uploaded_log.example_log(name, access.example(name))
    settings = uploaded_log.settings_of(access.example("mwalimu-128_recipe.yaml")) if known else {}
    log, recipe = uploaded_log.parsed(given), uploaded_log.recipe_of(settings)
    source = (
        "Losses of mwalimu-128 read off the published plot (repository poppingtonic/semisupervised-rice-africa; "
        "“Visualising Multi-Sensor Predictions from a Rice Disease Classifier”, Qeios U1Y01E). "
        "Recipe: queue from half of 600 epochs of 83 steps."
    )
    found = uploaded_log.analysed(given, "loss", settings)
    return Shown(log, "loss", found, recipe.schedule(log.unit), own=True, remarks=(source,))


def _checked(document: Mapping[str, Any]) -> Mapping[str, Any]:
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
            "dynamics.json lacks what this screen shows. "
            f"Make it anew with `rice-ssl dynamics {access.current_run().path}`."
        ) from None
    return document


def _upload(chooser: Any) -> Shown | None:
    """Log that the user gives."""
    given = uploaded_log.given_log()
    settings = uploaded_log.given_recipe()
    if given is None:
        return None
    log, recipe = uploaded_log.parsed(given), uploaded_log.recipe_of(settings)
    metric, remarks = _choose_metric(log, chooser), recipe.unplaced(log.unit)
    if not _is_loss(metric):
        return Shown(log, metric, None, recipe.schedule(log.unit), own=False, remarks=remarks)
    found = uploaded_log.analysed(given, metric, settings)
    return Shown(log, metric, found, tuple(_events_of(found)), own=False, remarks=remarks)


def _choose_metric(log: TrainingLog, chooser: Any) -> str:
    return choose(chooser.selectbox, "Metric", "metric", {name: metric_title(name) for name in log.metrics()})


def _is_loss(metric: str) -> bool:
    """Whether a metric is one whose drops mean something here."""
    return "loss" in metric or "cross_entropy" in metric


def _events_of(found: Mapping[str, Any]) -> list[Event]:
    return [Event(str(e["kind"]), float(e["step"]), str(e.get("detail", ""))) for e in found.get("events", [])]


def _draw(shown: Shown) -> None:
    """Verdict, figure, evidence and notes on the log."""
    drops = list(shown.found["drops"]) if shown.found else []
    if shown.found:
        _verdict(shown.found, shown.log.unit, tested=shown.tests is not None)
    view = None
    if drops and choose(st.segmented_control, "View", "view", VIEWS, required=True) == "drop":
        view = _around(drops, shown.log)
    events = shown.events or tuple(_events_of(shown.found or {}))
    figure = training_figure(shown.log, shown.metric, drops=drops, events=events, view=view, units_known=shown.own)
    picture = str(st.session_state.get("training_picture", "SVG")).lower()
    st.plotly_chart(
        figure,
        key="training_figure",
        config={"toImageButtonOptions": {"format": picture, "filename": "training", "scale": 2}, "displaylogo": False},
        alt=_alt(shown, drops),
    )
    unlabelled = event_labels(shown.log, drops, events, view)[1]
    if unlabelled:
        named = ", ".join(f"{event.title} ({shown.log.unit} {event.step:,g})" for event in unlabelled[:12])
        st.caption(f"Events marked ▼: {named}{', …' if len(unlabelled) > 12 else ''}")
    if not shown.found:
        st.caption("Drops are searched in losses alone.")
    notes = [*shown.log.notes]
    if shown.found:
        notes += [note for note in shown.found.get("notes", []) if note not in notes]
        _evidence(shown.found, shown.tests)
    for note in (*shown.remarks, *notes):
        st.caption(note)
    if shown.tests:
        checkpoint_tests.draw(shown.tests)
    if shown.found and shown.found.get("generalisation"):
        below_training.draw(shown.found["generalisation"])
    if shown.own and shown.found:
        overlay.draw(access.current_run(), shown.log, shown.metric, shown.found, shown.config)


def _verdict(found: Mapping[str, Any], unit: str, *, tested: bool) -> None:
    """The answer: verdict, what the largest drop coincides with, and the drop; or what would decide it."""
    word = str(found["verdict"])
    colour, icon = BADGES.get(word, ("gray", ":material/info:"))
    with st.container(border=True):
        with st.container(horizontal=True):
            st.badge(word, icon=icon, color=colour)
            if tested:
                st.badge("with tests on checkpoints", icon=":material/science:", color="green")
        st.markdown(f"**{SENTENCES.get(word, word)}**")
        if found["drops"]:
            main = _main(found["drops"])
            named = [f"{Event(e['kind'], 0).title} ({unit} {float(e['step']):,g})" for e in main.get("events", ())]
            at = f"The {main['split']} loss fell by {float(main['size']):.3g} at {unit} {float(main['step']):,g}"
            if named:
                st.markdown(f"{at}, together with: **{', '.join(named)}**.")
            else:
                st.markdown(f"{at}; no known event lies within its interval.")
        if word in ("undecided", "too short") and found["missing"]:
            st.markdown(f"To decide it: {found['missing'][0]}")


def _main(drops: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The largest drop, in noise: the one that the verdict is about."""
    return max(drops, key=lambda drop: float(drop.get("size_in_noise", drop["size"])))


def _evidence(found: Mapping[str, Any], tests: Mapping[str, Any] | None) -> None:
    drops = found["drops"]
    with st.expander("Evidence", expanded=bool(drops) and not tests, icon=":material/fact_check:"):
        for sentence in found["evidence"]:
            st.markdown(f"- {sentence}")
        if drops:
            rows = [
                {
                    "Split": drop["split"],
                    "Step": drop["step"],
                    "From": drop["step_low"],
                    "To": drop["step_high"],
                    "Size": drop["size"],
                    "Events": ", ".join(Event(str(e["kind"]), 0).title for e in drop.get("events", [])) or "none known",
                    "By chance": drop.get("p_chance"),
                }
                for drop in drops
            ]
            st.dataframe(
                pd.DataFrame(rows),
                hide_index=True,
                column_config={
                    "Size": st.column_config.NumberColumn(
                        format="%.3g", help="Fall of the level, in the metric's unit."
                    ),
                    "By chance": st.column_config.NumberColumn(
                        format="%.3f", help="Probability that an interval of that width, put at random, holds an event."
                    ),
                },
            )
        if found["missing"]:
            st.markdown("**What would decide it, or make it surer**")
            for sentence in found["missing"]:
                st.markdown(f"- {sentence}")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.download_button(
                "Evidence as JSON",
                json.dumps({**found, "tests": tests} if tests else dict(found), indent=1),
                "dynamics.json",
                "application/json",
                icon=":material/download:",
            )
            st.segmented_control(
                "The camera above the figure saves",
                ["SVG", "PNG"],
                default="SVG",
                required=True,
                key="training_picture",
            )


def _around(drops: list[Mapping[str, Any]], log: TrainingLog) -> tuple[float, float]:
    """Steps to show around the largest drop: ten times its interval, at least a twentieth of the log."""
    main = _main(drops)
    first, last = float(log.table["step"].min()), float(log.table["step"].max())
    reach = max(5 * (float(main["step_high"]) - float(main["step_low"])), 0.05 * (last - first))
    return max(first, float(main["step"]) - reach), min(last, float(main["step"]) + reach)


def _alt(shown: Shown, drops: list[Mapping[str, Any]]) -> str:
    name = metric_title(shown.metric)
    if not drops:
        return f"{name} by {shown.log.unit}"
    return f"{name} by {shown.log.unit}, with a drop at {shown.log.unit} {float(_main(drops)['step']):,g}"
