"""Training: what the loss did, where it dropped, and what that coincides with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from dashboard import access
from dashboard.charts.drops import around_main_drop, main_drop
from dashboard.charts.training import event_labels, metric_title, training_figure
from dashboard.components import about_run, below_training, checkpoint_tests, overlay, picture, uploaded_log
from dashboard.components.evidence import evidence, verdict
from dashboard.components.notice import explain
from dashboard.components.short_link import choose
from dashboard.components.shown_log import (
    EXAMPLE,
    ORIGINAL,
    Shown,
    events_of,
    log_of,
    shown_original,
    shown_run,
    shown_upload,
)
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.errors import RiceSSLError

SOURCES = {
    "pretrain": "Pretraining",
    "finetune": "Fine-tuning",
    "original": ORIGINAL,
    "example": EXAMPLE,
    "upload": "Your log",
}
VIEWS = {"log": "Whole log", "drop": "Around the drop"}


def page() -> None:
    """Draw the screen."""
    badges = st.container()  # of the open run, whose log it need not be that is shown
    st.title("Training")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = choose(st.segmented_control, "Log", "log", SOURCES, required=True)
        chooser = st.container(width=320)
    if source in ("pretrain", "finetune"):
        with badges:
            about_run.badges(access.current_run())
    try:
        shown = _shown(source, chooser)
    except RiceSSLError as error:
        explain(error)
        return
    if shown is not None:
        _draw(shown)
        overlay.draw(shown, "finetune" if source == "finetune" else "pretrain")


def _shown(source: str, chooser: Any) -> Shown | None:
    """The log that was chosen; None where there is none yet."""
    if source == "original":
        known = chooser.toggle("With its recipe", value=True, key="training_original_recipe", persist_state="session")
        return shown_original(recipe=known)
    if source == "upload":
        given, settings = uploaded_log.given_log(), uploaded_log.given_recipe()
        if given is None:
            return None
        return shown_upload(given, settings, _choose_metric(uploaded_log.parsed(given), chooser))
    if source == "example":
        run = access.example_run("queue-start")
        return replace(shown_run(run, "pretrain", _choose_metric(log_of(run, "pretrain"), chooser)), name=EXAMPLE)
    run = access.current_run()
    return shown_run(run, source, _choose_metric(log_of(run, source), chooser))


def _choose_metric(log: TrainingLog, chooser: Any) -> str:
    return choose(chooser.selectbox, "Metric", "metric", {name: metric_title(name) for name in log.metrics()})


def _draw(shown: Shown) -> None:
    """Verdict, figure, evidence and notes on the log, and what was found beside them."""
    drops, log = shown.drops, shown.log
    if shown.found:
        verdict(shown.found, log.unit, tested=shown.tests is not None)
    view = None
    if drops and choose(st.segmented_control, "View", "view", VIEWS, required=True) == "drop":
        view = around_main_drop(drops, log)
    events = shown.events or events_of(shown.found or {})
    figure = training_figure(log, shown.metric, drops=drops, events=events, view=view, units_known=shown.own)
    picture.draw(figure, key="training_figure", filename="training", alt=_alt(shown))
    unlabelled = event_labels(log, drops, events, view)[1]
    if unlabelled:
        named = ", ".join(f"{event.title} ({log.unit} {event.step:,g})" for event in unlabelled[:12])
        st.caption(f"Events marked ▼: {named}{', …' if len(unlabelled) > 12 else ''}")
    if not shown.found:
        st.caption("Drops are searched in losses alone.")
    for remark in shown.remarks:
        st.caption(remark)
    notes = [*log.notes]
    if shown.found:
        notes += [note for note in shown.found.get("notes", []) if note not in notes]
        evidence(shown.found, shown.tests)
    for note in notes:
        st.caption(note)
    if shown.tests:
        checkpoint_tests.draw(shown.tests)
    if shown.found and shown.found.get("generalisation"):
        below_training.draw(shown.found["generalisation"], shown.remake)


def _alt(shown: Shown) -> str:
    name, unit = metric_title(shown.metric), shown.log.unit
    if not shown.drops:
        return f"{name} by {unit}"
    return f"{name} by {unit}, with a drop at {unit} {float(main_drop(shown.drops)['step']):,g}"
