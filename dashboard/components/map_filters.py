"""Filters of the Map: by label, split, further columns and part of an id; each is in the URL."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard import access, map_columns, state
from dashboard.access import RunKey
from dashboard.components.map_words import value_text
from dashboard.map_columns import Column
from dashboard.map_filtering import FURTHER, OWN_FILTERS, SEARCH, Filters, parameter_of
from dashboard.map_points import MapKey

_TITLES = {"label": "Only labels", "split": "Only splits"}


@st.cache_data(max_entries=64, show_spinner=False)
def values_there(run: RunKey, key: MapKey, name: str) -> list[str]:
    """Values of a category column that some image has, as they are written; labels with the run's classes first."""
    column = map_columns.column(run, key, name)
    codes = column.cat.codes.to_numpy()
    there = np.bincount(codes[codes >= 0], minlength=len(column.cat.categories)) > 0
    found = [value_text(run, name, value) for value in column.cat.categories[there]]
    if name in ("label", "prediction"):
        order = {label: number for number, label in enumerate(access.info(run)["classes"])}
        found.sort(key=lambda text: order.get(text, len(order)))
    return found


@st.cache_data(max_entries=64, show_spinner=False)
def _span(run: RunKey, key: MapKey, name: str) -> tuple[float, float] | None:
    """Lowest and highest value of a column of numbers; None where there is nothing between them to choose."""
    numbers = map_columns.column(run, key, name).to_numpy()
    numbers = numbers[np.isfinite(numbers)]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) and numbers.min() < numbers.max() else None


def pick_filters(run: RunKey, key: MapKey) -> Filters:
    """Draw the controls, in a row that is open, and give what they ask for.

    Args:
        run: the run.
        key: the map on screen.
    """
    columns = map_columns.columns(run)
    own = [column for column in columns if column.name in OWN_FILTERS]
    values = {column.name: _values(run, key, column, _TITLES[column.name], width=150) for column in own}
    search = st.text_input(
        "Find a pair", key=SEARCH, bind="query-params", placeholder="part of an id", width=110
    ).strip()
    others = {column.title: column for column in columns if column.name not in OWN_FILTERS}
    set_before = st.session_state.get(FURTHER) or ()
    with st.popover("Filters" + (f" ({len(set_before)})" if set_before else ""), icon=":material/filter_alt:"):
        state.say_unknown(FURTHER, others)
        asked = st.multiselect(
            "Filter by", list(others), key=FURTHER, bind="query-params", width=320,
            help="Images that do not pass are greyed out and never selected.",
        )  # fmt: skip
        ranges = {}
        for column in (others[title] for title in asked):
            if column.kind == "category":
                values[column.name] = _values(run, key, column, column.title, width=320)
            else:
                ranges[column.name] = _range(run, key, column)
    return Filters(
        tuple((name, tuple(chosen)) for name, chosen in values.items() if chosen),
        tuple((name, chosen) for name, chosen in ranges.items() if chosen is not None),
        search,
    )


def _values(run: RunKey, key: MapKey, column: Column, title: str, *, width: int) -> list[str]:
    parameter, known = parameter_of(column.name), values_there(run, key, column.name)
    state.say_unknown(parameter, known)
    return list(st.multiselect(title, known, key=parameter, bind="query-params", width=width))


def _range(run: RunKey, key: MapKey, column: Column) -> tuple[float, float] | None:
    """The range chosen; None where it holds every value, known or not."""
    span = _span(run, key, column.name)
    if span is None:
        st.caption(f"{column.title} is the same for every image that has it.")
        return None
    low, high = span
    whole = low == round(low) and high == round(high) and high - low > 20
    step = 1.0 if whole else (high - low) / 200
    chosen = st.slider(
        column.title, low, high, span, step=step, key=parameter_of(column.name), bind="query-params",
        width=320, format="%.0f" if whole else "%.3g",
    )  # fmt: skip
    return None if tuple(chosen) == span else (float(chosen[0]), float(chosen[1]))
