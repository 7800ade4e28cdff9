"""Which map is on screen and how: space, method, seed, colour, lines, filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard import map_columns, map_points, state
from dashboard.access import RunKey
from dashboard.charts.map import METHODS
from dashboard.components.map_filters import pick_filters
from dashboard.components.map_words import SPACES
from dashboard.components.words import METHODS_MEANING
from dashboard.map_filtering import Filters
from dashboard.map_points import MapKey
from rice_ssl.errors import ArtifactError

IN_SPACE, AS_IMAGES, BOTH_SEEDS = "map_3d", "images", "both"
FORMER_COLOURS = {"Correctness": "Correct", "Prototype cluster": "Cluster of prototypes"}
"""What links of a former version call a column -> its title."""
LINES = {"none": "no lines", "lines": "lines", "arrows": "arrows"}


@dataclass(frozen=True)
class Shown:
    """What the controls ask for.

    Attributes:
        key: the map.
        beside: another seed's map, to be shown next to it.
        colour: name of the column that colours points.
        lines: between the images of a pair: ``none``, ``lines`` or ``arrows``.
        as_images: whether images are drawn as points.
        filters: which images are kept.
    """

    key: MapKey
    beside: MapKey | None
    colour: str
    lines: str
    as_images: bool
    filters: Filters


def pick(run: RunKey) -> Shown:
    """Draw two rows of controls: which map, and what of it.

    Raises:
        ArtifactError: the run has no map, or it cannot be read.
    """
    keys = [key for key in map_points.map_keys(run) if key.method in METHODS]
    if not keys:
        raise ArtifactError(f"map.parquet holds no map of images. Make one with `rice-ssl map {run.path}`.")
    above, below = (st.container(horizontal=True, vertical_alignment="bottom") for _ in range(2))
    with above:
        space = _space([key.space for key in keys])
        method = _method([key.method for key in keys if key.space == space])
        made = [key for key in keys if (key.space, key.method) == (space, method)]
        flat, deep = ([key for key in made if key.dimensions == dimensions] for dimensions in (2, 3))
        key, beside = _seed(flat) if flat else (deep[0], None)
    in_space = key.dimensions == 3 or bool(flat and deep and _is_on(IN_SPACE))
    as_images = _is_on(AS_IMAGES) and not in_space
    with above:
        colour = _colour(run, disabled=as_images)
        lines = _lines(disabled=as_images or in_space)
    with below:
        filters = pick_filters(run, key)
        if flat and deep:
            state.say_unknown(IN_SPACE, ("true", "false"), "two dimensions")
            in_space = st.toggle("3-D", key=IN_SPACE, bind="query-params", help="To look at; select in two dimensions.")
        state.say_unknown(AS_IMAGES, ("true", "false"), "points")
        as_images = st.toggle("Images as points", key=AS_IMAGES, bind="query-params", disabled=in_space)
    if in_space:
        return Shown(deep[0], None, colour, "none", False, filters)
    return Shown(key, beside, colour, "none" if as_images else lines, as_images, filters)


def _is_on(name: str) -> bool:
    """Whether a switch that is drawn further below is on."""
    return bool(st.session_state.get(name, st.query_params.get(name) == "true"))


def _space(there: Sequence[str]) -> str:
    offered = [value for value in SPACES if value in there] + sorted(set(there) - set(SPACES))
    texts = {value: SPACES.get(value, value) for value in offered}
    state.say_unknown("space", list(texts.values()), texts[offered[0]])
    chosen = st.selectbox("Space", offered, format_func=texts.__getitem__, key="space", bind="query-params", width=155)
    return str(chosen)


def _method(there: Sequence[str]) -> str:
    offered = [value for value in METHODS if value in there]
    state.say_unknown("method", [METHODS[value] for value in offered], METHODS[offered[0]])
    chosen = st.segmented_control(
        "Method", offered, default=offered[0], format_func=METHODS.__getitem__, required=True, key="method",
        bind="query-params", help=METHODS_MEANING,
    )  # fmt: skip
    return str(chosen)


def _seed(flat: Sequence[MapKey]) -> tuple[MapKey, MapKey | None]:
    """The map of the seed that is chosen, and the other seed's where both are asked for."""
    if len(flat) == 1:
        return flat[0], None
    offered = [*(str(key.seed) for key in flat), BOTH_SEEDS]
    state.say_unknown("map_seed", offered, f"seed {offered[0]}")
    chosen = st.segmented_control(
        "Seed", offered, default=offered[0], required=True, key="map_seed", bind="query-params",
        help="The same images laid out again with a second seed, beside the first: what differs between the two is an "
        "accident.",
    )  # fmt: skip
    if chosen == BOTH_SEEDS:
        return flat[0], flat[1]
    return next((key for key in flat if str(key.seed) == chosen), flat[0]), None


def _colour(run: RunKey, *, disabled: bool) -> str:
    titles = {column.name: column.title for column in map_columns.columns(run)}
    offered = sorted(titles, key=lambda name: name != "label")  # label first; the order of columns otherwise
    state.rename_value("colour", FORMER_COLOURS)
    state.say_unknown("colour", list(titles.values()), titles[offered[0]])
    chosen = st.selectbox(
        "Colour", offered, format_func=titles.__getitem__, key="colour", bind="query-params", width=150,
        disabled=disabled,
    )  # fmt: skip
    return str(chosen)


def _lines(*, disabled: bool) -> str:
    state.rename_value("map_lines", {"true": LINES["lines"], "false": LINES["none"]})
    state.say_unknown("map_lines", list(LINES.values()), LINES["none"])
    chosen = st.selectbox(
        "Join pairs", list(LINES), format_func=LINES.__getitem__, key="map_lines", bind="query-params", width=110,
        disabled=disabled, help="A line, or an arrow from the first sensor to the next, joins the images of a pair.",
    )  # fmt: skip
    return str(chosen)
