"""Map: every image as a point, both sensors in one fit; what is drawn around some of them is shown beside it."""

from __future__ import annotations

import streamlit as st

from dashboard import access, selection
from dashboard.components import map_controls, map_in_space, map_neighbourhoods, map_picture, map_selection
from dashboard.map_filtering import take_filters


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Map")
    take_filters(run)
    selection.recall(run, filters=False)
    shown = map_controls.pick(run)
    selection.shape_in_link(run)  # says what the link names in vain, before a fragment asks
    left, right = st.columns([5, 2], gap="medium")
    below, apart = st.container(), st.container(gap=None)
    with left:
        if shown.key.dimensions == 3:
            map_in_space.show(run, shown)
        else:
            map_picture.show(run, shown, apart)
    with right:
        map_picture.fragment(map_selection.show, map_picture.PANEL)(run, shown, map_picture.fragments(shown))
    with below:
        map_neighbourhoods.show(run, shown.key)
    selection.keep(run, shown.filters)
