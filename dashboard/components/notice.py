"""One sentence in place of what cannot be shown."""

from __future__ import annotations

import functools
from collections.abc import Callable

import streamlit as st

from dashboard import access, state
from rice_ssl.errors import RiceSSLError


def explain(error: RiceSSLError) -> None:
    """Say what is missing and which command makes it."""
    st.warning(str(error), icon=":material/info:")


def guarded(page: Callable[[], None]) -> Callable[[], None]:
    """A screen that explains what it lacks instead of failing, and says what its link names in vain."""

    @functools.wraps(page)
    def shown() -> None:
        state.expect_link()
        notices = st.container()
        try:
            access.info(access.current_run())  # a run that cannot be read at all is the first thing to say
            page()
        except RiceSSLError as error:
            explain(error)
        state.tell_unknown(notices)

    return shown
