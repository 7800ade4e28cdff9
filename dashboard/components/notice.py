"""One sentence in place of what cannot be shown."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator

import streamlit as st

from dashboard import access, state
from rice_ssl.errors import ArtifactError, RiceSSLError


def explain(error: RiceSSLError) -> None:
    """Say what is missing and which command makes it."""
    st.warning(str(error), icon=":material/info:")


@contextlib.contextmanager
def reading(file: str, command: str) -> Iterator[None]:
    """Around the reading of a document whose contents may be of an older version, or damaged.

    Args:
        file: its name.
        command: that makes it anew.

    Raises:
        ArtifactError: something in it is missing, or of another kind than it should be.
    """
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"{file} lacks what is shown here; an older version may have made it. Make it anew with `{command}`."
        ) from error


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
