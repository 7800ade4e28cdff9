"""The map itself: points that are sent once, and a view of them that answers when the user points, draws or zooms.

Arrays travel in carriers outside of the view's fragment, so that a hover or a shape sends a few hundred bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import numpy as np
import streamlit as st

from dashboard import access, map_columns, map_points, selection, state
from dashboard.access import RunKey
from dashboard.charts.map import METHODS
from dashboard.components import map_quality, map_view
from dashboard.components.map_colouring import colouring, told
from dashboard.components.map_controls import Shown
from dashboard.components.map_sheet import sheet, view_of
from dashboard.components.notice import explain
from dashboard.map_filtering import Filters, kept
from dashboard.map_points import MapKey
from rice_ssl.errors import ArtifactError, RiceSSLError

PANEL, MARKS, VIEWS = "map_panel", "map_marks", ("map_view_0", "map_view_1")
"""Keys of the fragments: the panel beside the map, what is marked on other maps, and a view for each map."""
HEIGHT, MOST_RINGS = 460, 200
_POINTED, _NAMES = "map_pointed", "map_names_of_marks"


def show(run: RunKey, shown: Shown, apart: Any) -> None:
    """Draw the map, or two of different seeds side by side, each with how far it may be believed.

    Args:
        run: the run.
        shown: what the controls ask for.
        apart: container for what carries arrays, out of the way: it draws nothing and still takes room.
    """
    keys = [key for key in (shown.key, shown.beside) if key is not None]
    _say_what_is_not_there(run, shown)
    with apart:
        carried = [_carry(run, key, shown, number) for number, key in enumerate(keys)]
        fragment(_marks, MARKS)(run, keys, shown.filters)
    for number, (key, place) in enumerate(zip(keys, st.columns(len(keys)), strict=True)):
        with place:
            if len(keys) > 1:
                st.markdown(f"**{METHODS[key.method]}, seed {key.seed}**")
            fragment(_view, VIEWS[number])(run, key, shown, number, carried[number])
            map_quality.show(run, key)


def fragment(body: Callable[..., None], key: str) -> Callable[..., None]:
    """A part of the screen that is drawn anew alone, and explains what it lacks instead of failing."""

    @wraps(body)
    def explained(*of: Any) -> None:
        try:
            body(*of)
        except RiceSSLError as error:
            explain(error)

    return st.fragment(explained, key=key)


def fragments(shown: Shown) -> list[str]:
    """Keys of the fragments that show a selection."""
    return [MARKS, *VIEWS[: 1 if shown.beside is None else 2], PANEL]


def _say_what_is_not_there(run: RunKey, shown: Shown) -> None:
    if shown.filters.search and not kept(run, shown.key, Filters(search=shown.filters.search)).any():
        st.caption(f"No pair has {shown.filters.search!r} in its id.")
    elif not kept(run, shown.key, shown.filters).any():
        st.info("No image fits these filters. Remove one of them.")


def _carry(run: RunKey, key: MapKey, shown: Shown, number: int) -> dict[str, str | None]:
    """Send the arrays that the view needs; a name for each."""
    found, painted = map_points.points(run, key), colouring(run, key, _coloured_by(run, shown))
    passes = kept(run, key, shown.filters)
    sensor = np.maximum(found["sensor"].cat.codes.to_numpy(), 0).astype(np.uint8)
    return {
        "places": map_view.carry(
            f"map_places_{number}", x=found["x"].to_numpy(), y=found["y"].to_numpy(), sensor=sensor
        ),
        "colours": map_view.carry(f"map_colours_{number}", code=painted.codes),
        "kept": None if passes.all() else map_view.carry(f"map_kept_{number}", kept=passes.astype(np.uint8)),
        "twins": None
        if shown.lines == "none"
        else map_view.carry(f"map_twins_{number}", twin=map_points.twins(run, key)),
    }


def _coloured_by(run: RunKey, shown: Shown) -> str:
    """Images have frames in the colours of their labels, and so have the points around them."""
    names = map_columns.names(run)
    return "label" if shown.as_images and "label" in names else shown.colour


def _marks(run: RunKey, keys: list[MapKey], filters: Filters) -> None:
    """Send which points are selected on another map than theirs."""
    shape, names = selection.shape_in_link(run), {}
    for number, key in enumerate(keys):
        if shape is not None and shape.on != key:
            found = selection.marked(run, shape, filters, key)
            names[number] = map_view.carry(f"map_marked_{number}", marked=found.astype(np.uint8))
    st.session_state[_NAMES] = names


def _view(run: RunKey, key: MapKey, shown: Shown, number: int, carried: dict[str, str | None]) -> None:
    name, found = VIEWS[number], map_points.points(run, key)
    shape, painted = selection.shape_in_link(run), colouring(run, key, _coloured_by(run, shown))
    own = shape if shape is not None and shape.on == key else None
    drawn = None
    if own is not None:
        drawn = {"kind": own.kind, "vertices": selection.vertices(run, own).tolist()}
    tiles = _tiles(run, key, shown, name) if shown.as_images else None
    map_view.draw(
        key=name,
        places=str(carried["places"]),
        colours=str(carried["colours"]),
        kept=carried["kept"],
        marked=st.session_state.get(_NAMES, {}).get(number),
        twins=carried["twins"],
        count=len(found),
        palette=painted.palette,
        legend=painted.legend,
        sensors=[access.titles(run)[sensor] for sensor in access.sensors(run)],
        symbols=len(access.sensors(run)) > 1,
        scale=painted.scale,
        lines=shown.lines,
        rings=_rings(run, key, shown.filters),
        shape=drawn,
        tooltip=_tooltip(run, key, number),
        sheet=tiles,
        tool="lasso",
        images=shown.as_images,
        height=HEIGHT,
        label=f"Map of the images, {METHODS[key.method]}",
        on_shape_change=partial(_drawn, run, key, shown, name),
        on_hover_change=partial(_hovered, number),
        on_view_change=_looked,
        on_opened_change=partial(_opened, run, key, shown, name),
    )


def _rings(run: RunKey, key: MapKey, filters: Filters) -> list[int]:
    """Points of the pair that is chosen, and of those that were searched for where they are few."""
    rings: list[int] = []
    linked = st.query_params.get("pair")
    if linked is not None:
        rings += map_points.rows_of(run, key, [linked]).tolist()
    if filters.search:
        hits = np.flatnonzero(kept(run, key, Filters(search=filters.search)))
        rings += hits.tolist() if len(hits) <= MOST_RINGS else []
    return sorted(set(rings))


def _tooltip(run: RunKey, key: MapKey, number: int) -> dict[str, Any] | None:
    pointed = st.session_state.get(_POINTED)
    if pointed is None or pointed[0] != number or not 0 <= pointed[1] < len(map_points.points(run, key)):
        return None
    row = pointed[1]
    point = map_points.points(run, key).iloc[row]
    try:
        (jpeg,) = access.thumbnails(run, [(str(point["pair_id"]), str(point["sensor"]))])
    except ArtifactError:
        jpeg = None
    return {
        "row": row,
        "lines": told(run, key, row),
        "jpeg": None if jpeg is None else base64.b64encode(jpeg).decode("ascii"),
    }


def _tiles(run: RunKey, key: MapKey, shown: Shown, name: str) -> dict[str, Any] | None:
    """Pictures of what is in view, and a sentence that says how many they are; none where the run keeps none."""
    try:
        found = sheet(run, key, shown.filters, view_of(run, key, _sent(name, "view")))
    except ArtifactError as error:
        explain(error)
        return None
    labelled = "label" in map_columns.names(run)
    said = ["Frames have the colour of the label"] if labelled else []
    if found["wrong"]:
        said.append(f"red where the prediction is wrong ({found['wrong']:,} of these)")
    st.caption(
        f"{len(found['rows']):,} of {found['among']:,} images in view, at most one for each cell of a grid. "
        + (", ".join(said) + ". " if said else "")
        + "Zoom in to see others."
    )
    return {name: found[name] for name in ("url", "tile", "rows", "left", "top", "frames")}


def _sent(name: str, value: str) -> Any:
    """What the browser sent last."""
    found = st.session_state.get(name)
    return None if found is None else found.get(value)


def _drawn(run: RunKey, key: MapKey, shown: Shown, name: str) -> None:
    selection.choose(run, selection.shape_drawn(key, _sent(name, "shape")), shown.filters)
    st.rerun(fragments(shown))


def _hovered(number: int) -> None:
    row = _sent(VIEWS[number], "hover")
    st.session_state[_POINTED] = (number, row) if isinstance(row, int) and row >= 0 else None


def _looked() -> None:
    """The fragment runs again and makes the picture of what is in view now."""


def _opened(run: RunKey, key: MapKey, shown: Shown, name: str) -> None:
    row, found = _sent(name, "opened"), map_points.points(run, key)
    if isinstance(row, int) and 0 <= row < len(found):
        state.choose_pair(str(found["pair_id"].iat[row]))
    st.rerun(fragments(shown))
