"""Choose a pair: search, filters, next and previous; the choice is in the URL."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard import state
from dashboard.components.words import SPLITS

ALL, SELECTED = "all", "selected"
SHOW = {
    ALL: "all pairs",
    "disagree": "sensors disagree",
    "wrong": "joint prediction is wrong",
    SELECTED: "selected on the map",
}
_JUMP, _LAST = "leaf_jump", "leaf_last"


def pick_pair(pairs: pd.DataFrame, selected: pd.Index | None = None) -> str | None:
    """Draw the controls and give the pair chosen; None where the filters leave none.

    A pair that a link names is shown even where the filters leave it out; a change of filter that leaves it out goes to
    the first pair that is left.

    Args:
        pairs: see :func:`dashboard.access.pairs`.
        selected: ids of the pairs that are selected on the map; None where nothing is.
    """
    state.say_unknown("pair", pairs.index)
    before = st.session_state.get(_LAST)
    asked = state.pair_in_link(pairs.index) or (before if before in pairs.index else None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = _filter("Label", [ALL, *sorted(pairs["label"].dropna().unique())], width=140)
        split = _filter("Split", [ALL, *(split for split in SPLITS if (pairs["split"] == split).any())], width=130)
        kinds = {ALL: True, "disagree": "agree" in pairs, "wrong": "both_correct" in pairs}
        kinds[SELECTED] = selected is not None
        show = _filter("Show", [kind for kind, there in kinds.items() if there], width=200)
        search = st.text_input(
            "Search id", key="leaf_search", bind="query-params", placeholder="part of an id", width=150,
            on_change=_jump,
        )  # fmt: skip
        keep = _filtered(pairs, label, split, show, search.strip())
        if show == SELECTED and selected is not None:
            keep &= pairs.index.isin(selected)
        kept = pairs.index[keep]
        jump = st.session_state.pop(_JUMP, False)
        if not len(kept):
            st.info("No pair fits these filters. Set one of them back to all.")
            return None
        place = None if asked is None else int(pairs.index.get_loc(asked))
        outside = place is not None and not keep[place] and not jump
        position = int(keep[:place].sum()) if place is not None and keep[place] else 0
        pair_id = str(asked if outside else kept[position])
        with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
            _step_button("Previous", ":material/chevron_left:", kept, position - 1, enabled=not outside)
            _step_button("Next", ":material/chevron_right:", kept, position if outside else position + 1)
            st.caption(f"outside the filters ({len(kept):,})" if outside else f"{position + 1} of {len(kept):,}")
    if (asked is not None or "pair" in st.query_params) and st.query_params.get("pair") != pair_id:
        state.choose_pair(pair_id)
    st.session_state[_LAST] = pair_id
    return pair_id


def _filter(title: str, options: list[str], *, width: int) -> str:
    key = f"leaf_{title.lower()}"
    words = {"Show": SHOW, "Split": {ALL: ALL, **SPLITS}}.get(title, {})
    texts = {option: words.get(option, option) for option in options}
    state.say_unknown(key, set(texts.values()), texts[ALL])
    chosen = st.selectbox(
        title, options, format_func=texts.__getitem__, key=key, bind="query-params", width=width, on_change=_jump
    )
    return str(chosen)


def _jump() -> None:
    st.session_state[_JUMP] = True


def _step_button(title: str, icon: str, kept: pd.Index, target: int, *, enabled: bool = True) -> None:
    there = enabled and 0 <= target < len(kept)
    st.button(
        title, icon=icon, key=f"leaf_{title.lower()}", disabled=not there, on_click=state.choose_pair,
        args=(str(kept[target if there else 0]),),
    )  # fmt: skip


def _filtered(pairs: pd.DataFrame, label: str, split: str, show: str, search: str) -> npt.NDArray[np.bool_]:
    """Which pairs fit, shape (P,)."""
    keep = np.ones(len(pairs), dtype=bool)
    if label != ALL:
        keep &= (pairs["label"] == label).to_numpy(dtype=bool, na_value=False)
    if split != ALL:
        keep &= (pairs["split"] == split).to_numpy(dtype=bool, na_value=False)
    if show == "disagree":
        keep &= ~pairs["agree"].fillna(True).to_numpy(dtype=bool)
    if show == "wrong":
        keep &= ~pairs["both_correct"].fillna(True).to_numpy(dtype=bool)
    if search:
        keep &= pairs.index.str.contains(search, case=False, regex=False)
    return keep
