"""Sensors: where they agree, and who is right where they do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.sensors import counts_matrix, right_bars, right_title
from dashboard.components.notice import explain
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.agreement import cohen_kappa
from rice_ssl.evaluation.metrics import confusion
from rice_ssl.sensors import BOTH

ROWS = 100


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Sensors")
    pairs = access.pairs(run)
    names = [name for name in access.sensors(run) if f"{name}_prediction" in pairs]
    if not names:
        raise ArtifactError(
            f"This run has no predictions. Make them with `rice-ssl finetune {run.path}`, then `rice-ssl embed`."
        )
    splits = [split for split in ("test", "val", "train") if (pairs["split"] == split).any()]
    split = st.segmented_control(
        "Pairs", splits, default=state.chosen("split", splits, splits[0]), required=True, key="sensors_split",
        format_func={"test": "Test", "val": "Validation", "train": "Training (seen in fine-tuning)"}.__getitem__,
    )  # fmt: skip
    st.query_params["split"] = split
    chosen = pairs[pairs["split"] == split]
    if len(names) < 2 or "agree" not in chosen or not chosen["agree"].notna().any():
        st.info(
            f"These pairs have images of one sensor only ({', '.join(access.titles(run)[n] for n in names)}), so there "
            "is nothing to compare. Below is that sensor against the labels."
        )
        _confusions(run, chosen, names)
        return
    _agreement(run, chosen, names, split)
    _confusions(run, chosen, [*names, BOTH])
    _who_is_right(run, chosen, names)


def _agreement(run: RunKey, chosen: pd.DataFrame, names: list[str], split: str) -> None:
    """The matrix, and agreement in words."""
    titles, classes = access.titles(run), list(access.info(run)["classes"])
    first, second = names[:2]
    both = chosen[chosen["agree"].notna()]
    counts = _counts(both, f"{first}_prediction", f"{second}_prediction", classes)
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        st.subheader("Do the two sensors agree?")
        figure = counts_matrix(counts, classes, f"{titles[first]} says", f"{titles[second]} says")
        st.plotly_chart(
            figure, config={"displayModeBar": False}, key="agreement", alt="Predictions of one sensor by the other's"
        )
    with right:
        rate, kappa = float(np.trace(counts) / counts.sum()), cohen_kappa(counts)
        st.metric(f"Agreement on {len(both):,} pairs", f"{100 * rate:.0f}%", border=True)
        st.metric("Beyond chance (Cohen's kappa)", "undefined" if np.isnan(kappa) else f"{kappa:.2f}", border=True)
        try:
            noted = access.document(run, "report")["splits"].get(split, {}).get("agreement")
        except ArtifactError as error:
            explain(error)
            noted = None
        if noted:
            rate_noted, kappa_noted = noted["rate"], noted["kappa"]
            text = f"Intervals: agreement [{100 * rate_noted['low']:.0f}%, {100 * rate_noted['high']:.0f}%]"
            if kappa_noted:
                text += f", kappa [{kappa_noted['low']:.2f}, {kappa_noted['high']:.2f}]"
            st.caption(f"{text}; bootstrap over {noted['pairs']} pairs.")


def _counts(chosen: pd.DataFrame, rows: str, columns: str, classes: list[str]) -> np.ndarray:
    numbers = {name: number for number, name in enumerate(classes)}
    known = chosen[chosen[rows].isin(classes) & chosen[columns].isin(classes)]
    return confusion(
        known[rows].map(numbers).to_numpy(dtype=int), known[columns].map(numbers).to_numpy(dtype=int), len(classes)
    )


def _confusions(run: RunKey, chosen: pd.DataFrame, judges: list[str]) -> None:
    """Labels by predictions, for each sensor and both."""
    titles, classes = access.titles(run), list(access.info(run)["classes"])
    st.subheader("Labels against predictions")
    if not chosen["label"].notna().any():
        st.info("These pairs have no labels, so nobody can say who is right.")
        return
    for column, name in zip(st.columns(len(judges)), judges, strict=True):
        with column:
            counts = _counts(chosen, "label", f"{name}_prediction", classes)
            accuracy = np.trace(counts) / max(1, counts.sum())
            st.markdown(f"**{titles[name]}**: {100 * accuracy:.0f}% right")
            figure = counts_matrix(counts, classes, "Label", "Prediction")
            st.plotly_chart(
                figure, config={"displayModeBar": False}, key=f"confusion-{name}", alt=f"Confusion of {titles[name]}"
            )


def _who_is_right(run: RunKey, chosen: pd.DataFrame, names: list[str]) -> None:
    """Counts, and the pairs ranked by divergence; choosing one opens its leaf."""
    titles = access.titles(run)
    st.subheader("Who is right where?")
    kinds = ["both", f"{names[0]} only", f"{names[1]} only", "neither"]
    if "who_is_right" in chosen and chosen["who_is_right"].notna().any():
        counts = chosen["who_is_right"].value_counts().reindex(kinds, fill_value=0)
        figure = right_bars({kind: int(counts[kind]) for kind in kinds}, titles)
        st.plotly_chart(figure, config={"displayModeBar": False}, key="right", alt="Pairs by who is right")
        options = ["all", *kinds]
        kind = st.segmented_control(
            "List", options, default="all", required=True, key="sensors_kind",
            format_func=lambda word: "All pairs" if word == "all" else right_title(word, titles),
        )  # fmt: skip
        if kind != "all":
            chosen = chosen[chosen["who_is_right"] == kind]
    ranked = chosen.dropna(subset=["divergence"]).sort_values("divergence", ascending=False).head(ROWS)
    if ranked.empty:
        st.info("No pair is in this list.")
        return
    st.caption(f"Ranked by divergence, {len(ranked)} of {len(chosen):,} pairs. Choose a row to open its leaf.")
    shown = pd.DataFrame(
        {"Pair": ranked.index, "Divergence (bits)": ranked["divergence"].round(3), "Label": ranked["label"]}
    )
    for name in [*names, BOTH]:
        shown[titles[name]] = ranked[f"{name}_prediction"] + ranked[f"{name}_confidence"].map(" {:.2f}".format)
    if "who_is_right" in ranked:
        shown["Right"] = ranked["who_is_right"].map(
            lambda word: right_title(word, titles) if isinstance(word, str) else ""
        )
    event = st.dataframe(
        shown,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="ranked",
        alt="Pairs ranked by how far the sensors diverge",
        column_config={
            "Divergence (bits)": st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.2f"),
        },
    )
    rows = event["selection"]["rows"]
    if rows:
        state.open_screen("leaf", pair=str(ranked.index[rows[0]]))
