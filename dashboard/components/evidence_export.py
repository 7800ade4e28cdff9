"""A button that hands on the evidence of leaves: one HTML page, or pictures and a table in a ZIP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from rice_ssl.errors import RiceSSLError
from rice_ssl.evidence.archive import error_zip, to_zip
from rice_ssl.evidence.leaf import MOST_LEAVES, Evidence
from rice_ssl.evidence.page import error_page, to_page

_LOGGER = logging.getLogger(__name__)


def export_button(run: RunKey, pair_ids: Sequence[str], *, key: str) -> None:
    """Draw the button; what it hands on is made when it is asked for.

    Args:
        run: the run.
        pair_ids: of the leaves; without any, the button cannot be used, and with more than 200 it says so.
        key: of the button.
    """
    ids = list(dict.fromkeys(pair_ids))
    with st.popover(
        "Export evidence", icon=":material/download:", disabled=not ids, key=key,
        help=None if ids else "There is no leaf to export.",
    ):  # fmt: skip
        if len(ids) > MOST_LEAVES:
            st.markdown(f"{len(ids):,} leaves are too many for one export: choose at most {MOST_LEAVES}.")
            return
        of = "this leaf" if len(ids) == 1 else f"these {len(ids):,} leaves"
        st.markdown(f"Pictures, maps, figures and hashes of {of}, to be handed on.")
        stem = f"evidence-{len(ids)}-{'leaf' if len(ids) == 1 else 'leaves'}"
        for title, ending, mime, writer, told in (
            ("One page (HTML)", "html", "text/html", to_page, error_page),
            ("Pictures and table (ZIP)", "zip", "application/zip", to_zip, error_zip),
        ):
            st.download_button(
                title, _made(run, ids, writer, told), f"{stem}.{ending}", mime, key=f"{key}_{ending}",
                on_click="ignore", width="stretch", disabled=not ids,
            )  # fmt: skip


def _made(
    run: RunKey, ids: Sequence[str], writer: Callable[[Evidence], bytes], told: Callable[[str], bytes]
) -> Callable[[], bytes]:
    """What makes the file. Streamlit would say of an error that there was one: the file says which."""

    def make() -> bytes:
        try:
            return writer(access.evidence(run, ids))
        except RiceSSLError as error:
            _LOGGER.warning("No evidence of %d leaves of %s: %s", len(ids), run.path, error)
            return told(str(error))

    return make
