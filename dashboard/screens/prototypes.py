"""Prototypes: what self-supervision grouped together, and whether it groups the two images of a pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.figures import class_colours
from dashboard.charts.prototypes import MOST, prototype_map, usage_bars
from dashboard.components.gallery import gallery
from dashboard.components.notice import explain
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.prototypes import assignment_agreement, perplexity

NEAREST = 8


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Prototypes")
    table = access.prototypes(run)
    _summary(run, table)
    st.subheader("Usage")
    hidden = int((table["images"] > 0).sum()) - MOST
    if hidden > 0:
        st.caption(f"The {MOST} most used are drawn; {hidden} more are in the table.")
    figure = usage_bars(table, access.sensors(run), access.titles(run))
    st.plotly_chart(figure, key="usage", config={"displayModeBar": False}, alt="Images by prototype and sensor")
    with st.expander("All prototypes", icon=":material/table_rows:"):
        st.dataframe(_rounded(table), alt="Usage and purity of every prototype")
    st.subheader("Prototypes among the images")
    picked = None
    try:
        picked = _map(run, table)
    except ArtifactError as error:
        explain(error)
    _inspect(run, table, picked)


def _summary(run: RunKey, table: pd.DataFrame) -> None:
    """Usage, and agreement of the two sensors with its null."""
    names, titles = access.sensors(run), access.titles(run)
    dead = int((table["images"] == 0).sum())
    with st.container(horizontal=True):
        st.metric("Prototypes", len(table), border=True)
        st.metric("Effective number (perplexity)", f"{perplexity(table['images'].to_numpy()):.1f}", border=True)
        st.metric("Without any image", dead, border=True)
        present = [name for name in names if name in table]
        if len(present) > 1:
            lone = int(((table[present] > 0).sum(axis=1) == 1).sum())
            st.metric("Hold one sensor only", lone, border=True)
    if len(names) < 2:
        st.caption("This run has one sensor, so there is no agreement between sensors to measure.")
        return
    assigned = access.table(run, "prototypes", ["pair_id", "sensor", "prototype"])
    wide = assigned.pivot_table(index="pair_id", columns="sensor", values="prototype").dropna()
    if not {*names[:2]} <= set(wide.columns) or wide.empty:
        st.caption("No pair has an image of both sensors, so there is no agreement to measure.")
        return
    found = assignment_agreement(*(wide[name].to_numpy(dtype=np.int64) for name in names[:2]))
    verdict = "more often than chance" if found.low > found.null_high else "no more often than chance"
    st.markdown(
        f"One prototype holds both images of a pair in **{100 * found.rate:.0f}%** [{100 * found.low:.0f}, "
        f"{100 * found.high:.0f}] of {found.pairs:,} pairs, {verdict} (shuffled pairs: {100 * found.null_mean:.1f}%, "
        f"97.5% of shuffles below {100 * found.null_high:.1f}%). Normalised mutual information between "
        f"{titles[names[0]]} and {titles[names[1]]} assignments: {found.nmi:.2f} (shuffled {found.nmi_null:.2f})."
    )


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("images", ascending=False, kind="stable").round(3)


def _map(run: RunKey, table: pd.DataFrame) -> int | None:
    """UMAP of projections and prototypes; gives the prototype that was clicked."""
    maps = access.table(run, "map")
    maps = maps[maps["space"] == "projection"]
    methods = [m for m in ("umap", "tsne", "pca") if ((maps["method"] == m) & (maps["kind"] == "prototype")).any()]
    if not methods:
        raise ArtifactError(f"This run has no map of its prototypes. Make one with `rice-ssl map {run.path}`.")
    maps = maps[maps["method"] == methods[0]]
    images = maps[maps["kind"] == "image"].assign(
        label=lambda f: f["pair_id"].map(access.pairs(run)["label"]).fillna("no label")
    )
    own = maps[maps["kind"] == "prototype"]
    figure = prototype_map(images, own, table, class_colours(list(access.info(run)["classes"])), _asked(table))
    event: Any = st.plotly_chart(
        figure, key="prototype_map", on_select="rerun", selection_mode="points", alt="Prototypes among the images"
    )
    clusters = own.assign(label=own["prototype"].map(table["label"]), images=own["prototype"].map(table["images"]))
    words = [
        f"cluster {int(cluster) + 1}: {len(part)} prototypes, {int(part['images'].sum())} images, mostly "
        f"{part.groupby('label')['images'].sum().idxmax() if part['label'].notna().any() else 'unlabelled'}"
        for cluster, part in clusters.groupby("cluster")
    ]
    st.caption(
        f"{methods[0].upper()} of projections and prototypes in one fit; a star is a prototype, its size its usage. "
        f"Clusters (average linkage on cosine): {'; '.join(words)}."
    )
    points = [p["customdata"][0] for p in event["selection"]["points"] if p.get("customdata")]
    return int(points[0]) if points else None


def _asked(table: pd.DataFrame) -> int:
    """Prototype that the URL names; the most used one otherwise."""
    first = str(int(table["images"].idxmax()))
    return int(state.chosen("prototype", {str(number) for number in table.index}, first))


def _inspect(run: RunKey, table: pd.DataFrame, picked: int | None) -> None:
    """One prototype: its nearest images of each sensor, labels, and where the pairs' other images went."""
    st.subheader("Look into a prototype")
    if picked is not None and st.session_state.get("picked_before") != picked:
        st.session_state["picked_before"] = picked
        st.session_state["prototype_choice"] = picked
    order = [int(number) for number in table.sort_values("images", ascending=False, kind="stable").index]
    if st.session_state.get("prototype_choice") not in order:
        st.session_state["prototype_choice"] = _asked(table)
    number = st.selectbox(
        "Prototype", order, key="prototype_choice", width=360,
        format_func=lambda k: f"{k} · {int(table.loc[k, 'images'])} images"
        + (f", mostly {table.loc[k, 'label']}" if isinstance(table.loc[k, "label"], str) else ""),
    )  # fmt: skip
    st.query_params["prototype"] = str(number)
    row, names, titles = table.loc[number], access.sensors(run), access.titles(run)
    if row["images"] == 0:
        st.info(f"No image is assigned to prototype {number}: it is dead. Its nearest images are shown all the same.")
    elif pd.notna(row["purity"]):
        st.markdown(
            f"**{int(row['images'])} images**, {100 * row['purity']:.0f}% [{100 * row['purity_low']:.0f}, "
            f"{100 * row['purity_high']:.0f}] of the {int(row['labelled'])} labelled ones are **{row['label']}**; "
            f"entropy of labels {row['label_entropy']:.2f} nats."
        )
    logits = access.vectors(run, "embeddings", "prototype_logits")
    if logits is None:
        return
    keys = access.table(run, "embeddings", ["pair_id", "sensor"])
    pairs = access.pairs(run)
    for column, sensor in zip(st.columns(len(names), gap="large"), names, strict=True):
        with column:
            st.markdown(f"**Nearest {titles[sensor]} images**")
            rows = np.flatnonzero((keys["sensor"] == sensor).to_numpy())
            best = rows[np.argsort(-logits[rows, number], kind="stable")][:NEAREST]
            entries = [(str(keys["pair_id"].iloc[k]), sensor) for k in best]
            captions = {}
            for (pair_id, _), k in zip(entries, best, strict=True):
                label = pairs.loc[pair_id, "label"]
                captions[pair_id, sensor] = (
                    f"{label if isinstance(label, str) else 'no label'} · {logits[k, number]:.2f}"
                )
            gallery(run, entries, key=f"nearest-{sensor}", captions=captions, columns=4)
    if len(names) > 1:
        _elsewhere(run, number)


def _elsewhere(run: RunKey, number: int) -> None:
    """Which prototypes hold the other sensor's images of this prototype's pairs."""
    names, titles = access.sensors(run)[:2], access.titles(run)
    assigned = access.table(run, "prototypes", ["pair_id", "sensor", "prototype"])
    for one, other in (names, names[::-1]):
        own = assigned[(assigned["sensor"] == one) & (assigned["prototype"] == number)]["pair_id"]
        twins = assigned[(assigned["sensor"] == other) & assigned["pair_id"].isin(own)]["prototype"].value_counts()
        if len(twins):
            words = ", ".join(f"{prototype} ({count})" for prototype, count in twins.head(6).items())
            st.caption(f"Its {len(own)} {titles[one]} images: their {titles[other]} twins are in prototypes {words}.")
