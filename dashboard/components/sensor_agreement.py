"""Where two sensors agree, which of them is right where they do not, and what both together know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access, computed, state
from dashboard.access import RunKey
from dashboard.charts.sensors import counts_matrix, right_bars, right_title
from dashboard.components import reported
from dashboard.components.figure_words import FOLLOWS, complementarity, differences, mcnemar
from dashboard.components.notice import explain, reading
from dashboard.components.words import plain
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.agreement import cohen_kappa
from rice_ssl.evaluation.metrics import confusion
from rice_ssl.sensors import BOTH

ALL = "All pairs"
ROWS = 100


def draw(run: RunKey, chosen: pd.DataFrame, names: list[str], split: str) -> None:
    """Agreement, confusion, who is right, and the pairs on which the sensors differ most.

    Args:
        run: the run.
        chosen: pairs of the split; see :func:`dashboard.access.judged_pairs`.
        names: sensors that judged.
        split: the pairs' split.
    """
    if len(names) < 2 or "agree" not in chosen or not chosen["agree"].notna().any():
        said = ", ".join(plain(access.titles(run)[name]) for name in names)
        if len(names) < 2:
            st.info(
                f"These pairs have images of one sensor only ({said}), so there is nothing to compare. Below is that "
                "sensor against the labels."
            )
        else:
            st.info(
                "No pair here has images of two sensors, so there is nothing to compare. Below is each sensor "
                f"({said}) against the labels."
            )
        _confusions(run, chosen, names)
        return
    _agreement(run, chosen, names, split)
    _confusions(run, chosen, [*names, *([BOTH] if f"{BOTH}_prediction" in chosen else [])])
    _who_is_right(run, chosen, names, split)


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
            report = computed.report(run)
            with reading("report.json", reported.command(run)):
                noted = report["splits"].get(split, {}).get("agreement")
                text = _intervals(noted) if noted else None
        except ArtifactError as error:
            explain(error)
            text = None
        if text:
            st.caption(text)


def _intervals(noted: Mapping[str, Mapping[str, float]]) -> str:
    rate, kappa, divergence = noted["rate"], noted["kappa"], noted.get("divergence")
    text = f"Intervals: agreement [{100 * rate['low']:.0f}%, {100 * rate['high']:.0f}%]"
    if kappa:
        text += f", kappa [{kappa['low']:.2f}, {kappa['high']:.2f}]"
    if divergence:
        text += f"; mean divergence {divergence['value']:.2f} [{divergence['low']:.2f}, {divergence['high']:.2f}] bits"
    return f"{text}; over {noted['pairs']} pairs."


def _counts(chosen: pd.DataFrame, rows: str, columns: str, classes: list[str]) -> np.ndarray:
    numbers = {name: number for number, name in enumerate(classes)}
    known = chosen[chosen[rows].isin(classes) & chosen[columns].isin(classes)]
    return confusion(
        known[rows].map(numbers).to_numpy(dtype=int), known[columns].map(numbers).to_numpy(dtype=int), len(classes)
    )


def _confusions(run: RunKey, chosen: pd.DataFrame, judges: Sequence[str]) -> None:
    """Labels by predictions, for each sensor and jointly."""
    titles, classes = access.titles(run), list(access.info(run)["classes"])
    st.subheader("Labels against predictions")
    if not chosen["label"].notna().any():
        st.info("These pairs have no labels, so nobody can say who is right.")
        return
    for column, name in zip(st.columns(len(judges)), judges, strict=True):
        with column:
            counts = _counts(chosen, "label", f"{name}_prediction", classes)
            accuracy = np.trace(counts) / max(1, counts.sum())
            st.markdown(f"**{plain(titles[name])}**: {100 * accuracy:.0f}% right")
            figure = counts_matrix(counts, classes, "Label", "Prediction")
            st.plotly_chart(
                figure, config={"displayModeBar": False}, key=f"confusion-{name}", alt=f"Confusion of {titles[name]}"
            )
    if BOTH in judges:
        st.caption(f"{titles[BOTH]}: one prediction of the pair from all its sensors.")


def _who_is_right(run: RunKey, chosen: pd.DataFrame, names: list[str], split: str) -> None:
    """Counts, tests in words, and the pairs ranked by divergence; choosing one opens its leaf."""
    titles = access.titles(run)
    labelled = "who_is_right" in chosen and bool(chosen["who_is_right"].notna().any())
    st.subheader("Who is right where?" if labelled else "Where do they differ most?")
    if labelled:
        chosen = chosen[_of_kind(run, chosen, names, split)]
    ranked = chosen.dropna(subset=["divergence"]).sort_values("divergence", ascending=False).head(ROWS)
    if ranked.empty:
        st.info("No pair is in this list.")
        return
    st.caption(f"Ranked by divergence, {len(ranked)} of {len(chosen):,} pairs. Choose a row to open its leaf.")
    event = st.dataframe(
        _listed(ranked, names, titles),
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


def _of_kind(run: RunKey, chosen: pd.DataFrame, names: list[str], split: str) -> pd.Series:
    """Bars of who is right with what follows from them, and which pairs are of the kind that the user wants listed."""
    titles = access.titles(run)
    kinds = ["both", f"{names[0]} only", f"{names[1]} only", "neither"]
    counts = chosen["who_is_right"].value_counts().reindex(kinds, fill_value=0)
    figure = right_bars({kind: int(counts[kind]) for kind in kinds}, titles)
    bars, words = st.columns([2, 3], gap="large", vertical_alignment="center")
    with bars:
        st.plotly_chart(figure, config={"displayModeBar": False}, key="right", alt="Pairs by who is right")
    with words:
        sentences = _tested(run, split)
        for sentence in sentences:
            st.markdown(f"- {sentence}")
        if any("McNemar" in sentence for sentence in sentences):
            st.caption(FOLLOWS)
    texts = {ALL: ALL, **{right_title(kind, titles): kind for kind in kinds}}
    state.say_unknown("list", texts, ALL)
    text = st.segmented_control("List", list(texts), default=ALL, required=True, key="list", bind="query-params")
    return pd.Series(True, index=chosen.index) if text == ALL else chosen["who_is_right"] == texts[str(text)]


def _tested(run: RunKey, split: str) -> list[str]:
    """The paired tests, and what the sensors know together, in sentences; none where the report has them not."""
    try:
        report = computed.report(run)
        with reading("report.json", reported.command(run)):
            part, titles = report["splits"].get(split), access.titles(run)
            if not part:
                return []
            told = [mcnemar(part["agreement"], titles)] if part.get("agreement") else []
            told += complementarity(part["complementarity"], titles) if part.get("complementarity") else []
            return [sentence for sentence in [*told, *differences(part, titles)] if sentence]
    except ArtifactError:  # said above, beside the figures of agreement
        return []


def _listed(ranked: pd.DataFrame, names: list[str], titles: dict[str, str]) -> pd.DataFrame:
    """Table of the pairs; what no pair has, a label above all, has no column."""
    shown = pd.DataFrame({"Pair": ranked.index, "Divergence (bits)": ranked["divergence"].round(3)})
    if ranked["label"].notna().any():
        shown["Label"] = ranked["label"].fillna("")
    for name in [*names, BOTH]:
        if f"{name}_prediction" in ranked:
            shown[titles[name]] = ranked[f"{name}_prediction"] + ranked[f"{name}_confidence"].map(" {:.2f}".format)
    if "who_is_right" in ranked and ranked["who_is_right"].notna().any():
        shown["Right"] = ranked["who_is_right"].map(
            lambda word: right_title(word, titles) if isinstance(word, str) else ""
        )
    return shown
