"""A region of an image of the run: drawn on its picture or typed in, embedded by the run's networks, and not kept."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from dashboard import access, live_network, state
from dashboard.access import RunKey
from dashboard.charts.region import region_figure
from dashboard.components.words import plain
from rice_ssl.data.image_file import decode_image
from rice_ssl.data.image_region import SMALLEST_SIDE, Region, middle, region_picture
from rice_ssl.errors import ArtifactError

PARAMETER = "similar_region"
"""Of the URL: left, top, right and bottom in pixels, joined by underscores."""
SHOWN_SIDE = 640
_KEYS = {side: f"similar_{side}" for side in ("left", "right", "top", "bottom")}
_KEPT = "similar_region_vectors"
Vectors = dict[str, npt.NDArray[np.float32]]


def forget() -> None:
    """Take the region out of the URL: another image is looked at."""
    st.query_params.pop(PARAMETER, None)


def vectors(run: RunKey, pair_id: str, sensor: str) -> Vectors | None:
    """Draw the picture and its region, and give the region's vectors by the name of the space.

    Returns:
        None where neither the image file nor a thumbnail of it is there.

    Raises:
        ArtifactError: the networks are not there, or cannot be loaded.
        InputError: the region is too small, or the file cannot be read.
    """
    if not access.has_networks(run):
        raise ArtifactError(
            "A region is embedded when it is asked for, but this run has no networks that could do so. "
            f"{access.remedy(run, 'pretrain')} Whole images can be searched with all the same."
        )
    size = live_network.picture_size(run)
    shown = _picture(run, pair_id, sensor)
    if shown is None:
        return None
    jpeg, across, from_file = shown
    region = _region_in_link(across)
    url = f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    chart = f"similar_picture_{pair_id}_{sensor}"
    st.plotly_chart(
        region_figure(url, across, (region.left, region.top, region.right, region.bottom)),
        key=chart,
        on_select=lambda: _take_drawn(chart, across),
        selection_mode="box",
        config={"displayModeBar": False},
        alt=f"{access.titles(run)[sensor]} image of {pair_id} with the region that is searched with",
    )
    _type_in(region, across)
    _say(run, pair_id, sensor, region, across, from_file=from_file)
    return _embedded(run, pair_id, sensor, region, size)


@st.cache_data(max_entries=16, show_spinner="Reading the image …")
def _picture(run: RunKey, pair_id: str, sensor: str) -> tuple[bytes, tuple[int, int], bool] | None:
    """JPEG of an image to be looked at, width and height of what regions are taken from, whether that is the file."""
    found = _whole(run, pair_id, sensor)
    if found is None:
        return None
    image, from_file = found
    shown, stream = image.copy(), io.BytesIO()
    shown.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
    shown.save(stream, "JPEG", quality=88)
    return stream.getvalue(), image.size, from_file


def _whole(run: RunKey, pair_id: str, sensor: str) -> tuple[Image.Image, bool] | None:
    """The image, from its file where that is there, else the thumbnail; and whether it is the file."""
    content = access.image_file(run, pair_id, sensor)
    if content is not None:
        return decode_image(content, f"The image of {pair_id}"), True
    kept = access.thumbnail(run, pair_id, sensor) if access.has(run, "thumbnails") else None
    return None if kept is None else (decode_image(kept, f"The thumbnail of {pair_id}"), False)


def _region_in_link(size: tuple[int, int]) -> Region:
    """The region that the URL holds; the middle of the image where it holds none, or one that is not in the image."""
    text = st.query_params.get(PARAMETER)
    if text is None:
        return middle(size)
    sides = text.split("_")
    if len(sides) == 4 and all(side.isascii() and side.isdigit() and len(side) < 7 for side in sides):
        left, top, right, bottom = (int(side) for side in sides)
        if max(left, right) <= size[0] and max(top, bottom) <= size[1]:
            return Region(left, top, right, bottom)
    state.say_unknown(PARAMETER, (), "the middle of the image")
    forget()
    return middle(size)


def _choose(left: int, top: int, right: int, bottom: int) -> None:
    st.query_params[PARAMETER] = f"{left}_{top}_{right}_{bottom}"


def _take_drawn(chart: str, size: tuple[int, int]) -> None:
    """Take over a box that was drawn."""
    drawn: list[dict[str, Any]] = st.session_state[chart]["selection"]["box"]
    if drawn:
        (left, right), (top, bottom) = (
            sorted(min(most, max(0, round(float(value)))) for value in drawn[-1][axis])
            for axis, most in zip("xy", size, strict=True)
        )
        _choose(left, top, right, bottom)


def _take_typed() -> None:
    left, right, top, bottom = (int(st.session_state[key] or 0) for key in _KEYS.values())
    _choose(left, top, right, bottom)


def _type_in(region: Region, size: tuple[int, int]) -> None:
    """Fields for who cannot draw, or wants it exact."""
    fields = st.grid(2, min_column_width=90, gap="xsmall")
    for side, key in _KEYS.items():
        st.session_state[key] = getattr(region, side)
        with fields.container():
            st.number_input(
                side.capitalize(), 0, size[0 if side in ("left", "right") else 1], key=key, step=1,
                on_change=_take_typed,
            )  # fmt: skip


def _say(run: RunKey, pair_id: str, sensor: str, region: Region, size: tuple[int, int], *, from_file: bool) -> None:
    """What the region is, and what becomes of it."""
    st.caption(
        f"Draw a box on the picture, or type its sides in pixels. {max(0, region.width)} x {max(0, region.height)} "
        f"pixels are embedded as a whole image of their own, by this run's networks, which learnt from whole leaves; "
        f"at least {SMALLEST_SIDE} a side. Nothing of it is stored."
    )
    if not from_file:
        root = access.info(run).get("data_root", "")
        st.caption(
            f":material/photo_size_select_small: The file of this image is not under {plain(root)} as the run knew it, "
            f"so the region is taken from the kept thumbnail of {size[0]} x {size[1]} pixels, which is blurred."
        )


def _embedded(run: RunKey, pair_id: str, sensor: str, region: Region, size: tuple[int, int]) -> Vectors | None:
    """Vectors of the region; those of the last one are kept in the session, so that a filter does not embed it anew."""
    identity = (run, pair_id, sensor, region, size)
    kept = st.session_state.get(_KEPT)
    if kept is not None and kept[0] == identity:
        last: Vectors = kept[1]
        return last
    found = _whole(run, pair_id, sensor)
    if found is None:
        return None
    with st.spinner("Embedding the region …"):
        given = live_network.embed(run, sensor, region_picture(found[0], region, size))
    st.session_state[_KEPT] = (identity, given)
    return given
