"""Other runs laid over the one on screen, each with its own drops and verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.charts.overlay import Overlaid, overlay_figure
from dashboard.components import uploaded_log
from dashboard.components.notice import explain
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.generalisation import Generalisation, early_generalisation
from rice_ssl.dynamics.generalisation_runs import generalisation_by_batch_size
from rice_ssl.dynamics.logs import TrainingLog, log_of_run
from rice_ssl.dynamics.loss_settings import settings_of_run
from rice_ssl.dynamics.run_log import analyse_run_log
from rice_ssl.errors import RiceSSLError

MOST = 6
ORIGINAL = "The original's curve"
_CURVE, _RECIPE = "mwalimu-128_loss_digitised.csv", "mwalimu-128_recipe.yaml"


@dataclass(frozen=True)
class _Choice:
    run: access.RunKey | None


def draw(
    run: access.RunKey, log: TrainingLog, metric: str, found: Mapping[str, Any], config: Mapping[str, Any] | None
) -> None:
    """A choice of other runs; with one chosen, all curves in one figure and a table of verdicts.

    Args:
        run: the open run, which is not offered.
        log: on screen.
        metric: on screen.
        found: of that log, as dynamics.json has it.
        config: of the run that the log is of; None where it is not known.
    """
    st.subheader("Beside other runs")
    choices = {ORIGINAL: _Choice(None), **{name: _Choice(key) for name, key in access.other_runs(run).items()}}
    chosen = st.multiselect(
        "Runs to lay over this one",
        list(choices),
        key="training_overlay",
        max_selections=MOST,
        placeholder="choose runs",
        persist_state="session",
    )
    if not chosen:
        return
    shown = [Overlaid("This run", log, found["drops"])]
    rows = [_row("This run", found)]
    by_batch = [_below_training(log, metric, config)]
    for name in chosen:
        if name not in choices:
            continue
        try:
            other, other_found = _load(choices[name], metric)
        except RiceSSLError as error:
            explain(error)
            continue
        shown.append(Overlaid(name, other, other_found["drops"]))
        rows.append(_row(name, other_found))
        key = choices[name].run
        if key is not None:
            by_batch.append(_below_training(other, metric, access.info(key).get("config")))
    share = st.toggle(
        "Align by share of training", value=True, key="training_overlay_share", help="Off: by step, as logged."
    )
    st.plotly_chart(
        overlay_figure(shown, metric, share=share),
        key="overlay_figure",
        config={"displaylogo": False},
        alt=f"{metric} of {len(shown)} runs",
    )
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="overlay_table")
    known = [entry for entry in by_batch if entry is not None]
    if len(known) > 1:
        st.caption(f"Validation below training, by batch size: {generalisation_by_batch_size(known).sentence}")


def _load(choice: _Choice, metric: str) -> tuple[TrainingLog, Mapping[str, Any]]:
    """Log and drops of a choice."""
    if choice.run is None:
        given = uploaded_log.example_log(_CURVE, access.example(_CURVE))
        settings = uploaded_log.settings_of(access.example(_RECIPE))
        return uploaded_log.parsed(given), uploaded_log.analysed(given, metric, settings)
    metrics, entries = access.table(choice.run, "metrics"), access.events(choice.run)
    config = access.info(choice.run).get("config")
    log = log_of_run(metrics, "pretrain")
    return log, _analysed(metrics, list(entries), metric, config if isinstance(config, dict) else {})


@st.cache_data(max_entries=16, show_spinner="Searching the curve for drops …")
def _analysed(
    metrics: pd.DataFrame, entries: list[dict[str, Any]], metric: str, config: dict[str, Any]
) -> dict[str, Any]:
    return analyse_run_log(metrics, entries, stage="pretrain", metric=metric, config=config).document()


def _below_training(log: TrainingLog, metric: str, config: Any) -> tuple[int, Generalisation] | None:
    """Batch size and early generalisation of one of our own runs; None where the batch size is not known."""
    section = config.get("pretrain") if isinstance(config, dict) else None
    size = section.get("batch_size") if isinstance(section, dict) else None
    if not isinstance(size, int) or not log.splits(metric):
        return None
    return size, early_generalisation(log, metric=metric, recipe=settings_of_run(config, "pretrain"))


def _row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """One run in the table: its verdict and its largest drop."""
    drops = found["drops"]
    main = max(drops, key=lambda drop: float(drop.get("size_in_noise", drop["size"]))) if drops else None
    return {
        "Run": name,
        "Verdict": found["verdict"],
        "Drop at": None if main is None else main["step"],
        "Size": None if main is None else round(float(main["size"]), 3),
        "Events": "" if main is None else ", ".join(Event(str(e["kind"]), 0).title for e in main.get("events", ())),
    }
