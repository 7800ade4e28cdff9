"""Training: what the loss did, where it dropped, and what that coincides with."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.charts.training import training_figure
from dashboard.components.notice import explain
from rice_ssl.dynamics.analysis import analyse
from rice_ssl.dynamics.csv_log import parse_csv_log
from rice_ssl.dynamics.events import Event, events_of_run
from rice_ssl.dynamics.logs import TrainingLog, log_of_run
from rice_ssl.dynamics.recipe import recipe_from_mapping
from rice_ssl.dynamics.run_log import analyse_run_log
from rice_ssl.dynamics.verdict import SENTENCES
from rice_ssl.errors import ArtifactError, RiceSSLError

UPLOAD_MB = 20
SOURCES = {"pretrain": "Pretraining", "finetune": "Fine-tuning", "upload": "Upload a log"}
BADGES = {
    "no drop": ("gray", ":material/trending_flat:"),
    "undecided": ("orange", ":material/help:"),
    "schedule artefact": ("blue", ":material/toggle_on:"),
    "learning-rate effect": ("blue", ":material/speed:"),
    "data or resume effect": ("blue", ":material/restart_alt:"),
}


@dataclass(frozen=True)
class Shown:
    """One log ready to be drawn; ``found`` is as dynamics.json has it, None for metrics that are no loss."""

    log: TrainingLog
    metric: str
    found: Mapping[str, Any] | None
    events: tuple[Event, ...]
    own: bool
    remarks: tuple[str, ...] = ()


def page() -> None:
    """Draw the screen."""
    st.title("Training")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = st.segmented_control(
            "Log", list(SOURCES), format_func=SOURCES.__getitem__, default="pretrain", required=True, key="log",
            bind="query-params",
        )  # fmt: skip
        chooser = st.container(width=320)
    try:
        shown = _upload(chooser) if source == "upload" else _of_run(str(source or "pretrain"), chooser)
    except RiceSSLError as error:
        explain(error)
        return
    if shown is not None:
        _draw(shown)


def _of_run(stage: str, chooser: Any) -> Shown:
    """Log of one stage of the open run."""
    run = access.current_run()
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
            return Shown(log, metric, document, known, own=True)
    config = access.info(run).get("config")
    rows = metrics[metrics["stage"] == stage]
    found = _analyse_stage(rows, list(entries), stage, metric, config if isinstance(config, dict) else {})
    return Shown(log, metric, found, known, own=True, remarks=remarks)


@st.cache_data(scope="session", max_entries=8, show_spinner="Searching the curve for drops …")
def _analyse_stage(
    rows: pd.DataFrame, entries: list[dict[str, Any]], stage: str, metric: str, config: dict[str, Any]
) -> dict[str, Any]:
    return analyse_run_log(rows, entries, stage=stage, metric=metric, config=config).document()


def _checked(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document, or an error when it is not what the pipeline writes."""
    try:
        for drop in document["drops"]:
            numbers = [float(drop[key]) for key in ("step", "step_low", "step_high", "size")]
            if not all(math.isfinite(number) for number in numbers) or drop["split"] not in ("train", "val"):
                raise ValueError
        texts = [document["verdict"], *document["evidence"], *document["missing"]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(
            "dynamics.json lacks what this screen shows. Make it anew with `rice-ssl dynamics`."
        ) from None
    return document


def _upload(chooser: Any) -> Shown | None:
    """Log that the user gives; kept in memory for this session alone."""
    given = st.file_uploader(
        f"CSV with a step or epoch column, at most {UPLOAD_MB} MB; nothing is stored",
        type=["csv", "tsv", "txt"],
        max_upload_size=UPLOAD_MB,
        key="training_upload",
    )
    with st.expander("Recipe: what was switched when", icon=":material/tune:"):
        st.caption("With these a drop can be matched with the schedule. Leave empty what you do not know.")
        settings = _recipe_form()
    with st.expander("Columns, when they are not recognised by their names", icon=":material/view_column:"):
        left, middle, right = st.columns(3)
        step_column = left.text_input("Step or epoch column", key="training_step_column").strip()
        train = middle.text_input("Training loss column", key="training_train_column").strip()
        val = right.text_input("Validation loss column", key="training_val_column").strip()
    if given is None:
        st.caption(
            "Reads what fastai's, Keras' and Lightning's CSV loggers write (`epoch,train_loss,valid_loss`, "
            "`epoch,loss,val_loss`, `metrics.csv`), and long tables (`split,step,loss`)."
        )
        return None
    columns = {name: split for name, split in ((train, "train"), (val, "val")) if name}
    log = _parse(given.getvalue(), given.name, step_column or None, columns)
    metric = _choose_metric(log, chooser)
    events: tuple[Event, ...] = ()
    floors = None
    if settings:
        recipe, _ = recipe_from_mapping(settings)
        events, floors = recipe.schedule(log.unit), recipe.entropy_floors()
    if not _is_loss(metric):
        return Shown(log, metric, None, events, own=False)
    found = _analyse_upload(given.getvalue(), given.name, step_column or None, columns, metric, settings, floors)
    return Shown(log, metric, found, tuple(_events_of(found)), own=False)


def _recipe_form() -> dict[str, Any]:
    """Recipe settings that were filled in."""
    settings: dict[str, Any] = {}
    fields = (
        (
            "queue_start_pct",
            "Queue start (fraction)",
            0.0,
            1.0,
            "Fraction of the scheduled epochs after which the queue is used.",
        ),
        ("epochs", "Scheduled epochs", 1, 10**7, "As scheduled, not as reached before an early stop."),
        ("steps_per_epoch", "Steps per epoch", 1, 10**9, "Batches an epoch."),
        ("prototypes", "Prototypes", 1, 10**7, "Number of SwAV prototypes."),
        ("batch_size", "Batch size", 1, 10**7, "Samples whose codes are computed together."),
        ("queue_length", "Queue length", 1, 10**9, "Samples that the queue adds."),
    )
    with st.grid(3):
        for name, title, low, high, text in fields:
            value = st.number_input(
                title, min_value=low, max_value=high, value=None, step=0.05 if isinstance(low, float) else 1, help=text,
                key=f"training_{name}", placeholder="unknown",
            )  # fmt: skip
            if value is not None:
                settings[name] = value
    return settings


@st.cache_data(scope="session", max_entries=2, ttl=900, show_spinner="Reading the log …")
def _parse(content: bytes, name: str, step_column: str | None, columns: dict[str, str]) -> TrainingLog:
    return parse_csv_log(
        content, source=name, step_column=step_column, loss_columns=columns, max_bytes=UPLOAD_MB * 2**20
    )


@st.cache_data(scope="session", max_entries=4, ttl=900, show_spinner="Searching the curves for drops …")
def _analyse_upload(
    content: bytes,
    name: str,
    step_column: str | None,
    columns: dict[str, str],
    metric: str,
    settings: dict[str, Any],
    floors: tuple[float, float] | None,
) -> dict[str, Any]:
    log = _parse(content, name, step_column, columns)
    events = recipe_from_mapping(settings)[0].schedule(log.unit) if settings else ()
    return analyse(log, metric=metric, events=events, floors=floors).document()


def _choose_metric(log: TrainingLog, chooser: Any) -> str:
    names = log.metrics()
    if st.session_state.get("metric") not in names:
        st.session_state.pop("metric", None)
    chosen = chooser.selectbox(
        "Metric", names, format_func=lambda name: name.replace("_", " "), key="metric", bind="query-params"
    )
    return chosen if chosen in names else names[0]


def _is_loss(metric: str) -> bool:
    """Whether a metric is one whose drops mean something here."""
    return "loss" in metric or "cross_entropy" in metric


def _events_of(found: Mapping[str, Any]) -> list[Event]:
    return [Event(str(e["kind"]), float(e["step"]), str(e.get("detail", ""))) for e in found.get("events", [])]


def _draw(shown: Shown) -> None:
    """Verdict, figure, evidence and notes on the log."""
    drops = list(shown.found["drops"]) if shown.found else []
    if shown.found:
        _verdict(shown.found)
    view = None
    if drops:
        around = st.segmented_control(
            "View",
            ["Whole log", "Around the drop"],
            default="Whole log",
            required=True,
            key="view",
            bind="query-params",
        )
        view = _around(drops, shown.log) if around == "Around the drop" else None
    events = shown.events or tuple(_events_of(shown.found or {}))
    figure = training_figure(shown.log, shown.metric, drops=drops, events=events, view=view, units_known=shown.own)
    st.plotly_chart(
        figure,
        key="training_figure",
        config={"toImageButtonOptions": {"format": "svg", "filename": "training"}, "displaylogo": False},
        alt=_alt(shown, drops),
    )
    if not shown.found:
        st.caption("Drops are searched in losses alone.")
    notes = [*shown.log.notes]
    if shown.found:
        notes += [note for note in shown.found.get("notes", []) if note not in notes]
        _evidence(shown.found)
    for note in (*shown.remarks, *notes):
        st.caption(note)


def _verdict(found: Mapping[str, Any]) -> None:
    word = str(found["verdict"])
    colour, icon = BADGES.get(word, ("gray", ":material/info:"))
    with st.container(border=True):
        st.badge(word, icon=icon, color=colour)
        st.markdown(f"**{SENTENCES.get(word, word)}**")
        if found["evidence"] and found["drops"]:
            st.markdown(str(found["evidence"][0]))


def _evidence(found: Mapping[str, Any]) -> None:
    drops = found["drops"]
    with st.expander("Evidence", expanded=bool(drops), icon=":material/fact_check:"):
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
        st.download_button(
            "Evidence as JSON",
            json.dumps(dict(found), indent=1),
            "dynamics.json",
            "application/json",
            icon=":material/download:",
        )


def _around(drops: list[Mapping[str, Any]], log: TrainingLog) -> tuple[float, float]:
    """Steps to show around the largest drop: ten times its interval, at least a twentieth of the log."""
    main = max(drops, key=lambda drop: float(drop["size"]))
    first, last = float(log.table["step"].min()), float(log.table["step"].max())
    reach = max(5 * (float(main["step_high"]) - float(main["step_low"])), 0.05 * (last - first))
    return max(first, float(main["step"]) - reach), min(last, float(main["step"]) + reach)


def _alt(shown: Shown, drops: list[Mapping[str, Any]]) -> str:
    name = shown.metric.replace("_", " ").capitalize()
    if not drops:
        return f"{name} by {shown.log.unit}"
    return f"{name} by {shown.log.unit}, with a drop at {shown.log.unit} {float(drops[0]['step']):,g}"
