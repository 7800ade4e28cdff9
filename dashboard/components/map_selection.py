"""What is selected on the map: kept until a new selection, and shown with its images.

Streamlit draws a chart anew, without its selection, whenever the figure changes (another colour, lines). So the ids are
kept here, and a figure that is made anew marks them.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from dashboard.components import evidence_export
from dashboard.components.gallery import gallery
from dashboard.components.words import NO_LABEL

SHOWN = 12
_CHOSEN, _MARKED, _CLEARED = "map_chosen", "map_marked", "map_cleared"


def _key() -> str:
    return f"map_chart_{st.session_state.get(_CLEARED, 0)}"


def marked(figure_of: Hashable) -> tuple[str, ...]:
    """Pair ids that a new figure has to mark as selected.

    Args:
        figure_of: all else that the figure depends on. While it stays the same, so does the answer, and the chart keeps
            what the user draws on it.
    """
    before = st.session_state.get(_MARKED)
    if before is None or before[0] != figure_of or _key() not in st.session_state:
        before = st.session_state[_MARKED] = (figure_of, tuple(st.session_state.get(_CHOSEN, ())))
    return before[1]


def selectable(figure: Any, *, alt: str) -> None:
    """Draw a map on which points can be selected."""
    st.plotly_chart(figure, key=_key(), on_select=_select, alt=alt)


def _select() -> None:
    points = st.session_state[_key()]["selection"]["points"]
    found = [str(point["customdata"][0]) for point in points if point.get("customdata")]
    st.session_state[_CHOSEN] = list(dict.fromkeys(found))


def _clear() -> None:
    st.session_state[_CHOSEN] = []
    st.session_state[_MARKED] = None
    st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1  # another key: the chart forgets its selection


def show(run: RunKey, points: pd.DataFrame) -> None:
    """Images of the selected pairs, and what they are.

    Args:
        run: the run.
        points: all points of the map, columns pair_id, sensor, label, and prediction where there are some.
    """
    part = points[points["pair_id"].isin(st.session_state.get(_CHOSEN, ()))]
    chosen = part["pair_id"].unique()
    if not len(chosen):
        st.markdown("**Selection**")
        st.caption("Draw a lasso or a box around points to see their images.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(chosen):,} pairs selected**", width="content")
        st.button("Clear", key="map_clear", type="tertiary", icon=":material/close:", on_click=_clear)
    with st.container(horizontal=True, gap="xsmall"):
        for label, count in part.drop_duplicates("pair_id")["label"].value_counts().items():
            st.badge(f"{label}: {count}", color="gray")
    with st.container(horizontal=True):
        st.download_button(
            "Save the ids as CSV", pd.DataFrame({"pair_id": chosen}).to_csv(index=False), "selection.csv", "text/csv",
            icon=":material/download:",
        )  # fmt: skip
        evidence_export.export_button(run, [str(pair_id) for pair_id in chosen], key="map_export")
    titles, names = access.titles(run), access.sensors(run)
    drawn = np.random.default_rng(0).permutation(chosen)[:SHOWN]
    with st.container(height=400, border=False):
        entries = [(str(pair_id), sensor) for pair_id in drawn for sensor in names]
        gallery(
            run, entries, key="selected", captions=_captions(part, titles), columns=2 * len(names), together=len(names)
        )
    if len(chosen) > SHOWN:
        st.caption(f"{SHOWN} of them are shown, drawn at random.")


def _captions(part: pd.DataFrame, titles: dict[str, str]) -> dict[tuple[str, str], str]:
    """Sensor, label and prediction of each image."""
    found = {}
    for row in part.itertuples(index=False):
        said = row.label if row.label == NO_LABEL else f"label {row.label}"
        predicted = f", predicted {row.prediction}" if hasattr(row, "prediction") else ""
        found[row.pair_id, row.sensor] = f"{titles[row.sensor]} · {said}{predicted}"
    return found
