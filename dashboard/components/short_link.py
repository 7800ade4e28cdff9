"""A choice whose short value, not its title, is in the URL.

A widget bound to the URL writes there what the user reads (``Prototypes in use, perplexity``). Here the URL has the
value itself (``prototype_perplexity``), or nothing where that is the default. The choice outlives a visit to another
screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from dashboard import state

_CHOSEN = "short_link_chosen"


def choose(widget: Callable[..., Any], title: str, name: str, words: Mapping[str, str], **options: Any) -> str:
    """Draw a widget and give the value chosen.

    Args:
        widget: ``selectbox`` or ``segmented_control``, of any container.
        title: of the widget.
        name: of the URL's parameter.
        words: value -> how it is shown, the default first.
        options: further arguments of the widget.
    """
    default, key = next(iter(words)), f"short_link_{name}"
    state.say_unknown(name, list(words), words[default])
    chosen: dict[str, str] = st.session_state.setdefault(_CHOSEN, {})
    if st.session_state.get(key) not in words:  # the first time, after another screen, or with other words
        asked = st.query_params.get(name, chosen.get(name))
        st.session_state[key] = asked if asked in words else default
    value = str(widget(title, list(words), format_func=words.__getitem__, key=key, **options))
    chosen[name] = value
    if value == default:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != value:
        st.query_params[name] = value
    return value
