"""Prototypes: what self-supervision grouped together, and whether it groups the two images of a pair."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import access, prototype_data, state
from dashboard.access import RunKey
from dashboard.components import (
    prototype_flow,
    prototype_history,
    prototype_images,
    prototype_list,
    prototype_map,
    prototype_pair,
    prototype_selection,
    prototype_summary,
)
from dashboard.components.notice import explain
from rice_ssl.errors import ArtifactError

PARTS = {
    "prototypes": "Prototypes",
    "flow": "Flow between sensors",
    "pair": "One pair",
    "training": "Over training",
}
_PART = "prototypes_part"


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Prototypes")
    table = prototype_data.prototypes(run)
    prototype_summary.draw(run)
    prototype_selection.draw(run)
    part = _choose_part()
    if part == "prototypes":
        prototype_list.draw(run, table)
        st.subheader("Prototypes among the images")
    number = prototype_list.choose(table, access.titles(run))
    if part == "prototypes":
        _look_into(run, table, number)
    elif part == "flow":
        prototype_flow.draw(run, number)
    elif part == "pair":
        prototype_pair.draw(run, table)
    else:
        prototype_history.draw(run, number)


def _choose_part() -> str:
    """What is shown below the figures: at first the prototypes; a pair where the link names one and no part."""
    default = "pair" if "pair" in st.query_params and _PART not in st.query_params else "prototypes"
    state.say_unknown(_PART, list(PARTS.values()), PARTS[default])
    part = st.segmented_control(
        "Show", list(PARTS), default=default, required=True, key=_PART, bind="query-params",
        format_func=PARTS.__getitem__,
    )  # fmt: skip
    return str(part)


def _look_into(run: RunKey, table: pd.DataFrame, number: int) -> None:
    """The chosen prototype: on the map, and by its nearest images."""
    left, right = st.columns([3, 2], gap="medium")
    try:
        with left:
            prototype_map.draw(run, table, number)
    except ArtifactError as error:
        with left:
            explain(error)
        prototype_images.draw(run, number, columns=prototype_images.NEAREST)
    else:
        with right:
            prototype_images.draw(run, number, columns=prototype_images.NEAREST // 2)
    if len(access.sensors(run)) > 1:
        prototype_images.elsewhere(run, number)
