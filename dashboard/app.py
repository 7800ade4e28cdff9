"""The dashboard: ``streamlit run dashboard/app.py [-- --run DIR]``."""

from __future__ import annotations

import sys
from pathlib import Path

import streamlit as st

if str(Path(__file__).resolve().parent.parent) not in sys.path:  # started from a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dashboard import access
from dashboard.components.notice import guarded
from dashboard.screens import leaf, map, overview, prototypes, sensors, training
from rice_ssl.errors import RiceSSLError

ICON = (
    Path(__file__).resolve().parent.parent / "assets" / "icon.png"
)  # a file: a named icon is fetched from a font server
SCREENS = (
    ("Overview", overview.page, ":material/dashboard:"),
    ("Leaf", leaf.page, ":material/eco:"),
    ("Sensors", sensors.page, ":material/compare:"),
    ("Map", map.page, ":material/scatter_plot:"),
    ("Prototypes", prototypes.page, ":material/category:"),
    ("Training", training.page, ":material/show_chart:"),
)


def main() -> None:
    """Draw the navigation, what is said on every screen, and the screen."""
    st.set_page_config(page_title="rice_ssl", page_icon=ICON.as_posix(), layout="wide")
    pages = [
        st.Page(guarded(page), title=title, icon=icon, url_path=title.lower(), default=title == "Overview")
        for title, page, icon in SCREENS
    ]
    st.session_state["pages"] = {title.lower(): page for (title, _, _), page in zip(SCREENS, pages, strict=True)}
    chosen = st.navigation(pages)
    _about_run()
    chosen.run()


def _about_run() -> None:
    """Which run this is, a choice where several are offered, and a badge where its data is simulated."""
    runs = access.offered_runs()
    with st.sidebar:
        if len(runs) > 1:
            st.selectbox("Run", range(len(runs)), format_func=lambda number: runs[number].name, key="run_number")
        try:
            info = access.info(access.current_run())
        except RiceSSLError:
            return
        st.caption(f"Run **{info.get('name', runs[0].name)}**")
        if info.get("weights_from"):
            st.caption(f"Weights of the run {info['weights_from']}")
    if info.get("simulated"):
        st.badge("Simulated data: no picture here is a photograph", icon=":material/science:", color="orange")


main()
