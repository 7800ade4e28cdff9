"""A map in three dimensions: to turn and look at, not to select on."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard import access, map_columns, map_points, selection
from dashboard.access import RunKey
from dashboard.charts.map import MOST_POINTS, drawn_sample, map_in_space
from dashboard.charts.map_colours import Colouring
from dashboard.components import map_quality
from dashboard.components.map_colouring import colouring
from dashboard.components.map_controls import Shown
from dashboard.components.words import plain
from dashboard.map_filtering import kept

HEIGHT = 520


def show(run: RunKey, shown: Shown) -> None:
    """Draw the map, or a sample of it that is named, with how far it may be believed."""
    key, names = shown.key, map_columns.names(run)
    found, painted = map_points.points(run, key), colouring(run, key, shown.colour)
    rows = drawn_sample(len(found))
    drawn = found.iloc[rows]
    chosen = _selected(run, shown)[rows]
    titles = access.titles(run)
    sensors = drawn["sensor"].astype(str)
    hover = [f"{pair} · {titles.get(own, own)}" for pair, own in zip(drawn["pair_id"], sensors, strict=True)]
    if "label" in names:
        labels = map_columns.column(run, key, "label").iloc[rows].astype(str)
        hover = [f"{text}<br>{plain(label)}" for text, label in zip(hover, labels, strict=True)]
    said = ["Drag to turn, scroll to zoom. Nothing can be selected here: lasso and box are for maps in two dimensions."]
    if len(rows) < len(found):
        said.insert(0, f"{MOST_POINTS:,} of {len(found):,} images, drawn at random with seed 0.")
    st.caption(" ".join(said))
    if painted.scale is not None:
        st.caption(f"Colour from {painted.scale[0]} (dark) to {painted.scale[1]} (bright).")
    figure = map_in_space(
        drawn[["x", "y", "z"]].to_numpy(),
        Colouring(painted.codes[rows], painted.palette, painted.legend, painted.scale),
        drawn["sensor"].cat.codes.to_numpy(),
        titles=[titles[sensor] for sensor in access.sensors(run)],
        hover=hover,
        kept=kept(run, key, shown.filters)[rows],
        chosen=chosen,
        height=HEIGHT,
    )
    st.plotly_chart(figure, key="map_in_space", alt="Map of the images in three dimensions")
    map_quality.show(run, key)


def _selected(run: RunKey, shown: Shown) -> np.ndarray:
    shape = selection.shape_in_link(run)
    if shape is None:
        return np.zeros(len(map_points.points(run, shown.key)), dtype=bool)
    return selection.marked(run, shape, shown.filters, shown.key)
