"""What is selected on a map: a shape that was drawn on it and filters, both in the URL, so that every screen knows it.

``selection`` is ``method.space.dimensions.seed~kind~kx_ky_kx_ky...``: vertices as whole numbers on a grid of 65,535
steps from the least to the greatest coordinate of the map's points. Filters are the parameters that the Map's
controls are bound to, or what other screens are handed (:mod:`dashboard.map_filtering`). Images inside the shape that
pass the filters are selected, exactly, whichever map is on screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from dashboard import map_points, state
from dashboard.access import RunKey
from dashboard.map_filtering import HANDED, Filters, filters_in_link, kept, written
from dashboard.map_points import MapKey
from rice_ssl.embeddings.polygon import inside
from rice_ssl.errors import ArtifactError

PARAMETER = "selection"
STEPS, MOST_VERTICES = 65535, 64
KINDS = ("box", "lasso")
_KEPT = "map_selection_kept"


@dataclass(frozen=True)
class Shape:
    """A box or a lasso on a map.

    Attributes:
        on: the map it was drawn on.
        kind: ``box`` or ``lasso``; a box is what its vertices span.
        grid: vertices in order, steps on the map's grid, each in [0, 65535].
    """

    on: MapKey
    kind: str
    grid: tuple[tuple[int, int], ...]

    def written(self) -> str:
        """As the URL holds it."""
        key = self.on
        steps = "_".join(str(step) for vertex in self.grid for step in vertex)
        return f"{key.method}.{key.space}.{key.dimensions}.{key.seed}~{self.kind}~{steps}"


def read_shape(text: str, known: list[MapKey]) -> Shape | None:
    """A shape as the URL writes it; None where it is none, or of a map that the run does not have.

    Args:
        text: anything.
        known: maps of the run.
    """
    parts = text.split("~")
    if len(parts) != 3 or parts[1] not in KINDS:
        return None
    named = {f"{key.method}.{key.space}.{key.dimensions}.{key.seed}": key for key in known if key.dimensions == 2}
    steps = parts[2].split("_")
    whole = all(step.isascii() and step.isdigit() and len(step) <= 5 and int(step) <= STEPS for step in steps)
    if parts[0] not in named or len(steps) % 2 or len(steps) > 2 * MOST_VERTICES or not whole:
        return None
    numbers = [int(step) for step in steps]
    return _shape(named[parts[0]], parts[1], list(zip(numbers[::2], numbers[1::2], strict=True)))


def shape_drawn(key: MapKey, found: Any) -> Shape | None:
    """A shape as the browser sends it; None where it was cleared, or is none.

    Args:
        key: the map it was drawn on.
        found: a mapping with ``kind`` and ``vertices`` (steps on the grid), or anything.
    """
    try:
        grid = [(int(kx), int(ky)) for kx, ky in found["vertices"]]
        return _shape(key, str(found["kind"]), grid)
    except (KeyError, TypeError, ValueError):
        return None


def _shape(key: MapKey, kind: str, grid: list[tuple[int, int]]) -> Shape | None:
    fewest = 2 if kind == "box" else 3
    fits = kind in KINDS and fewest <= len(grid) <= MOST_VERTICES
    return Shape(key, kind, tuple(grid)) if fits and all(0 <= k <= STEPS for one in grid for k in one) else None


def choose(run: RunKey, shape: Shape | None, filters: Filters) -> None:
    """Put a shape into the URL, or take it out; with the filters that it is looked at through it is remembered."""
    if shape is None:
        st.session_state.pop(_KEPT, None)
        st.query_params.pop(PARAMETER, None)
    else:
        st.query_params[PARAMETER] = shape.written()
        keep(run, filters)


def shape_in_link(run: RunKey) -> Shape | None:
    """The shape that the URL holds; one that this run cannot have is taken out, and said on top of the screen."""
    text = st.query_params.get(PARAMETER)
    if text is None:
        return None
    shape = read_shape(text, map_points.map_keys(run))
    if shape is None:
        state.say_unknown(PARAMETER, ())
        st.query_params.pop(PARAMETER, None)
    return shape


@st.cache_resource(max_entries=64, show_spinner=False)
def extent(run: RunKey, key: MapKey) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Least and greatest x and y of a map's points, shapes (2,); of points without a place nothing."""
    places = map_points.points(run, key)[["x", "y"]].to_numpy()
    places = places[np.isfinite(places).all(axis=1)]
    if not len(places):
        return np.zeros(2), np.ones(2)
    return places.min(axis=0).astype(np.float64), places.max(axis=0).astype(np.float64)


def vertices(run: RunKey, shape: Shape) -> npt.NDArray[np.float64]:
    """A shape's vertices in the coordinates of its map, shape (V, 2)."""
    low, high = extent(run, shape.on)
    return np.array(low + np.array(shape.grid, dtype=np.float64) * (high - low) / STEPS)


