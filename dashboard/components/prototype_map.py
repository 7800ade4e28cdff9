"""The prototypes on a map, among the images, and what their clusters are."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import access, prototype_data
from dashboard.access import RunKey
from dashboard.charts.figures import class_colours
from dashboard.charts.prototypes import CLUSTER, LABEL, prototype_map
from dashboard.components.prototype_list import CHOICE
from dashboard.components.words import METHODS_MEANING, label_text, plain
from rice_ssl.errors import ArtifactError

METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}


def draw(run: RunKey, table: pd.DataFrame, number: int) -> None:
    """Projections and prototypes on one map; a click on a star chooses its prototype.

    Raises:
        ArtifactError: the run has no map of its prototypes.
    """
    found = prototype_data.places(run)
    if found.prototypes is None or found.method is None:
        raise ArtifactError(_no_map(run))
    labelled = bool(table["labelled"].any())
    colour = CLUSTER
    if labelled:
        colour = st.segmented_control(
            "Colour of the stars", [CLUSTER, LABEL], default=CLUSTER, required=True, key="prototype_colour",
            bind="query-params",
        )  # fmt: skip
    images = found.images.assign(label=found.images["pair_id"].map(access.labels(run)["label"]).map(label_text))
    names = prototype_data.cluster_figures(run)["name"].to_dict()
    colours = class_colours(list(access.info(run)["classes"]))
    figure = prototype_map(images, found.prototypes, table, colours, number, colour=str(colour), names=names)
    key = f"prototype_map_{number}"  # a choice made another way leaves no selection behind that could come back
    st.plotly_chart(
        figure, key=key, on_select=lambda: _choose_star(key), selection_mode="points", alt="Prototypes among the images"
    )
    sample = (
        f" {len(found.images):,} of {found.all_images:,} images are drawn." if len(images) < found.all_images else ""
    )
    dead = " a cross a dead one." if table["dead"].any() else ""
    st.caption(
        f"{METHODS[found.method]} of projections and prototypes in one fit; a star is a prototype, its size its usage"
        f"{',' if dead else '.'}{dead}{sample} "
        f"Clusters (average linkage on cosine; % of the labelled images, 95% interval): {_clusters(run)}.",
        help=METHODS_MEANING,
    )


def _no_map(run: RunKey) -> str:
    other, noted = access.weights_from(run), "weights_run" in access.info(run)
    if other and not noted:
        return f"The prototypes are those of the run {other}, and so is the map of them: open that run to see it."
    whose = f", which are those of the run {other}" if other else ""
    return f"This run has no map of its prototypes{whose}. Make one with `rice-ssl map {run.path}`."


def _choose_star(key: str) -> None:
    points = [p["customdata"][0] for p in st.session_state[key]["selection"]["points"] if p.get("customdata")]
    if points:
        st.session_state[CHOICE] = int(points[0])


def _clusters(run: RunKey) -> str:
    """Size of each cluster, and the share of its most frequent label among its labelled images."""
    words = []
    for cluster, row in prototype_data.cluster_figures(run).iterrows():
        noun = "prototype" if row["prototypes"] == 1 else "prototypes"
        mostly = ""
        if row["labelled"]:
            span = f"[{100 * row['purity_low']:.0f}, {100 * row['purity_high']:.0f}]"
            mostly = f", {100 * row['purity']:.0f}% {plain(row['label'])} {span}"
        words.append(f"cluster {cluster}: {row['prototypes']} {noun}, {row['images']} images{mostly}")
    return "; ".join(words)
