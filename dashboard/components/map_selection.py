"""What is selected on the map, beside it: how much, of which labels and prototypes, some of it, and ways onward."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard import access, map_columns, map_points, selection, state
from dashboard.access import RunKey
from dashboard.components import evidence_export
from dashboard.components.gallery import gallery
from dashboard.components.map_colouring import texts_of
from dashboard.components.map_controls import Shown
from dashboard.components.map_words import map_title, value_text
from dashboard.components.notice import explain
from dashboard.components.pair_picker import SELECTED, SHOW
from dashboard.components.words import NO_LABEL, plain
from dashboard.map_filtering import Filters
from dashboard.map_points import MapKey
from dashboard.selection import Shape
from rice_ssl.errors import ArtifactError

SHOWN, MOST_PROTOTYPES, MOST_LABELS = 6, 8, 12
"""Pairs drawn, prototypes and labels named, at most."""
Rows = npt.NDArray[np.intp]


def show(run: RunKey, shown: Shown, fragments: Sequence[str]) -> None:
    """Draw the panel.

    Args:
        run: the run.
        shown: what the controls ask for.
        fragments: keys of those that show a selection, to be drawn anew when it is cleared.
    """
    _chosen_pair(run, shown.key, fragments)
    shape = selection.shape_in_link(run)
    if shape is None:
        st.markdown("**Selection**")
        st.caption("Draw a lasso or a box around points to see their images.")
        return
    rows = selection.rows_of_shape(run, shape, shown.filters)
    pairs = selection.pairs_of(run, shape.on, rows)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(pairs):,} {'pair' if len(pairs) == 1 else 'pairs'} selected**", width="content")
        st.button(
            "Clear",
            key="map_clear",
            type="tertiary",
            icon=":material/close:",
            on_click=_clear,
            args=(run, shown, fragments),
        )
    where = "" if shape.on == shown.key else f", drawn on {map_title(shape.on)} and marked here"
    st.caption(f"{len(rows):,} {'image' if len(rows) == 1 else 'images'}{where}")
    if not len(rows):
        st.info("No image inside the shape passes the filters.")
        return
    _mix(run, shape.on, rows)
    _onward(run, shape, shown.filters, rows, pairs)
    _some(run, shape.on, pairs)


def _clear(run: RunKey, shown: Shown, fragments: Sequence[str]) -> None:
    selection.choose(run, None, shown.filters)
    st.rerun(fragments)


def _forget_pair(fragments: Sequence[str]) -> None:
    st.query_params.pop("pair", None)
    st.rerun(fragments)


def _chosen_pair(run: RunKey, key: MapKey, fragments: Sequence[str]) -> None:
    """The pair that was clicked, or that a link names, with a way to its leaf."""
    pair_id = st.query_params.get("pair")
    if pair_id is None:
        return
    rows = map_points.rows_of(run, key, [pair_id])
    if not len(rows):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(pair_id)}**", width="content")
        st.button(
            "Close", key="map_forget_pair", type="tertiary", icon=":material/close:", on_click=_forget_pair,
            args=(fragments,),
        )  # fmt: skip
    sensors = map_points.points(run, key)["sensor"].iloc[rows].astype(str).tolist()
    entries = [(pair_id, sensor) for sensor in sensors]
    _gallery(run, key, entries, rows.tolist(), key_of="chosen", together=len(sensors))


def _mix(run: RunKey, key: MapKey, rows: Rows) -> None:
    """Labels of the selected pairs and prototypes of the selected images, each with its count."""
    names = map_columns.names(run)
    if "label" in names:
        counts = _counts(run, key, "label", selection.one_of_each_pair(run, key, rows))
        total = sum(count for _, count in counts) or 1
        with st.container(horizontal=True, gap="xsmall"):
            for text, count in counts[:MOST_LABELS]:
                st.badge(f"{plain(text)}: {count:,} ({100 * count / total:.0f}%)", color="gray")
            if len(counts) > MOST_LABELS:
                st.caption(f"and {len(counts) - MOST_LABELS:,} more labels", width="content")
    if "prototype" in names:
        counts = _counts(run, key, "prototype", rows)
        if not counts:
            return
        st.caption(f"{len(counts):,} {'prototype' if len(counts) == 1 else 'prototypes'} (number: images)")
        with st.container(horizontal=True, gap="xsmall"):
            for text, count in counts[:MOST_PROTOTYPES]:
                said = f"{text}: {count:,}"
                if st.button(said, key=f"map_prototype_{text}", type="tertiary", help=f"Open prototype {text}"):
                    state.open_screen("prototypes", prototype=text)
            if len(counts) > MOST_PROTOTYPES:
                st.caption(f"and {len(counts) - MOST_PROTOTYPES:,} more", width="content")


def _counts(run: RunKey, key: MapKey, name: str, rows: Rows) -> list[tuple[str, int]]:
    """Values of a category column among some points, the most frequent first."""
    column = map_columns.column(run, key, name)
    codes = column.cat.codes.to_numpy()[rows]
    found = np.bincount(codes[codes >= 0], minlength=len(column.cat.categories))
    order = np.argsort(-found, kind="stable")[: int((found > 0).sum())]
    return [(value_text(run, name, column.cat.categories[code]), int(found[code])) for code in order]


def _onward(run: RunKey, shape: Shape, filters: Filters, rows: Rows, pairs: pd.Index) -> None:
    """To other screens, and out as files."""
    with st.container(horizontal=True, gap="small"):
        if st.button(
            "Open on Leaf", key="map_leaf", icon=":material/eco:", type="tertiary", help="Step through the pairs."
        ):
            state.open_screen("leaf", pair=str(pairs[0]), leaf_show=SHOW[SELECTED], **selection.link(run, filters))
        if st.button(
            "Similar leaves", key="map_similar", icon=":material/image_search:", type="tertiary",
            help="Search for images near to the mean of the selected ones.",
        ):  # fmt: skip
            state.open_screen("similar", **selection.link(run, filters))
        with st.popover("Save", icon=":material/save:", key="map_save"):
            st.download_button(
                "Ids of the pairs (CSV)", _ids(pairs), "selection.csv", "text/csv", key="map_csv", on_click="ignore",
                width="stretch",
            )  # fmt: skip
            st.download_button(
                "Rows of the images (CSV)", _images(run, shape.on, rows), "selected-images.csv", "text/csv",
                key="map_images_csv", on_click="ignore", width="stretch",
            )  # fmt: skip
        evidence_export.export_button(run, pairs.tolist(), key="map_export")


def _ids(pairs: pd.Index) -> Callable[[], bytes]:
    return lambda: pd.DataFrame({"pair_id": pairs}).to_csv(index=False).encode()


def _images(run: RunKey, key: MapKey, rows: Rows) -> Callable[[], bytes]:
    """The selected points with their places and every column that points can be coloured by."""
    columns = map_columns.columns(run)  # not in the thread that serves the file

    def make() -> bytes:
        table = map_points.points(run, key).iloc[rows].copy()
        for column in columns:
            if column.name not in table:
                table[column.name] = map_columns.column(run, key, column.name).iloc[rows]
        return table.to_csv(index=False).encode()

    return make


def _some(run: RunKey, key: MapKey, pairs: pd.Index) -> None:
    """Images of a few selected pairs, drawn at random, the same ones for the same selection."""
    drawn = pairs[np.sort(np.random.default_rng(0).choice(len(pairs), min(SHOWN, len(pairs)), replace=False))]
    rows = map_points.rows_of(run, key, list(drawn))
    found = map_points.points(run, key).iloc[rows]
    there = {
        (pair_id, sensor): row
        for pair_id, sensor, row in zip(found["pair_id"].astype(str), found["sensor"].astype(str), rows, strict=True)
    }
    sensors = access.sensors(run)
    entries = [(str(pair_id), sensor) for pair_id in drawn for sensor in sensors]
    with st.container(height=420, border=False):
        order = [int(there.get(entry, -1)) for entry in entries]
        _gallery(run, key, entries, order, key_of="selected", together=len(sensors))
    if len(pairs) > SHOWN:
        st.caption(f"{SHOWN} of them are shown, drawn at random.")


def _gallery(
    run: RunKey, key: MapKey, entries: list[tuple[str, str]], rows: list[int], *, key_of: str, together: int
) -> None:
    """Images with what is said of them; ``rows`` are their points, -1 for one that is not on the map."""
    titles, captions = access.titles(run), {}
    found = texts_of(run, key, ("label", "prediction"), rows)
    for entry, row, texts in zip(entries, rows, found, strict=True):
        label = texts.get("label", "")
        said = [f"label {label}" if label and label != NO_LABEL else label, f"predicted {texts.get('prediction')}"]
        said = [text for text, there in zip(said, ("label" in texts, "prediction" in texts), strict=True) if there]
        where = [titles[entry[1]], ", ".join(said) if row >= 0 else "not on the map"]
        captions[entry] = " · ".join(text for text in where if text)
    try:
        gallery(run, entries, key=key_of, captions=captions, columns=2 * together, together=together)
    except ArtifactError as error:
        explain(error)
