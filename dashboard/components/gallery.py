"""Thumbnails of pairs, each a way to its leaf."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    more: Callable[[str, str], None] | None = None,
) -> None:
    """Draw a grid of images with a button that opens the leaf.

    Args:
        run: the run.
        entries: (pair_id, sensor) of each image; all are looked up at once.
        key: unique on the screen.
        captions: line under each image.
        columns: images in a row, at most; a narrow screen takes fewer.
        together: images in sequence that always stay in one row, those of a pair say: a pair has one button.
        more: what a second button of each image does, which asks for images like it; it gets pair_id and sensor.

    Raises:
        ArtifactError: the run's thumbnails are not there, or cannot be read.
    """
    pictures = access.thumbnails(run, entries)
    grid = st.grid(max(1, columns // together), min_column_width=NARROWEST * together, gap="xsmall")
    for start in range(0, len(entries), together):
        part = range(start, min(start + together, len(entries)))
        of_one_pair = together > 1 and len({entries[position][0] for position in part}) == 1
        cell = grid.container(gap="xsmall") if together > 1 else grid
        group = cell.grid(together, min_column_width=NARROWEST // 2, gap="xsmall") if together > 1 else grid
        for position in part:
            with group.container(gap="xsmall"):
                _image(run, entries[position], pictures[position], captions.get(entries[position], ""))
                with st.container(horizontal=True, gap="xsmall"):
                    if not of_one_pair:
                        _open_button(entries[position], f"{key}-{position}")
                    if more is not None:
                        _more_button(run, entries[position], f"{key}-{position}", more)
        if of_one_pair:
            with cell:
                _open_button(entries[start], f"{key}-{start}")


def _image(run: RunKey, entry: tuple[str, str], picture: bytes | None, caption: str) -> None:
    pair_id, sensor = entry
    if picture is None:
        st.caption("no image")
    else:
        st.image(picture, width="stretch", alt=f"{access.titles(run)[sensor]} image of {pair_id}")
    st.caption(caption)


def _open_button(entry: tuple[str, str], key: str) -> None:
    pair_id, sensor = entry
    if st.button(
        pair_id[-8:], icon=":material/eco:", key=f"{key}-{sensor}", help=f"Open leaf {pair_id}", type="tertiary"
    ):
        state.open_screen("leaf", pair=pair_id)


def _more_button(run: RunKey, entry: tuple[str, str], key: str, more: Callable[[str, str], None]) -> None:
    pair_id, sensor = entry
    st.button(
        "More", key=f"{key}-{sensor}-more", type="tertiary", on_click=more, args=entry,
        help=f"More like the {access.titles(run)[sensor]} image of {pair_id}",
    )  # fmt: skip
