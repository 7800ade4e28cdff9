"""The verdict on a log in one sentence, and what it rests on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.drops import main_drop
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.verdict import SENTENCES

BADGES = {
    "no drop": ("gray", ":material/trending_flat:"),
    "too short": ("gray", ":material/short_text:"),
    "undecided": ("orange", ":material/help:"),
    "schedule artefact": ("blue", ":material/toggle_on:"),
    "learning-rate effect": ("blue", ":material/speed:"),
    "data or resume effect": ("blue", ":material/restart_alt:"),
    "consistent with a saddle escape": ("violet", ":material/landscape:"),
}


def verdict(found: Mapping[str, Any], unit: str, *, tested: bool) -> None:
    """The answer: verdict, what the largest drop coincides with, and the drop; or what would decide it.

    Args:
        found: as dynamics.json has it.
        unit: of the steps.
        tested: whether the verdict is that of tests on checkpoints.
    """
    word = str(found["verdict"])
    colour, icon = BADGES.get(word, ("gray", ":material/info:"))
    with st.container(border=True):
        with st.container(horizontal=True):
            st.badge(word, icon=icon, color=colour)
            if tested:
                st.badge("with tests on checkpoints", icon=":material/science:", color="green")
        st.markdown(f"**{SENTENCES.get(word, word)}**")
        if found["drops"]:
            main = main_drop(found["drops"])
            named = [f"{Event(e['kind'], 0).title} ({unit} {float(e['step']):,g})" for e in main.get("events", ())]
            at = f"The {main['split']} loss fell by {float(main['size']):.3g} at {unit} {float(main['step']):,g}"
            if named:
                st.markdown(f"{at}, together with: **{', '.join(named)}**.")
            else:
                st.markdown(f"{at}; no known event lies within its interval.")
        if word in ("undecided", "too short") and found["missing"]:
            st.markdown(f"To decide it: {found['missing'][0]}")


def evidence(found: Mapping[str, Any], tests: Mapping[str, Any] | None) -> None:
    """Sentences, a table of the drops, what is missing, and all of it as JSON.

    Args:
        found: as dynamics.json has it.
        tests: as dynamics_tests.json has it, saved with the rest; None where there is none.
    """
    drops = found["drops"]
    with st.expander("Evidence", expanded=bool(drops) and not tests, icon=":material/fact_check:"):
        for sentence in found["evidence"]:
            st.markdown(f"- {sentence}")
        if drops:
            _table(drops)
        if found["missing"]:
            st.markdown("**What would decide it, or make it surer**")
            for sentence in found["missing"]:
                st.markdown(f"- {sentence}")
        st.download_button(
            "Evidence as JSON",
            json.dumps({**found, "tests": tests} if tests else dict(found), indent=1),
            "dynamics.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )


def _table(drops: list[Mapping[str, Any]]) -> None:
    rows = [
        {
            "Split": drop["split"],
            "Step": drop["step"],
            "From": drop["step_low"],
            "To": drop["step_high"],
            "Size": drop["size"],
            "Events": titles_of(drop) or "none known",
            "By chance": drop.get("p_chance"),
        }
        for drop in drops
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "Size": st.column_config.NumberColumn(format="%.3g", help="Fall of the level, in the metric's unit."),
            "By chance": st.column_config.NumberColumn(
                format="%.3f", help="Probability that an interval of that width, put at random, holds an event."
            ),
        },
        key="evidence_table",
    )


def titles_of(drop: Mapping[str, Any]) -> str:
    """Names of the events within a drop's interval; empty where there is none."""
    return ", ".join(Event(str(e["kind"]), 0).title for e in drop.get("events", []))
