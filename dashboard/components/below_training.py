"""Where validation loss lies below training loss, and why that may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.charts.generalisation import generalisation_figure


def draw(document: Mapping[str, Any]) -> None:
    """The finding, and behind it the figure and the causes.

    Args:
        document: ``generalisation`` of dynamics.json.
    """
    st.subheader("Validation below training")
    st.markdown(str(document["sentence"]))
    if not document["stretches"]:
        return
    with st.expander("Figure and causes", icon=":material/stacked_line_chart:"):
        st.plotly_chart(
            generalisation_figure(document),
            key="generalisation_figure",
            config={"displaylogo": False},
            alt="Training and validation loss, with the stretches in which validation lies below",
        )
        for cause in document["causes"]:
            settle = f" To settle it: {cause['settle']}" if cause.get("settle") else ""
            st.markdown(f"- {cause['sentence']}{settle}")
