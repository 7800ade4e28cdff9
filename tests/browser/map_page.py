"""A page with a map alone, of points that a test knows: ``streamlit run tests/browser/map_page.py``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import numpy as np
import streamlit as st

from dashboard.components import map_view

GRID = 41
"""Points a side of a square grid, each there twice, on whole numbers: lassos and boxes have points on their edges."""


def places() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y (float32) and sensor (uint8) of the points."""
    x, y = (values.ravel().astype(np.float32) for values in np.meshgrid(np.arange(GRID), np.arange(GRID)))
    return np.repeat(x, 2), np.repeat(y, 2), np.tile(np.array([0, 1], dtype=np.uint8), GRID * GRID)


def kept() -> np.ndarray:
    """Points that pass the filters: all but every seventh."""
    return (np.arange(2 * GRID * GRID) % 7 > 0).astype(np.uint8)


def page() -> None:
    x, y, sensor = places()
    filtered = st.toggle("Filter")
    with st.container(gap=None):  # one element, however many arrays: what follows stays in its place
        where = map_view.carry("places", x=x, y=y, sensor=sensor)
        colours = map_view.carry("colours", code=(x.astype(np.uint8) % 3))
        some = map_view.carry("kept", kept=kept()) if filtered else None
        twins = map_view.carry("twins", twin=(np.arange(len(x)) ^ 1).astype(np.int32))

    @st.fragment
    def view() -> None:
        told = st.session_state.get("told")
        st.session_state["told"] = None

        def hovered() -> None:
            row = st.session_state["map"].hover
            st.session_state["told"] = {"row": row, "lines": [f"point {row}"], "jpeg": None}

        found = map_view.draw(
            key="map", places=where, colours=colours, kept=some, marked=None, twins=twins, count=len(x),
            palette=["#0072B2", "#E69F00", "#009E73"], legend=[(0, "blast"), (1, "brown"), (2, "healthy")],
            sensors=["RGB", "RGNIR"], symbols=True, scale=None, lines="lines", rings=[3], shape=None, tooltip=told,
            sheet=None, tool="lasso", images=False, height=400, label="Map of points", on_shape_change=lambda: None,
            on_hover_change=hovered, on_view_change=lambda: None, on_opened_change=lambda: None,
        )  # fmt: skip
        shape = found.get("shape")
        words = "none" if shape is None else f"{shape['kind']} " + " ".join(f"{a},{b}" for a, b in shape["vertices"])
        st.markdown(f"`{words}`")
        st.caption(f"opened {found.get('opened')}")

    view()


if __name__ == "__main__":
    page()
