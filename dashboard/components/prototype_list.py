"""Every prototype: usage, purity, flags and cluster; and the one that is looked into."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access, prototype_data, state
from dashboard.access import RunKey
from dashboard.charts.prototypes import MOST, usage_bars

CHOICE = "prototype"
_TABLE = "prototype_table"
DEAD = "dead"


def draw(run: RunKey, table: pd.DataFrame) -> None:
    """Bars of usage, and the table; a click on a row chooses its prototype."""
    titles, dead = access.titles(run), int(table["dead"].sum())
    notes = []
    if (hidden := len(table) - dead - MOST) > 0:
        notes.append(f"The {MOST} most used are drawn; {hidden:,} more are in the table.")
    if dead:
        notes.append(f"{dead:,} {'prototype holds' if dead == 1 else 'prototypes hold'} no image and are not drawn.")
    st.caption(" ".join(notes)) if notes else None
    if dead == len(table):
        st.info("No image of this run is assigned to a prototype.")
        return
    figure = usage_bars(table, access.sensors(run), titles)
    st.plotly_chart(figure, key="usage", config={"displayModeBar": False}, alt="Images by prototype and sensor")
    names = prototype_data.cluster_figures(run)["name"].to_dict()
    shown = readable(table, titles, prototype_data.clusters(run).map(names))
    st.dataframe(
        shown, hide_index=True, height=280, key=_TABLE, selection_mode="single-row",
        on_select=lambda: _choose_row(shown["Prototype"].tolist()),
        column_config={
            "Entropy of labels (nats)": st.column_config.NumberColumn(
                help="0 where all labels are the same; the logarithm of their number where all are equally frequent."
            ),
            "Entropy of sensors (nats)": st.column_config.NumberColumn(
                help="0 where all images are of one sensor; 0.693 where half are of each of two."
            ),
            "Flags": st.column_config.TextColumn(
                help="Whether one sensor only is more than chance: a binomial test against the sensors' shares of all "
                "images, at 5% divided by the prototypes with an image."
            ),
        },
        alt="Usage, purity and flags of every prototype",
    )  # fmt: skip
    st.caption("A click on a column sorts, one on a row's box chooses the prototype. Intervals are Wilson's, 95%.")


def _choose_row(numbers: list[int]) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows and rows[0] < len(numbers):
        st.session_state[CHOICE] = int(numbers[rows[0]])


def readable(table: pd.DataFrame, titles: dict[str, str], cluster: pd.Series) -> pd.DataFrame:
    """The table of prototypes, most used first, as people read it; without labels, without what needs them.

    Args:
        table: see :func:`rice_ssl.evaluation.prototypes.prototype_table`.
        titles: of the sensors.
        cluster: name of each prototype's cluster, indexed by prototype; empty where there are none.
    """
    ranked = table.sort_values("images", ascending=False, kind="stable")
    shown = pd.DataFrame({"Prototype": ranked.index, "Images": ranked["images"]})
    if len(cluster):
        shown["Cluster"] = cluster.reindex(ranked.index).fillna("")
    shown["Flags"] = [flag(row, titles) for _, row in ranked.iterrows()]
    for name in [name for name in titles if name in ranked]:
        shown[f"{titles[name]} images"] = ranked[name]
    if ranked["labelled"].any():
        shown["Labelled images"] = ranked["labelled"]
        shown["Most frequent label"] = ranked["label"].map(lambda label: label if isinstance(label, str) else "")
        shown["Its share (%)"] = (100 * ranked["purity"]).round(1)
        shown["95% interval, low (%)"] = (100 * ranked["purity_low"]).round(1)
        shown["95% interval, high (%)"] = (100 * ranked["purity_high"]).round(1)
        shown["Entropy of labels (nats)"] = ranked["label_entropy"].round(3)
    if ranked["sensor_entropy"].notna().any():
        shown["Entropy of sensors (nats)"] = ranked["sensor_entropy"].round(3)
    return shown


def flag(row: pd.Series, titles: dict[str, str]) -> str:
    """What is remarkable of a prototype: ``dead``, or one sensor only, and whether that is more than chance."""
    if row["dead"]:
        return DEAD
    if not isinstance(row["only"], str):
        return ""
    return f"{titles[row['only']]} only, {'beyond' if row['only_beyond_chance'] else 'may be'} chance"


def choose(table: pd.DataFrame, titles: dict[str, str]) -> int:
    """Prototype to look into: the one in the list, on the map, in the table or in the link; at first the most used."""
    order = [int(number) for number in table.sort_values("images", ascending=False, kind="stable").index]
    state.say_unknown(CHOICE, {str(number) for number in order}, f"prototype {order[0]}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            "Prototype", order, key=CHOICE, bind="query-params", width=160,
            help="Most used first. A click on a star, or on a row of the table, chooses one too.",
        )  # fmt: skip
        st.markdown(
            _sentence(table.loc[number], int(number), titles),
            help="Entropy is 0 where all labels are the same, and the logarithm of their number where all are equally "
            "frequent. In brackets: 95% interval (Wilson).",
        )
    return int(number)


def _sentence(row: pd.Series, number: int, titles: dict[str, str]) -> str:
    if row["dead"]:
        return f"No image is assigned to prototype {number}: it is dead. Its nearest images are shown all the same."
    count = int(row["images"])
    images = f"**{count:,} {'image' if count == 1 else 'images'}**"
    lone = ""
    if isinstance(row["only"], str):
        chance = f"by chance {100 * row['only_p']:.2g}%" if np.isfinite(row["only_p"]) else ""
        told = "" if row["only_beyond_chance"] else ", which so few do easily" if count < 10 else ""
        lone = f" All are of {titles[row['only']]} ({chance}{told})."
    if pd.isna(row["purity"]):
        return f"{images}, none of them labelled.{lone}"
    return (
        f"{images}; {100 * row['purity']:.0f}% [{100 * row['purity_low']:.0f}, {100 * row['purity_high']:.0f}] of the "
        f"{int(row['labelled']):,} labelled ones are **{row['label']}**. Entropy of labels: {row['label_entropy']:.2f} "
        f"nats.{lone}"
    )
