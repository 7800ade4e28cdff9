"""Other logs laid over the one on screen, each with its own drops and verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, run_list, state
from dashboard.charts.drops import main_drop
from dashboard.charts.overlay import COLOURS, Overlaid, overlay_figure
from dashboard.charts.training import metric_title
from dashboard.components import picture, uploaded_log
from dashboard.components.evidence import titles_of
from dashboard.components.notice import explain
from dashboard.components.short_link import choose
from dashboard.components.shown_log import (
    EXAMPLE,
    ORIGINAL,
    Shown,
    name_of,
    shown_original,
    shown_run,
    shown_upload,
)
from rice_ssl.dynamics.generalisation import Generalisation, early_generalisation
from rice_ssl.dynamics.generalisation_runs import generalisation_by_batch_size
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.dynamics.loss_settings import settings_of_run
from rice_ssl.errors import InputError, RiceSSLError

AXES = {"share": "Share of the log", "step": "Step", "drop": "From the drop"}
UPLOADED = "Your log"


def draw(shown: Shown, stage: str) -> None:
    """A choice of other logs; with one chosen, all curves in one figure and a table of verdicts.

    Args:
        shown: the log on screen.
        stage: of the other runs: ``pretrain`` or ``finetune``.
    """
    st.subheader("Beside other runs")
    choices = _choices(shown, stage)
    if not choices:
        st.caption("There is no other log of fine-tuning here. Name further runs with `--run DIR`.")
        return
    state.say_unknown("overlay", [*choices, shown.name])
    chosen = st.multiselect(
        "Logs to lay over this one",
        list(choices),
        key="overlay",
        max_selections=len(COLOURS) - 1,
        placeholder="Choose runs",
        bind="query-params",
        help="Runs named with `--run DIR`, those in the folders beside the open one, and what comes with the project.",
    )
    logs = [shown]
    for name in chosen:
        try:
            logs.append(_having(choices[name](), shown.metric))
        except RiceSSLError as error:
            explain(error)
    if len(logs) > 1:
        _figure(logs, shown.metric)
        _table(logs)
        _by_batch_size(logs, shown.metric, stage)


def _choices(shown: Shown, stage: str) -> dict[str, Callable[[], Shown]]:
    """What to call each log that can be laid over this one -> what reads it."""
    run, example = access.current_run(), access.example_run("queue-start")
    runs = {name_of(run): run, **run_list.other_runs(run)}
    found: dict[str, Callable[[], Shown]] = {
        name: lambda key=key, name=name: shown_run(key, stage, shown.metric, name)
        for name, key in runs.items()
        if Path(key.path).resolve() != Path(example.path).resolve()
    }
    if stage == "pretrain":
        found[ORIGINAL] = shown_original
        found[EXAMPLE] = lambda: shown_run(example, stage, shown.metric, EXAMPLE)
        kept = uploaded_log.kept_log()
        if kept is not None and kept[0].name != shown.name:
            found[UPLOADED] = lambda: shown_upload(*kept, shown.metric)
    found.pop(shown.name, None)
    return found


def _having(other: Shown, metric: str) -> Shown:
    if not other.log.splits(metric):
        raise InputError(f"{other.name} has no metric {metric_title(metric)!r}, so it is not laid over.")
    return other


def _figure(logs: Sequence[Shown], metric: str) -> None:
    axes = dict(AXES)
    if len({each.log.unit for each in logs}) > 1:
        axes = {"share": AXES["share"]}  # steps and epochs have no axis in common
    elif not all(each.drops for each in logs):
        axes.pop("drop")
    axis = choose(st.segmented_control, "Aligned by", "axis", axes, required=True)
    drawn = [Overlaid(each.name, each.log, each.drops, each.own) for each in logs]
    picture.draw(
        overlay_figure(drawn, metric, axis=axis),
        key="overlay_figure",
        filename="training-runs",
        alt=f"{metric_title(metric)} of {', '.join(each.name for each in logs)}",
    )


def _table(logs: Sequence[Shown]) -> None:
    """A row for each log: its verdict and its largest drop."""
    rows = []
    for each in logs:
        if each.found is None:
            continue
        main = main_drop(each.drops) if each.drops else None
        rows.append(
            {
                "Run": each.name,
                "Verdict": each.found["verdict"],
                "Judged by": "log and checkpoints" if each.tests else "log",
                "Drop at": None if main is None else main["step"],
                "Counted in": f"{each.log.unit}s",
                "Size": None if main is None else float(main["size"]),
                "Split": None if main is None else main["split"],
                "Events": "" if main is None else titles_of(main),
            }
        )
    if rows:
        size = st.column_config.NumberColumn(format="%.3g", help="Fall of the level, in the metric's unit.")
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="overlay_table", column_config={"Size": size})


def _by_batch_size(logs: Sequence[Shown], metric: str, stage: str) -> None:
    """What batch size does to validation below training, of the runs whose batch size is known."""
    known = []
    for each in logs:
        section = each.config.get(stage)
        size = section.get("batch_size") if isinstance(section, dict) else None
        if isinstance(size, int) and each.found is not None:
            known.append((size, _below_training(each.log, metric, dict(each.config), stage)))
    if len(known) > 1:
        st.caption(f"Validation below training, by batch size: {generalisation_by_batch_size(known).sentence}")


@st.cache_data(
    scope="session", max_entries=16, show_spinner=False, hash_funcs={TrainingLog: lambda log: (log.unit, log.table)}
)
def _below_training(log: TrainingLog, metric: str, config: dict[str, Any], stage: str) -> Generalisation:
    return early_generalisation(log, metric=metric, recipe=settings_of_run(config, stage))
