"""Choose a pair: search, filters, next and previous; the choice is in the URL."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import state

ALL = "all"
SHOW = {
    ALL: "All pairs",
    "disagree": "Sensors disagree",
    "wrong": "Wrong with both sensors",
}


def pick_pair(pairs: pd.DataFrame) -> str | None:
    """Draw the controls and give the pair chosen; None where the filters leave none.

    Args:
        pairs: see :func:`dashboard.access.pairs`.
    """
    asked = state.chosen("pair", pairs.index, "") if len(pairs) else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = sorted(pairs["label"].dropna().unique())
        label = st.selectbox("Label", [ALL, *labels], key="leaf_label", bind="query-params", width=150)
        split = st.selectbox(
            "Split", [ALL, *sorted(pairs["split"].unique())], key="leaf_split", bind="query-params", width=120
        )
        offered = [ALL] + (["disagree"] if "agree" in pairs else []) + (["wrong"] if "both_correct" in pairs else [])
        show = st.selectbox(
            "Show", offered, format_func=SHOW.__getitem__, key="leaf_show", bind="query-params", width=210
        )
        search = st.text_input(
            "Search id", key="leaf_search", bind="query-params", placeholder="part of an id", width=170
        )
        kept = _filtered(pairs, label, split, show, search.strip())
        if not kept:
            st.info("No pair fits these filters. Set one of them back to all.")
            return None
        current = asked if asked in kept else ""
        if asked and not current:
            st.caption(f"{asked} is outside these filters")
        position = kept.index(current) if current else 0
        if st.button("Previous", icon=":material/chevron_left:", disabled=position == 0, key="leaf_previous"):
            position -= 1
        if st.button("Next", icon=":material/chevron_right:", disabled=position == len(kept) - 1, key="leaf_next"):
            position += 1
        st.caption(f"{position + 1} of {len(kept):,}")
    pair_id = kept[position]
    if pair_id != asked:
        st.query_params["pair"] = pair_id
    return pair_id


def _filtered(pairs: pd.DataFrame, label: str, split: str, show: str, search: str) -> list[str]:
    keep = pd.Series(True, index=pairs.index)
    if label != ALL:
        keep &= pairs["label"] == label
    if split != ALL:
        keep &= pairs["split"] == split
    if show == "disagree":
        keep &= ~pairs["agree"].fillna(True).astype(bool)
    if show == "wrong":
        keep &= ~pairs["both_correct"].fillna(True).astype(bool)
    if search:
        keep &= pairs.index.str.contains(search, case=False, regex=False)
    return [str(pair_id) for pair_id in pairs.index[keep]]
