"""The dashboard: ``streamlit run dashboard/app.py [-- --run DIR]``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

if str(Path(__file__).resolve().parent.parent) not in sys.path:  # started from a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dashboard import access
from dashboard.command_line import offered_runs
from dashboard.components import about_run
from dashboard.components.notice import guarded
from dashboard.components.words import plain
from dashboard.screens import (
    ablation,
    attribution,
    leaf,
    map,
    overview,
    prototypes,
    runs,
    sensors,
    similar,
    training,
    upload,
)
from rice_ssl.errors import RiceSSLError

ICON = (
    Path(__file__).resolve().parent.parent / "assets" / "icon.png"
)  # a file: a named icon is fetched from a font server
# Screens that also show what is not of the open run: where they speak of it, they say themselves what holds for it.
OTHERS = ("Sensors", "Runs", "Training", "Ablation")
SCREENS = (
    ("Overview", overview.page, ":material/dashboard:"),
    ("Leaf", leaf.page, ":material/eco:"),
    ("Similar leaves", similar.page, ":material/image_search:"),
    ("Upload", upload.page, ":material/upload:"),
    ("Sensors", sensors.page, ":material/compare:"),
    ("Attribution", attribution.page, ":material/center_focus_strong:"),
    ("Runs", runs.page, ":material/difference:"),
    ("Map", map.page, ":material/scatter_plot:"),
    ("Prototypes", prototypes.page, ":material/category:"),
    ("Training", training.page, ":material/show_chart:"),
    ("Ablation", ablation.page, ":material/compare_arrows:"),
)


def main() -> None:
    """Draw the navigation, what is said on every screen, and the screen."""
    st.set_page_config(page_title="rice_ssl", page_icon=ICON.as_posix(), layout="wide")
    first, *others = SCREENS
    pages = {first[0].lower(): st.Page(guarded(first[1]), title=first[0], icon=first[2], default=True)}
    for title, page, icon in others:
        path = title.split()[0].lower()
        pages[path] = st.Page(guarded(page), title=title, icon=icon, url_path=path)
    st.session_state["pages"] = pages
    by_name = _by_name(first[0], pages)
    chosen = st.navigation([*pages.values(), by_name])
    if chosen.url_path == by_name.url_path:
        chosen.run()  # goes to the first screen; before a widget is bound to what the link says, which goes with it
    _about_run(badges=chosen.title not in OTHERS)
    chosen.run()


def _by_name(title: str, pages: Mapping[str, Any]) -> Any:
    """The first screen by its own name: Streamlit serves a default page at the bare address alone."""

    def go() -> None:
        st.switch_page(pages[title.lower()], query_params=st.query_params.to_dict())

    return st.Page(go, title=title, url_path=title.lower(), visibility="hidden")


def _about_run(*, badges: bool) -> None:
    """Which run this is, a choice where several are offered, and badges where its data or weights are simulated."""
    runs = offered_runs()
    with st.sidebar:
        if len(runs) > 1:
            names = _told_apart([run.name for run in runs])
            st.selectbox("Run", range(len(runs)), format_func=names.__getitem__, key="run", bind="query-params")
        try:
            run = access.current_run()
            info, other = access.info(run), access.weights_from(run)
        except RiceSSLError:
            return
        st.caption(f"Run **{plain(info.get('name', runs[0].name))}**")
        if other:
            st.caption(f"Weights of the run **{plain(other)}**")
    if badges:
        about_run.badges(run)


def _told_apart(names: list[str]) -> list[str]:
    """Names, numbered where one is there more than once."""
    return [
        name if names.count(name) == 1 else f"{name} ({names[: number + 1].count(name)})"
        for number, name in enumerate(names)
    ]


main()