@st.cache_resource(max_entries=16, show_spinner=False)
def _inside(run: RunKey, shape: Shape) -> npt.NDArray[np.bool_]:
    found = map_points.points(run, shape.on)
    x, y, corners = found["x"].to_numpy(), found["y"].to_numpy(), vertices(run, shape)
    if shape.kind == "box":
        (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
        return np.asarray((x >= left) & (x <= right) & (y >= bottom) & (y <= top))
    return inside(x, y, corners)


@st.cache_resource(max_entries=16, show_spinner=False)
def rows_of_shape(run: RunKey, shape: Shape, filters: Filters) -> npt.NDArray[np.intp]:
    """Points of the map that the shape was drawn on that are inside it and pass the filters, ascending; shared."""
    found = np.flatnonzero(_inside(run, shape) & kept(run, shape.on, filters))
    found.setflags(write=False)
    return found


@st.cache_resource(max_entries=32, show_spinner=False)
def _pairs_of_points(run: RunKey, key: MapKey) -> tuple[npt.NDArray[np.int64], pd.Index]:
    codes, ids = pd.factorize(map_points.points(run, key)["pair_id"])
    return codes.astype(np.int64), pd.Index(ids)


def pairs_of(run: RunKey, key: MapKey, chosen: npt.NDArray[np.intp]) -> pd.Index:
    """Ids of the pairs of some points, each once, in the order of the map."""
    codes, ids = _pairs_of_points(run, key)
    there = np.zeros(len(ids), dtype=bool)
    there[codes[chosen]] = True
    return ids[there]


def one_of_each_pair(run: RunKey, key: MapKey, chosen: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Of some points the first of each pair, in the order of their pairs on the map."""
    codes, ids = _pairs_of_points(run, key)
    first = np.full(len(ids), -1, dtype=np.intp)
    first[codes[chosen[::-1]]] = chosen[::-1]
    return first[first >= 0]


@st.cache_resource(max_entries=16, show_spinner=False)
def marked(run: RunKey, shape: Shape, filters: Filters, key: MapKey) -> npt.NDArray[np.bool_]:
    """Which points of another map are the selected images, shape (N,); shared."""
    chosen = rows_of_shape(run, shape, filters)
    here, there = map_points.points(run, shape.on), map_points.points(run, key)
    found = np.zeros(len(there), dtype=bool)
    if len(here) == len(there) and _same_images(here, there):
        found[chosen] = True
        return found
    images = pd.MultiIndex.from_frame(here.iloc[chosen][["pair_id", "sensor"]].astype(str))
    return np.asarray(pd.MultiIndex.from_frame(there[["pair_id", "sensor"]].astype(str)).isin(images))


def _same_images(here: pd.DataFrame, there: pd.DataFrame) -> bool:
    same_sensor = here["sensor"].cat.codes.to_numpy() == there["sensor"].cat.codes.to_numpy()
    return bool(same_sensor.all() and here["pair_id"].equals(there["pair_id"]))


def rows(run: RunKey) -> npt.NDArray[np.intp]:
    """Selected points, of the map that the shape in the URL was drawn on; none without a shape."""
    shape = shape_in_link(run)
    return np.empty(0, dtype=np.intp) if shape is None else rows_of_shape(run, shape, filters_in_link(run))


def selected(run: RunKey) -> pd.Index | None:
    """Ids of the selected pairs, from the URL alone; None where it holds no selection, or the run has no map."""
    try:
        shape = shape_in_link(run)
        return None if shape is None else pairs_of(run, shape.on, rows_of_shape(run, shape, filters_in_link(run)))
    except ArtifactError:
        return None


def link(run: RunKey, filters: Filters | None = None) -> dict[str, str]:
    """Parameters that hand the selection on to another screen; empty without one.

    Args:
        run: the run.
        filters: that it is looked at through; None for those in the URL.
    """
    shape = st.query_params.get(PARAMETER)
    if shape is None:
        return {}
    filters = filters_in_link(run) if filters is None else filters
    return {PARAMETER: shape, **({} if filters == Filters() else {HANDED: written(filters)})}


def keep(run: RunKey, filters: Filters) -> None:
    """Remember the selection in the URL, so that it is there again when the user comes back from another screen."""
    found = link(run, filters)
    if found:
        st.session_state[_KEPT] = (run.path, found)


def remembered(run: RunKey) -> dict[str, str]:
    """What :func:`keep` kept of this run in this session; empty where nothing is."""
    path, found = st.session_state.get(_KEPT, ("", {}))
    return found if path == run.path else {}


def recall(run: RunKey, *, filters: bool) -> None:
    """Put what is remembered into a URL that holds no selection.

    Args:
        run: the run.
        filters: whether the filters, too; not on the Map, whose controls are bound to them.
    """
    if PARAMETER in st.query_params:
        return
    for name, value in remembered(run).items():
        if filters or name == PARAMETER:
            st.query_params[name] = value
