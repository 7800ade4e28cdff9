"""Overview: what was trained on what, how good it is, and what is wrong with the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.sensors import figures_with_intervals
from dashboard.components.notice import explain
from rice_ssl.errors import ArtifactError

FIGURES = {"accuracy": "Accuracy", "log_loss": "Log loss (nats, lower is better)", "macro_f1": "Macro F1"}
SPLITS = {"test": "Test pairs", "val": "Validation pairs"}
SAMPLES = 4


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    info = access.info(run)
    st.title("Overview")
    _made_of(run, info)
    st.subheader("How good are the predictions?")
    try:
        _figures(run)
    except ArtifactError as error:
        explain(error)
    st.subheader("Pairs of this run")
    try:
        _samples(run)
    except ArtifactError as error:
        explain(error)
    st.subheader("Findings in the data")
    try:
        _findings(run)
    except ArtifactError as error:
        explain(error)


def _made_of(run: RunKey, info: Mapping[str, Any]) -> None:
    """Key facts, and the pairs by split and label."""
    pairs = access.pairs(run)
    manifest = access.table(run, "manifest", ["pair_id", "sensor", "split"])
    config = info.get("config") or {}
    pretrain, encoder = config.get("pretrain") or {}, config.get("encoder") or {}
    titles = access.titles(run)
    with st.container(horizontal=True):
        st.metric("Pairs", f"{len(pairs):,}", border=True)
        st.metric("Images", f"{len(manifest):,}", border=True)
        st.metric("Sensors", " + ".join(titles[name] for name in access.sensors(run)), border=True)
        st.metric("Encoder", str(encoder.get("name", "not noted")), border=True)
    views = info.get("effective_views", pretrain.get("views", "not noted"))
    epochs = f", {pretrain['epochs']} epochs" if "epochs" in pretrain else ""
    prototypes = f", {pretrain['prototypes']} prototypes" if "prototypes" in pretrain else ""
    source = (
        "Simulated leaves" if info.get("simulated") else f"Images imported with the {info.get('data_source')} layout"
    )
    st.caption(
        f"{source}. SwAV pretraining on views `{views}`{epochs}{prototypes}. "
        "Both sensors of a pair are always in one split."
    )
    counts = pairs.fillna({"label": "no label"}).groupby(["split", "label"]).size().unstack(fill_value=0)
    with st.expander("Pairs by split and label", icon=":material/table_rows:"):
        st.dataframe(counts.reset_index(), hide_index=True, width="content", alt="Pairs by split and label")


def _figures(run: RunKey) -> None:
    report = access.document(run, "report")
    splits = [split for split in SPLITS if report["splits"].get(split, {}).get("sensors")]
    if not splits:
        st.info("No pair outside the training split has a label, so nothing can be judged.")
        return
    split = st.segmented_control("Pairs", splits, default=splits[0], format_func=SPLITS.__getitem__, required=True)
    part, titles = report["splits"][split], access.titles(run)
    columns = st.columns(len(FIGURES))
    for column, (name, title) in zip(columns, FIGURES.items(), strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{title}**")
            figure = figures_with_intervals(part, name, titles, access.sensors(run))
            st.plotly_chart(figure, config={"displayModeBar": False}, key=f"figure-{name}", alt=title)
    for sentence in _differences(part, titles):
        st.markdown(f"- {sentence}")
    pairs = max(one["n"] for one in part["sensors"].values())
    st.caption(
        f"Intervals: {100 * report['confidence']:g}%, bootstrap over {pairs} pairs, {report['bootstrap']} repetitions."
    )


def _differences(part: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """Paired differences of accuracy in words."""
    found = []
    for gap in part["differences"]:
        if gap["name"] != "accuracy":
            continue
        a, b = ("Both sensors" if name == "both" else titles.get(name, name) for name in (gap["a"], gap["b"]))
        points = [100 * gap[key] for key in ("value", "low", "high")]
        clear = gap["low"] > 0 or gap["high"] < 0
        verb = "beat" if gap["a"] == "both" else "beats"
        word = (
            f"**{a} {verb} {b}**"
            if gap["low"] > 0
            else f"**{b} beats {a}**"
            if gap["high"] < 0
            else f"{a} and {b} cannot be told apart"
        )
        tail = "" if clear else " (the interval holds 0)"
        found.append(f"{word}: {points[0]:+.1f} points of accuracy [{points[1]:+.1f}, {points[2]:+.1f}]{tail}.")
    return found


def _samples(run: RunKey) -> None:
    """A few pairs, both sensors side by side."""
    pairs, titles = access.pairs(run), access.titles(run)
    chosen = pairs.groupby(pairs["label"].fillna("no label"), group_keys=False).head(2).head(SAMPLES)
    for column, pair_id in zip(st.columns(SAMPLES), chosen.index, strict=False):
        with column, st.container(border=True):
            for side, sensor in zip(
                st.columns(len(access.sensors(run)), gap="small"), access.sensors(run), strict=True
            ):
                picture = access.thumbnail(run, pair_id, sensor)
                if picture is None:
                    side.caption(f"no {titles[sensor]} image")
                else:
                    side.image(
                        picture, caption=titles[sensor], width="stretch", alt=f"{titles[sensor]} image of {pair_id}"
                    )
            label = chosen.loc[pair_id, "label"]
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f"{label if isinstance(label, str) else 'no label'} · {chosen.loc[pair_id, 'split']}")
                if st.button("Open", key=f"open-{pair_id}", type="tertiary", icon=":material/open_in_new:"):
                    state.open_screen("leaf", pair=pair_id)


def _findings(run: RunKey) -> None:
    findings = access.table(run, "findings")
    if findings.empty:
        st.success("The import found nothing wrong: every pair is complete, and no image is there twice.")
        return
    counts = findings["kind"].value_counts()
    with st.container(horizontal=True):
        for kind, count in counts.items():
            st.badge(f"{str(kind).replace('_', ' ')}: {count}", color="orange", icon=":material/warning:")
    with st.expander(f"All {len(findings):,} findings", icon=":material/list:"):
        shown: pd.DataFrame = findings.assign(kind=findings["kind"].str.replace("_", " "))
        st.dataframe(shown[["kind", "pair_id", "sensor", "detail"]], hide_index=True, alt="Findings of the import")
