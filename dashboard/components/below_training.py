"""Where validation loss lies below training loss, and why that may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.charts.generalisation import generalisation_figure
from dashboard.components import picture
from dashboard.components.notice import explain
from rice_ssl.errors import ArtifactError


def draw(document: Any, remake: str = "") -> None:
    """The finding, and behind it the figure and the causes; one sentence where they cannot be read.

    Args:
        document: ``generalisation`` of dynamics.json.
        remake: command that makes it anew.
    """
    st.subheader("Validation below training")
    try:
        sentence = str(document["sentence"])
        figure = generalisation_figure(document) if document["stretches"] else None
        causes = [_told(cause) for cause in document["causes"]]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        told = f" Make it anew with `{remake}`." if remake else ""
        explain(ArtifactError(f"dynamics.json lacks what is shown here.{told}"))
        return
    st.markdown(sentence)
    if figure is None:
        return
    with st.expander("Figure and causes", icon=":material/stacked_line_chart:"):
        picture.draw(
            figure,
            key="generalisation_figure",
            filename="validation-below-training",
            alt="Training and validation loss, with the stretches in which validation lies below",
        )
        for cause in causes:
            st.markdown(f"- {cause}")


def _told(cause: Mapping[str, Any]) -> str:
    return f"{cause['sentence']} To settle it: {cause['settle']}" if cause.get("settle") else str(cause["sentence"])
