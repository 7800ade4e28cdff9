"""What the URL holds: checked against what is there, never trusted.

Widgets whose value is worth sharing are bound to the URL (``bind="query-params"``); Streamlit then also keeps them when
the user goes to another screen and back. The pair on the Leaf screen has no widget, so ``pair`` is handled here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import streamlit as st

_UNKNOWN = "unknown_in_link"


def expect_link() -> None:
    """Forget what earlier runs of the script found unknown in the link; the first thing a screen does."""
    st.session_state[_UNKNOWN] = {}


def say_unknown(name: str, known: Collection[str], shown: str = "") -> None:
    """Note where the URL gives a parameter a value that this run does not have; :func:`tell_unknown` says it.

    Called before the widget that is bound to the parameter, which takes an unknown value out of the URL.

    Args:
        name: of the parameter.
        known: values as the URL writes them.
        shown: what is shown instead; nothing is said of it where empty.
    """
    for value in st.query_params.get_all(name):
        if value not in known:
            st.session_state.setdefault(_UNKNOWN, {})[name] = (value, shown)


def rename_value(name: str, former: Mapping[str, str]) -> None:
    """Take a value that a link of a former version gives a parameter for what it is called now.

    Args:
        name: of the parameter; called before the widget that is bound to it.
        former: former value -> the value now.
    """
    value = st.query_params.get(name)
    if value in former:
        st.query_params[name] = former[value]
        st.rerun()  # widgets take the URL's values before a run of the script


def tell_unknown(place: Any) -> None:
    """Say once, in one sentence or two, what the link names that this run does not have.

    Args:
        place: container on top of the screen.
    """
    found: dict[str, tuple[str, str]] = st.session_state.get(_UNKNOWN, {})
    if found:
        named = [f"{name.rpartition('_')[2]} {value[:60]!r}" for name, (value, _) in found.items()]
        shown = [instead for _, instead in found.values() if instead]
        tail = f" Showing {_and(shown)} instead." if shown else ""
        place.info(f"The link names {_and(named)}, which this run does not have.{tail}")


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def pair_in_link(known: Collection[str]) -> str | None:
    """Pair that the URL names; None where it names none, or one that the run does not have."""
    value = st.query_params.get("pair")
    return value if value in known else None


def choose_pair(pair_id: str) -> None:
    """Put a pair into the URL."""
    st.query_params["pair"] = pair_id


def open_screen(screen: str, **query: str | list[str]) -> None:
    """Go to another screen with these query parameters."""
    pages = st.session_state.get("pages", {})
    if screen in pages:
        st.switch_page(pages[screen], query_params=query)
