"""What the user chose to see of a leaf: class, opacity, mode and map, in the link and kept from screen to screen."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st

from dashboard import state

KEY = "leaf-viewer"
"""Of the component that reports what was chosen."""
PREDICTED, SIDE = "predicted", "side"
MODES = (SIDE, "swipe", "difference")
OPACITY = 0.6
_KEPT = "leaf_view_kept"
_PARAMETERS = {"class": "class", "opacity": "leaf_opacity", "mode": "leaf_mode", "map": "leaf_map"}
"""What is chosen -> its name in the link."""


def chosen(classes: Collection[str], maps: Collection[str]) -> dict[str, Any]:
    """What to show: what the link says, else what was chosen before on this screen, else the default.

    What the link says and is not there is noted and taken out of it.

    Args:
        classes: names.
        maps: kinds of maps that there are, the default first.
    """
    first = next(iter(maps), "")
    defaults: dict[str, Any] = {"class": PREDICTED, "opacity": OPACITY, "mode": SIDE, "map": first}
    known = {"class": {PREDICTED, *classes}, "mode": set(MODES), "map": set(maps)}
    kept = st.session_state.get(_KEPT, {})
    view = {}
    for name, default in defaults.items():
        parameter = _PARAMETERS[name]
        written = st.query_params.get_all(parameter)
        found = [value for value in map(lambda text, n=name: _read(n, text, known), written) if value is not None]
        if written and not found:
            state.say_unknown(parameter, (), str(default) if name != "map" or default else "")
        if len(found) < len(written):
            del st.query_params[parameter]
        before = kept.get(name)
        before = None if before is None else _read(name, str(before), known)
        view[name] = found[-1] if found else default if before is None or written else before
    keep(view, defaults)
    return view


def _read(name: str, text: str, known: Mapping[str, Collection[str]]) -> Any:
    """A value as a link writes it; None where it is not there."""
    if name != "opacity":
        return text if text in known[name] else None
    try:
        value = float(text)
    except ValueError:
        return None
    return round(value, 2) if 0 <= value <= 1 else None


def keep(view: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Remember what is shown, and write into the link what differs from the default."""
    st.session_state[_KEPT] = dict(view)
    for name, value in view.items():
        parameter, text = _PARAMETERS[name], _written(value)
        if value == defaults[name]:
            if parameter in st.query_params:
                del st.query_params[parameter]
        elif st.query_params.get(parameter) != text:
            st.query_params[parameter] = text


def changed() -> None:
    """Take over what the user chose in the browser; called before the screen is drawn."""
    view = st.session_state[KEY].get("view")
    if not isinstance(view, dict):
        return
    st.session_state[_KEPT] = {name: view[name] for name in _PARAMETERS if name in view}
    for name, value in view.items():
        parameter = _PARAMETERS.get(name, "")
        if parameter in st.query_params:  # the link goes before what is kept
            st.query_params[parameter] = _written(value)


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
