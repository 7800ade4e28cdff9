"""What becomes of predictions when a band of an image is replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.dots import dot, dots_figure
from dashboard.charts.figures import CLASS_COLOURS
from dashboard.components.figure_words import decimal, percent, points
from dashboard.components.notice import reading
from dashboard.components.words import JUDGED, plain

OWN, PAIR = "The sensor's prediction changes", "The pair's prediction changes"
REPLACED = {"mean": "its mean", "other_pair": "another pair's", "other_sensor": "the other sensor's"}
"""What a band is replaced by, in the order in which it is drawn."""
ANY, ROWS = "any band", 200
_NEEDED = ["pair_id", "sensor", "band", "replacement", "original", "prediction", "confidence", "flipped"]
_NEEDED += ["joint_original", "joint_prediction", "joint_flipped", "divergence", "label", "split"]


def draw(run: RunKey) -> None:
    """Shares of predictions that change, with intervals, and the leaves whose prediction does.

    Raises:
        ArtifactError: the run was not asked, or what it answered cannot be read.
    """
    document = access.document(run, "channels")
    st.subheader("What if a band were replaced?")
    with reading("channels.json", _command(run)):
        there = [name for name in JUDGED if any(one["split"] == name for one in document["questions"])]
        if not there:
            st.info("No pair was asked about.")
            return
        state.say_unknown("channel_split", [JUDGED[name] for name in there], JUDGED[there[0]])
        split = st.segmented_control(
            "Pairs", there, default=there[0], required=True, key="channel_split", bind="query-params",
            format_func=JUDGED.__getitem__,
        )  # fmt: skip
        questions = [one for one in document["questions"] if one["split"] == split]
        _figure(run, document, questions)
        _table(run, document, questions)
    _flips(run, str(split), document, questions)


def of_pair(run: RunKey, pair_id: str) -> None:
    """What became of one pair's predictions; a sentence where the run was not asked."""
    st.subheader("What if a band were replaced?")
    if not access.has(run, "channels"):
        st.caption(f"That has not been asked: `{_command(run)}`.")
        return
    own = access.table(run, "channels", _NEEDED)
    own = own[own["pair_id"] == pair_id]
    if own.empty:
        st.caption("This pair was not asked about: its classifier learnt from it, or its images cannot be read.")
        return
    titles = access.titles(run)
    shown = pd.DataFrame(
        {
            "Band": [f"{titles.get(s, s)} {band}" for s, band in zip(own["sensor"], own["band"], strict=True)],
            "Replaced by": own["replacement"].map(lambda name: REPLACED.get(name, name)),
            "Prediction": _change(own["original"], own["prediction"], own["flipped"]),
            "Divergence (bits)": own["divergence"].round(3),
        }
    )
    if own["joint_prediction"].notna().any():
        shown["Pair's prediction"] = _change(own["joint_original"], own["joint_prediction"], own["joint_flipped"])
    changed = int(own["flipped"].sum())
    st.caption(f"{changed} of {len(own)} replacements change what a sensor's image alone is called.")
    st.dataframe(
        shown, hide_index=True, key="leaf-channels", alt=f"Predictions of {pair_id} with each band replaced",
        column_config={"Divergence (bits)": _bar()},
    )  # fmt: skip


def _bar() -> Any:
    return st.column_config.ProgressColumn(min_value=0.0, max_value=1.0, format="%.2f")


def _command(run: RunKey) -> str:
    return f"rice-ssl channels {run.path}"


def _change(before: pd.Series, after: pd.Series, flipped: pd.Series) -> list[str]:
    """``blast → brown``, or the class that stays; empty where there is none."""
    return [
        "" if not isinstance(new, str) else f"{old} → {new}" if moved else new
        for old, new, moved in zip(before, after, flipped, strict=True)
    ]


