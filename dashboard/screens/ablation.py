"""Ablation: what a setting of the pretraining buys, over seeds, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.charts.ablation import conditions_figure
from dashboard.components.words import SPLITS, plain

KNOWN = ("probe_", "knn_")
"""Beginnings of the names of measures that need labels."""


def page() -> None:
    """Draw the screen."""
    st.title("Ablation")
    content = access.ablation()
    _about(content)
    if not content["figures"]:
        st.info("No pretraining of this grid is done yet: `rice-ssl ablate CONFIG` goes on with it.")
        return
    drawn = {entry["measure"] for entry in content["figures"]}
    names = [measure["name"] for measure in content["measures"] if measure["name"] in drawn]
    labelled = [name for name in names if name.startswith(KNOWN)]
    others = [name for name in names if name not in labelled]
    if others:
        st.subheader("Do the two sensors' images find each other?")
        _panels(content, others, "between", 3, alike=False)
        split = SPLITS.get(content.get("retrieval_split", ""), "")
        st.caption(f"{split} pairs with images of both sensors. Grey dots: single seeds.")
    if labelled:
        st.subheader("What do the frozen embeddings know of the classes?")
        _panels(content, labelled, "labels", 2, alike=True)
        st.caption("Validation pairs; the networks saw no label. Grey dots: single seeds.")
    if content["differences"]:
        st.subheader(f"Against {content['baseline']}")
        st.dataframe(differences_table(content), hide_index=True, alt="Differences to the baseline")
        st.caption(
            f"Condition minus baseline with its {100 * content['confidence']:g}% interval (bootstrap over seeds and "
            f"pairs, {content['bootstrap']:,} repetitions, the same draws for both). ▲ more, ▼ less than the baseline; "
            "no sign where the interval holds 0, or there is one seed. With few seeds an interval is rather too narrow."
        )
    with st.expander("What each figure means", icon=":material/help:"):
        st.markdown("\n".join(f"- **{m['title']}**: {m['meaning']}" for m in content["measures"]))
    with st.expander("Settings", icon=":material/tune:"):
        st.json({"grid": content.get("grid", {}), "seeds": content["seeds"], **content.get("settings", {})})


def _about(content: Mapping[str, Any]) -> None:
    """What was varied on which data, and whether it is complete."""
    if content["simulated"]:
        st.badge("Simulated data: no image here is a photograph", icon=":material/science:", color="orange")
    conditions, seeds, planned = len(content["conditions"]), len(content["seeds"]), content["planned"]
    done = len({(entry["condition"], entry["seed"]) for entry in content["cells"]})
    data = f" on {plain(content['data_root'])}" if content.get("data_root") else ""
    st.caption(f"**{plain(content['name'])}**{data}: {conditions} conditions, {seeds} seeds each.")
    if done < planned:
        st.warning(
            f"{done} of {planned} networks are done, so these figures will change: `rice-ssl ablate CONFIG` goes on.",
            icon=":material/hourglass_top:",
        )


def _panels(content: Mapping[str, Any], names: list[str], key: str, columns: int, *, alike: bool) -> None:
    figure = conditions_figure(content, names, columns=min(columns, len(names)), alike=alike)
    titles = {measure["name"]: measure["title"] for measure in content["measures"]}
    st.plotly_chart(
        figure, config={"displayModeBar": False}, key=f"ablation-{key}", alt=", ".join(titles[name] for name in names)
    )


def differences_table(content: Mapping[str, Any]) -> pd.DataFrame:
    """A row for each measure, a column for each condition but the baseline: the difference with its interval."""
    rows = []
    for measure in content["measures"]:
        row = {"Figure": measure["title"]}
        for gap in content["differences"]:
            if gap["measure"] == measure["name"]:
                clear = gap["seeds"] > 1  # one seed's luck is no finding
                sign = " ▲" if clear and gap["low"] > 0 else " ▼" if clear and gap["high"] < 0 else ""
                row[gap["condition"]] = f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]{sign}"
        if len(row) > 1:
            rows.append(row)
    return pd.DataFrame(rows)
