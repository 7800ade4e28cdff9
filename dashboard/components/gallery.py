"""Thumbnails of pairs, each a way to its leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey


def gallery(
    run: RunKey,
    entries: Sequence[tuple[str, str]],
    *,
    key: str,
    captions: Mapping[tuple[str, str], str],
    columns: int = 6,
) -> None:
    """Draw a grid of images with a button that opens the leaf.

    Args:
        run: the run.
        entries: (pair_id, sensor) of each image.
        key: unique on the screen.
        captions: line under each image.
        columns: images in a row.
    """
    for start in range(0, len(entries), columns):
        for position, (column, (pair_id, sensor)) in enumerate(
            zip(st.columns(columns, gap="small"), entries[start : start + columns], strict=False)
        ):
            with column:
                picture = access.thumbnail(run, pair_id, sensor)
                if picture is None:
                    st.caption("no picture")
                else:
                    st.image(picture, width="stretch", alt=f"{sensor} image of {pair_id}")
                st.caption(captions.get((pair_id, sensor), ""))
                if st.button(
                    pair_id[-8:], key=f"{key}-{start + position}-{sensor}", help=f"Open leaf {pair_id}", type="tertiary"
                ):
                    state.open_screen("leaf", pair=pair_id)
