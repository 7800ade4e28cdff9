"""Prototypes: what self-supervision grouped together, and whether it groups the two images of a pair."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access, computed, state
from dashboard.access import RunKey
from dashboard.charts.figures import class_colours
from dashboard.charts.map import METHODS
from dashboard.charts.prototypes import MOST, prototype_map, usage_bars
from dashboard.components.gallery import gallery
from dashboard.components.notice import explain
from dashboard.components.words import METHODS_MEANING, label_text
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.prototypes import assignment_agreement, perplexity

NEAREST = 8
_CHOICE = "prototype"


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Prototypes")
    table = computed.prototypes(run)
    _summary(run, table)
    st.subheader("Usage")
    hidden = int((table["images"] > 0).sum()) - MOST
    if hidden > 0:
        st.caption(f"The {MOST} most used are drawn; {hidden} more are in the table.")
    figure = usage_bars(table, access.sensors(run), access.titles(run))
    st.plotly_chart(figure, key="usage", config={"displayModeBar": False}, alt="Images by prototype and sensor")
    with st.expander("All prototypes", icon=":material/table_rows:"):
        st.dataframe(_readable(table, access.titles(run)), hide_index=True, alt="Usage and purity of every prototype")
    st.subheader("Prototypes among the images")
    number = _choose(table)
    try:
        maps, method = _maps(run)
    except ArtifactError as error:
        explain(error)
        _inspect(run, number, columns=NEAREST)
    else:
        left, right = st.columns([3, 2], gap="medium")
        with left:
            _draw(run, table, maps, method, number)
        with right:
            _inspect(run, number, columns=NEAREST // 2)
    if len(access.sensors(run)) > 1:
        _elsewhere(run, number)


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


def _readable(table: pd.DataFrame, titles: dict[str, str]) -> pd.DataFrame:
    """The table of prototypes, most used first, as people read it; without labels, without what needs them."""
    ranked = table.sort_values("images", ascending=False, kind="stable")
    shown = pd.DataFrame({"Prototype": ranked.index, "Images": ranked["images"]})
    for name in [name for name in titles if name in ranked]:
        shown[f"{titles[name]} images"] = ranked[name]
    if ranked["labelled"].any():
        shown["Labelled images"] = ranked["labelled"]
        shown["Most frequent label"] = ranked["label"].map(lambda label: label if isinstance(label, str) else "")
        shown["Its share (%)"] = (100 * ranked["purity"]).round(1)
        shown["95% interval, low (%)"] = (100 * ranked["purity_low"]).round(1)
        shown["95% interval, high (%)"] = (100 * ranked["purity_high"]).round(1)
        shown["Entropy of labels (nats)"] = ranked["label_entropy"].round(3)
    return shown


def _choose(table: pd.DataFrame) -> int:
    """Prototype to look into: the one in the list, on the map, or in the link; at first the most used one."""
    order = [int(number) for number in table.sort_values("images", ascending=False, kind="stable").index]
    state.say_unknown(_CHOICE, {str(number) for number in order}, f"prototype {order[0]}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "Prototype", order, key=_CHOICE, bind="query-params", width=160,
            help="Most used first. A click on a star chooses one too.",
        )  # fmt: skip
        st.markdown(
            _sentence(table.loc[number], int(number)),
            help="Entropy is 0 where all labels are the same, and the logarithm of their number where all are equally "
            "frequent. In brackets: 95% interval (Wilson).",
        )
    return int(number)


def _sentence(row: pd.Series, number: int) -> str:
    if row["images"] == 0:
        return f"No image is assigned to prototype {number}: it is dead. Its nearest images are shown all the same."
    images = f"**{int(row['images'])} images**"
    if pd.isna(row["purity"]):
        return f"{images}, none of them labelled."
    return (
        f"{images}; {100 * row['purity']:.0f}% [{100 * row['purity_low']:.0f}, {100 * row['purity_high']:.0f}] of the "
        f"{int(row['labelled'])} labelled ones are **{row['label']}**. Entropy of labels: {row['label_entropy']:.2f} "
        "nats."
    )


def _maps(run: RunKey) -> tuple[pd.DataFrame, str]:
    """Map of projections and prototypes, and how it was made."""
    maps = access.table(run, "map")
    maps = maps[maps["space"] == "projection"]
    methods = [m for m in METHODS if ((maps["method"] == m) & (maps["kind"] == "prototype")).any()]
    if not methods:
        other, noted = access.weights_from(run), "weights_run" in access.info(run)
        if other and not noted:
            raise ArtifactError(
                f"The prototypes are those of the run {other}, and so is the map of them: open that run to see it."
            )
        whose = f", which are those of the run {other}" if other else ""
        raise ArtifactError(f"This run has no map of its prototypes{whose}. Make one with `rice-ssl map {run.path}`.")
    return maps[maps["method"] == methods[0]], METHODS[methods[0]]


def _draw(run: RunKey, table: pd.DataFrame, maps: pd.DataFrame, method: str, number: int) -> None:
    """Projections and prototypes on one map; a click on a star chooses its prototype."""
    images = maps[maps["kind"] == "image"]
    images = images.assign(label=images["pair_id"].map(access.pairs(run)["label"]).map(label_text))
    own = maps[maps["kind"] == "prototype"]
    own = own.assign(cluster=own["prototype"].map(computed.clusters(run)))
    figure = prototype_map(images, own, table, class_colours(list(access.info(run)["classes"])), number)
    key = f"prototype_map_{number}"  # a choice made another way leaves no selection behind that could come back
    st.plotly_chart(
        figure, key=key, on_select=lambda: _choose_star(key), selection_mode="points", alt="Prototypes among the images"
    )
    st.caption(
        f"{method} of projections and prototypes in one fit; a star is a prototype, its size its usage. "
        f"Clusters (average linkage on cosine; % of the labelled images): {_clusters(run)}.",
        help=METHODS_MEANING,
    )


def _choose_star(key: str) -> None:
    points = [p["customdata"][0] for p in st.session_state[key]["selection"]["points"] if p.get("customdata")]
    if points:
        st.session_state[_CHOICE] = int(points[0])


def _clusters(run: RunKey) -> str:
    """Size of each cluster, and the share of its most frequent label among its labelled images."""
    assigned = access.table(run, "prototypes", ["pair_id", "prototype"])
    label = assigned["pair_id"].map(access.pairs(run)["label"])
    clusters = computed.clusters(run)
    cluster_of_image, words = assigned["prototype"].map(clusters), []
    for cluster, members in clusters.value_counts().sort_index().items():
        labels = label[cluster_of_image == cluster]
        shares = labels.value_counts(normalize=True)
        mostly = f", {100 * shares.iloc[0]:.0f}% {shares.index[0]}" if len(shares) else ""
        noun = "prototype" if members == 1 else "prototypes"
        words.append(f"cluster {cluster}: {members} {noun}, {len(labels)} images{mostly}")
    return "; ".join(words)


def _inspect(run: RunKey, number: int, *, columns: int) -> None:
    """The nearest images of each sensor."""
    logits = access.vectors(run, "embeddings", "prototype_logits")
    if logits is None:
        return
    keys, pairs, titles = access.table(run, "embeddings", ["pair_id", "sensor"]), access.pairs(run), access.titles(run)
    for sensor in access.sensors(run):
        st.markdown(f"**Nearest {titles[sensor]} images**")
        rows = np.flatnonzero((keys["sensor"] == sensor).to_numpy())
        best = rows[np.argsort(-logits[rows, number], kind="stable")][:NEAREST]
        entries = [(str(keys["pair_id"].iloc[k]), sensor) for k in best]
        captions = {
            entry: f"{label_text(pairs.loc[entry[0], 'label'])} · {logits[k, number]:.2f}"
            for entry, k in zip(entries, best, strict=True)
        }
        gallery(run, entries, key=f"nearest-{sensor}", captions=captions, columns=columns)
    st.caption("Label, and cosine similarity of the image's projection to the prototype.")


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
