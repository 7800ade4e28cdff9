"""What the URL holds: checked against what is there, never trusted."""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st


def chosen(name: str, known: Collection[str], default: str) -> str:
    """Value of a query parameter if it is a known one, else the default, with a notice where it was something else."""
    value = st.query_params.get(name)
    if value is None or value in known:
        return default if value is None else value
    st.info(f"The link names {name} {value[:60]!r}, which this run does not have; showing {default} instead.")
    return default


def open_screen(screen: str, **query: str) -> None:
    """Go to another screen with these query parameters."""
    pages = st.session_state.get("pages", {})
    if screen in pages:
        st.switch_page(pages[screen], query_params=query)