def _band(one: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    return f"{titles.get(one['sensor'], one['sensor'])} {one['band']}"


def _figure(run: RunKey, document: Mapping[str, Any], questions: Sequence[Mapping[str, Any]]) -> None:
    """Shares that change, of the sensor's own prediction and of the pair's."""
    titles = access.titles(run)
    colours = {words: CLASS_COLOURS[number] for number, words in enumerate(REPLACED.values())}
    dots = [dot(OWN, _band(one, titles), one["flipped"], REPLACED[one["replacement"]]) for one in questions]
    dots += [
        dot(PAIR, _band(one, titles), one["joint"]["flipped"], REPLACED[one["replacement"]])
        for one in questions
        if one["joint"]
    ]
    most = max(questions, key=lambda one: one["flipped"]["value"])
    if most["flipped"]["value"] > 0:
        st.markdown(
            f"The most predictions of a sensor change with **{plain(_band(most, titles))}** replaced by "
            f"{plain(_replaced_by(document, most, titles))}: {percent(most['flipped'])} of {most['pairs']:,} pairs."
        )
    elif any(one["joint"] and one["joint"]["flipped"]["value"] > 0 for one in questions):
        st.markdown("No prediction of a sensor alone changes.")
    else:
        st.markdown("No prediction changes.")
    st.plotly_chart(
        dots_figure(dots, colours, columns=2), config={"displayModeBar": False}, key="flips",
        alt="Share of predictions that change, by band and by what replaces it",
    )  # fmt: skip
    said = [f"{REPLACED[name]}: {words}" for name, words in document["replacements"].items() if name in REPLACED]
    st.caption(
        f"Replaced by {'; '.join(said)}. The other bands stay as they are, and so does the pair's other image. A "
        "prediction that changes tells that this network uses the band, not that another network could not do without "
        f"it. Intervals: {100 * document['confidence']:g}%, over pairs."
    )


def _replaced_by(document: Mapping[str, Any], one: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """What took a band's place; of another sensor's bands, which one: ``the other sensor's (red of RGNIR)``."""
    word = REPLACED.get(one["replacement"], str(one["replacement"]))
    if one["replacement"] != "other_sensor":
        return word
    for source in document.get("sources") or []:
        if (source["sensor"], source["band"]) == (one["sensor"], one["band"]):
            return f"{word} ({source['from_band']} of {titles.get(source['from_sensor'], source['from_sensor'])})"
    return word


def _table(run: RunKey, document: Mapping[str, Any], questions: Sequence[Mapping[str, Any]]) -> None:
    titles, rows = access.titles(run), []
    for one in questions:
        row = {
            "Band": _band(one, titles),
            "Replaced by": _replaced_by(document, one, titles),
            "Pairs": one["pairs"],
            "Changed": percent(one["flipped"]),
            "Divergence (bits)": decimal(one["divergence"]) if one["divergence"] else "",
        }
        if one["joint"]:
            row["Changed, pair"] = percent(one["joint"]["flipped"])
        if one["labelled"]:
            row["Accuracy after - before"] = points(one["labelled"]["accuracy"]["difference"])
            counts = one["labelled"]["flips"]
            row["Right to wrong, wrong to right"] = f"{counts['right_to_wrong']}, {counts['wrong_to_right']}"
        rows.append(row)
    with st.expander("As a table", icon=":material/table_rows:"):
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="flips-table", alt="Predictions that change, by band")


def _flips(run: RunKey, split: str, document: Mapping[str, Any], questions: Sequence[Mapping[str, Any]]) -> None:
    """Leaves whose prediction changes; choosing one opens it."""
    st.subheader("Which leaves change?")
    titles = access.titles(run)
    table = access.table(run, "channels", _NEEDED)
    table = table[(table["split"] == split) & table["flipped"].astype(bool)]
    table = table.assign(
        Band=[f"{titles.get(s, s)} {band}" for s, band in zip(table["sensor"], table["band"], strict=True)]
    )
    bands = [ANY, *dict.fromkeys(_band(one, titles) for one in questions)]
    state.say_unknown("band", bands, ANY)
    band = st.selectbox("Band", bands, key="band", bind="query-params", width=280)
    if band != ANY:
        table = table[table["Band"] == band]
    if table.empty:
        st.info("No prediction changes.")
        return
    listed = table.sort_values("divergence", ascending=False, kind="stable").head(ROWS)
    st.caption(f"Ranked by divergence, {len(listed)} of {len(table):,} changes. Choose a row to open its leaf.")
    shown = pd.DataFrame(
        {
            "Pair": listed["pair_id"],
            "Band": listed["Band"],
            "Replaced by": [_replaced_by(document, one, titles) for one in listed.to_dict("records")],
            "Before": listed["original"],
            "After": listed["prediction"] + listed["confidence"].map(" {:.2f}".format),
            "Pair's prediction": _change(listed["joint_original"], listed["joint_prediction"], listed["joint_flipped"]),
            "Label": listed["label"].fillna(""),
            "Divergence (bits)": listed["divergence"].round(3),
        }
    )
    event = st.dataframe(
        shown, hide_index=True, on_select="rerun", selection_mode="single-row", key="flipped",
        alt="Leaves whose prediction changes when a band is replaced",
        column_config={"Divergence (bits)": _bar()},
    )  # fmt: skip
    rows = event["selection"]["rows"]
    if rows:
        state.open_screen("leaf", pair=str(listed["pair_id"].iloc[rows[0]]))
