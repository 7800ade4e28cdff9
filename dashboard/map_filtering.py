"""Which images of a map are kept: filters by value, by range and by part of an id, as links hold them.

The Map's controls are bound to parameters of their own. Streamlit lets no one but the control set such a parameter, so
other screens are handed ``selection_filters``, one text that holds them all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from dashboard import map_columns, map_points
from dashboard.access import RunKey
from dashboard.components.map_words import value_text
from dashboard.map_columns import Column
from dashboard.map_points import MapKey

HANDED, SEARCH, FURTHER = "selection_filters", "map_search", "map_filters"
OWN_FILTERS = {"label": "map_labels", "split": "map_splits"}
"""Columns that have a control of their own -> the parameter it is bound to."""
_SEARCHED = "*"


@dataclass(frozen=True)
class Filters:
    """Which images are kept; hashable, part of cache keys.

    Attributes:
        values: column -> values as they are written on screen, any of which may be.
        ranges: column -> lowest and highest value; an image without a value is not kept.
        search: part of a pair's id, in any case.
    """

    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    ranges: tuple[tuple[str, tuple[float, float]], ...] = ()
    search: str = ""


@st.cache_resource(max_entries=16, show_spinner=False)
def kept(run: RunKey, key: MapKey, filters: Filters) -> npt.NDArray[np.bool_]:
    """Which points of a map pass the filters, shape (N,); shared, not to be changed."""
    passes = np.ones(len(map_points.points(run, key)), dtype=bool)
    for name, chosen in filters.values:
        column = map_columns.column(run, key, name)
        allowed = [value_text(run, name, value) in chosen for value in column.cat.categories]
        passes &= np.array([*allowed, False])[column.cat.codes.to_numpy()]  # code -1, no value, is the last
    for name, (low, high) in filters.ranges:
        numbers = map_columns.column(run, key, name).to_numpy()
        passes &= (numbers >= np.float64(low)) & (numbers <= np.float64(high))
    if filters.search:
        ids = map_points.points(run, key)["pair_id"]
        passes &= ids.str.contains(filters.search, case=False, regex=False).to_numpy(dtype=bool)
    passes.setflags(write=False)
    return passes


def filters_in_link(run: RunKey) -> Filters:
    """The filters that the URL holds; what this run does not have is ignored."""
    handed = st.query_params.get(HANDED)
    if handed is not None:
        return read_filters(handed, map_columns.columns(run))
    titles = {column.title: column for column in map_columns.columns(run)}
    names = {column.name: column for column in titles.values()}
    further = [titles[title] for title in st.query_params.get_all(FURTHER) if title in titles]
    values = [(name, st.query_params.get_all(parameter)) for name, parameter in OWN_FILTERS.items() if name in names]
    values += [(c.name, st.query_params.get_all(parameter_of(c.name))) for c in further if c.kind == "category"]
    ranges = []
    for column in further:
        found = _numbers(st.query_params.get_all(parameter_of(column.name)))
        if column.kind == "number" and len(found) == 2:
            ranges.append((column.name, (min(found), max(found))))
    return Filters(
        tuple((name, tuple(chosen)) for name, chosen in values if chosen),
        tuple(ranges),
        st.query_params.get(SEARCH, "").strip(),
    )


def read_filters(text: str, columns: list[Column]) -> Filters:
    """Filters as :func:`link` writes them; none of what is no filter, or of a column that the run does not have.

    Args:
        text: anything.
        columns: of the run.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return Filters()
    if not isinstance(found, dict):
        return Filters()
    given = {column: found.get(column.name) for column in columns}
    lists = {column: value for column, value in given.items() if isinstance(value, list) and value}
    search = found.get(_SEARCHED)
    return Filters(
        tuple((c.name, tuple(str(one) for one in value)) for c, value in lists.items() if c.kind == "category"),
        tuple(
            (column.name, (min(numbers), max(numbers)))
            for column, value in lists.items()
            if column.kind == "number" and len(numbers := _numbers([str(one) for one in value])) == 2
        ),
        search.strip() if isinstance(search, str) else "",
    )


def _numbers(texts: list[str]) -> list[float]:
    try:
        found = [float(text) for text in texts]
    except ValueError:
        return []
    return found if np.isfinite(found).all() else []


def written(filters: Filters) -> str:
    """Filters as :func:`read_filters` reads them."""
    chosen: dict[str, Any] = {**dict(filters.values), **dict(filters.ranges)}
    return json.dumps({**chosen, **({_SEARCHED: filters.search} if filters.search else {})}, separators=(",", ":"))


def parameter_of(column: str) -> str:
    """Parameter that holds the values of a further column that is filtered by."""
    return OWN_FILTERS.get(column, f"map_only_{column}")


def take_filters(run: RunKey) -> None:
    """Set the Map's controls to the filters that another screen handed on; before they are drawn."""
    handed = st.query_params.get(HANDED)
    if handed is None:
        return
    known = map_columns.columns(run)
    filters, titles = read_filters(handed, known), {column.name: column.title for column in known}
    del st.query_params[HANDED]
    asked = {name: list(chosen) for name, chosen in filters.values}
    asked |= {name: [str(bound) for bound in bounds] for name, bounds in filters.ranges}
    wanted: dict[str, str | list[str]] = {parameter_of(name): chosen for name, chosen in asked.items()}
    wanted[FURTHER] = [titles[name] for name in asked if name not in OWN_FILTERS]
    wanted[SEARCH] = filters.search
    for name, value in wanted.items():
        if value:
            st.query_params[name] = value
    st.rerun()  # widgets take the URL's values before a run of the script
