"""Thumbnails of pairs, each a way to its leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey

NARROWEST = 72
"""Pixels of an image below which a row takes fewer; a phone of 420 pixels has room for four."""


def gallery(
    run: RunKey,
    entries: Sequence[tuple[str, str]],
    *,
    key: str,
    captions: Mapping[tuple[str, str], str],
    columns: int = 6,
    together: int = 1,
) -> None:
    """Draw a grid of images with a button that opens the leaf.

    Args:
        run: the run.
        entries: (pair_id, sensor) of each image.
        key: unique on the screen.
        captions: line under each image.
        columns: images in a row, at most; a narrow screen takes fewer.
        together: images in sequence that always stay in one row, those of a pair say.
    """
    grid = st.grid(max(1, columns // together), min_column_width=NARROWEST * together, gap="xsmall")
    for start in range(0, len(entries), together):
        group = grid.grid(together, min_column_width=NARROWEST // 2, gap="xsmall") if together > 1 else grid
        for position, entry in enumerate(entries[start : start + together], start=start):
            with group.container(gap="xsmall"):
                _image(run, entry, f"{key}-{position}", captions.get(entry, ""))


def _image(run: RunKey, entry: tuple[str, str], key: str, caption: str) -> None:
    pair_id, sensor = entry
    picture = access.thumbnail(run, pair_id, sensor)
    if picture is None:
        st.caption("no image")
    else:
        st.image(picture, width="stretch", alt=f"{access.titles(run)[sensor]} image of {pair_id}")
    st.caption(caption)
    if st.button(pair_id[-8:], key=f"{key}-{sensor}", help=f"Open leaf {pair_id}", type="tertiary"):
        state.open_screen("leaf", pair=pair_id)
