"""Whether the two sensors place pairs alike: neighbourhoods in the original space, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, map_columns, map_points, state
from dashboard.access import RunKey
from dashboard.charts.neighbourhoods import overlap_chart
from dashboard.components.notice import explain, reading
from dashboard.components.words import label_text, plain
from dashboard.map_points import MapKey
from rice_ssl.errors import ArtifactError

TABLE, LOWEST = "neighbourhoods", 50
"""Rows of the table of pairs with the lowest overlap, at most."""


@st.fragment
def show(run: RunKey, key: MapKey) -> None:
    """Draw the section, shut; what is in it is worked out when it is opened.

    Args:
        run: the run.
        key: the map on screen, which knows the pairs' labels.
    """
    if len(access.sensors(run)) < 2:
        return
    section = st.expander("Do the two sensors place pairs alike?", key="map_neighbourhoods", on_change="rerun")
    if section.open:
        with section:
            try:
                _contents(run, key)
            except ArtifactError as error:
                explain(error)


@st.cache_data(max_entries=8, show_spinner=False)
def lowest(run: RunKey) -> pd.DataFrame:
    """Pairs with the lowest overlap, the lowest first; of equal overlap those whose images are further apart first.

    Raises:
        ArtifactError: the table is not there, or cannot be read.
    """
    found = access.table(run, TABLE, ["pair_id", "overlap", "first_rank", "second_rank"])
    found = found.nsmallest(min(len(found), 20 * LOWEST), "overlap", keep="first")
    ranks = found[["first_rank", "second_rank"]].astype("float64")
    found["apart"] = ranks.fillna(float("inf")).max(axis=1)
    found = found.sort_values(["overlap", "apart", "pair_id"], ascending=[True, False, True])
    return found.head(LOWEST).drop(columns="apart").reset_index(drop=True)


def _contents(run: RunKey, key: MapKey) -> None:
    overlap = access.table(run, TABLE, ["overlap"])["overlap"].to_numpy()
    if not len(overlap):
        st.info("No pair has an embedding of both sensors, so there is nothing to compare.")
        return
    noted: Mapping[str, Any] = {}
    if access.has_document(run, "map"):
        with reading("map.json", f"rice-ssl map {run.path}"):
            noted = access.document(run, "map").get("neighbourhoods") or {}
    k, expected = noted.get("neighbours"), noted.get("expected")
    first, second = (plain(access.titles(run)[name]) for name in access.sensors(run)[:2])
    nearest = f"the {k} pairs" if k else "the pairs"
    chance = "" if expected is None else f"; of shuffled pairs, by chance, {expected:.3f}"
    st.markdown(
        f"For each pair, {nearest} whose {first} images are nearest to its own, and {nearest} whose {second} images "
        f"are: their overlap is {overlap.mean():.2f} on average over {len(overlap):,} pairs{chance}.",
        help="Overlap: pairs in both neighbourhoods divided by pairs in either (Jaccard index). Neighbours are by "
        "cosine of embeddings in the original space, never on a map.",
    )
    if noted.get("exact") is False and noted.get("recall") is not None:
        st.caption(f"Found by an index that finds {100 * noted['recall']:.0f}% of the exact neighbours.")
    chart, table = st.columns([2, 3], gap="medium")
    with chart:
        st.plotly_chart(overlap_chart(overlap, expected), key="map_overlap_chart", config={"displayModeBar": False})
    with table:
        _ranked(run, key)


def _ranked(run: RunKey, key: MapKey) -> None:
    """Pairs that the sensors place most differently, each a way to its leaf."""
    found = lowest(run)
    first, second = (access.titles(run)[name] for name in access.sensors(run)[:2])
    shown = pd.DataFrame(
        {
            "Pair": found["pair_id"],
            "Overlap": found["overlap"],
            "Label": found["pair_id"].map(_labels(run, key, found["pair_id"].tolist())).map(label_text),
            f"{second} twin's rank from {first}": found["first_rank"].astype("Int64"),
            f"{first} twin's rank from {second}": found["second_rank"].astype("Int64"),
        }
    )
    event = st.dataframe(
        shown, key="map_lowest", hide_index=True, height=220, on_select="rerun", selection_mode="single-row",
        column_config={"Overlap": st.column_config.NumberColumn(format="%.2f")},
    )  # fmt: skip
    st.caption("The pairs that the two sensors place most differently; select one to open its leaf.")
    chosen = event["selection"]["rows"]
    if chosen:
        state.open_screen("leaf", pair=str(shown["Pair"][chosen[0]]))


def _labels(run: RunKey, key: MapKey, pair_ids: list[str]) -> dict[str, str]:
    """Labels of some pairs, looked up without a table of all."""
    if "label" not in map_columns.names(run):
        return {}
    rows = map_points.rows_of(run, key, pair_ids)
    ids = map_points.points(run, key)["pair_id"].iloc[rows].astype(str)
    return dict(zip(ids, map_columns.column(run, key, "label").iloc[rows].astype(str), strict=True))
