"""Images that the user gives, of a pair or one of it: read from memory alone, and kept small for the session.

What is kept is a picture of the network's size and one to be looked at, not the file: going to a neighbour's leaf and
back does not lose them. No cache of the server holds anything of an upload.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from dashboard import access
from dashboard.access import RunKey
from dashboard.components.words import plain
from rice_ssl.data.manifest import sensor_from_dict
from rice_ssl.data.uploaded_image import (
    MAX_UPLOAD_MB,
    MAX_UPLOAD_PIXELS,
    TOPS,
    UploadedImage,
    fewest_bits,
    inspect_upload,
    suggested_bands,
)
from rice_ssl.errors import InputError
from rice_ssl.sensors import Sensor

APART, TOGETHER = "One file for each sensor", "One file with all bands"
SHOWN_SIDE = 640
"""Pixels of the long side of a picture on screen."""
NARROWEST = 260
_ALL = "all"
_KEPT, _BRIGHTEST = "upload_kept", "upload_brightest"
_DECODING = threading.Lock()
"""Files are decoded one after the other, whoever gave them, so that the memory of decoding is taken once."""
_FORMATS = "JPEG, PNG, TIFF (8 or 16 bits, several bands), WebP or BMP"


@dataclass(frozen=True)
class GivenImage:
    """One sensor's image.

    Attributes:
        name: of the file.
        sha256: of the file.
        pixels: as the network sees it, uint8, shape (H, W, 3).
        shown: in its own aspect, uint8, shape (h, w, 3).
    """

    name: str
    sha256: str
    pixels: npt.NDArray[np.uint8]
    shown: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class _Kept:
    """What a field gave: which file and which choices, for which run, and the images by the name of the sensor."""

    identity: tuple[Any, ...]
    run: tuple[Any, ...]
    images: dict[str, GivenImage]


def given_images(run: RunKey, size: tuple[int, int]) -> dict[str, GivenImage]:
    """Draw the fields for files, and what they ask, and give the images by the name of the sensor.

    Args:
        run: whose sensors are asked for.
        size: height and width of what the network sees, in pixels.
    """
    sensors = [sensor_from_dict(entry) for entry in access.info(run)["sensors"]]
    mode = APART
    if len(sensors) > 1:
        mode = st.segmented_control(
            "The images come as", [APART, TOGETHER], default=APART, required=True, key="upload_mode",
            persist_state="session",
            help="One TIFF with red, green, blue and near infrared, say, can give the image of every sensor.",
        )  # fmt: skip
    slots = {_ALL: sensors} if mode == TOGETHER else {sensor.name: [sensor] for sensor in sensors}
    kept: dict[str, _Kept] = st.session_state.setdefault(_KEPT, {})
    for name in [name for name, own in kept.items() if name not in slots or own.run != (run, size)]:
        del kept[name]
    fields = st.grid(len(slots), min_column_width=NARROWEST, gap="medium")
    found: dict[str, GivenImage] = {}
    for name, asked in slots.items():
        with fields.container():
            try:
                found |= _given(run, size, name, asked)
            except InputError as error:
                kept.pop(name, None)
                st.error(plain(error), icon=":material/block:")
    return {sensor.name: found[sensor.name] for sensor in sensors if sensor.name in found}


def _given(run: RunKey, size: tuple[int, int], slot: str, sensors: list[Sensor]) -> dict[str, GivenImage]:
    """Draw one field; the images that it gives, none where it is empty."""
    bands = list(dict.fromkeys(band for sensor in sensors for band in sensor.bands))
    title = f"{sensors[0].title} image" if len(sensors) == 1 else "Image with all bands"
    kept: dict[str, _Kept] = st.session_state[_KEPT]
    key = f"upload_{slot}"
    file = st.file_uploader(
        f"{title}: {', '.join(bands)}",
        max_upload_size=MAX_UPLOAD_MB,
        key=key,
        help=f"{_FORMATS}; at most {MAX_UPLOAD_MB} MB and {MAX_UPLOAD_PIXELS / 1e6:.0f} million pixels.",
        on_change=_forget_if_taken_away,
        args=(slot, key),
    )
    if file is None:
        if slot not in kept:
            return {}
        images = kept[slot].images
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/image: {plain(next(iter(images.values())).name)}, given before")
            st.button("Forget it", icon=":material/delete:", on_click=_forget, args=(slot,), key=f"{key}_forget")
        return images
    head = inspect_upload(file.getvalue(), file.name)
    if head.several:
        st.caption("The file holds several pictures; the first one is used.")
    top = _top(head, slot, file.file_id)
    # "band 1" of one sensor, which nobody described, is not that of another
    needed = len(
        {(sensor.name if band.startswith("band ") else "", band) for sensor in sensors for band in sensor.bands}
    )
    chosen = {sensor.name: _bands(head, sensor, slot, needed=needed) for sensor in sensors}
    identity = (file.file_id, top, tuple(chosen.items()))
    if slot not in kept or kept[slot].identity != identity:
        digest = hashlib.sha256(head.content).hexdigest()
        with st.spinner("Reading the image …"), _DECODING:
            images = {
                name: GivenImage(
                    head.name,
                    digest,
                    np.asarray(head.picture(own, top=top, size=size)),
                    np.asarray(head.fitted(own, top=top, side=SHOWN_SIDE)),
                )
                for name, own in chosen.items()
            }
        kept[slot] = _Kept(identity, (run, size), images)
    return kept[slot].images


def _forget(slot: str) -> None:
    st.session_state.get(_KEPT, {}).pop(slot, None)


def _forget_if_taken_away(slot: str, key: str) -> None:
    """A file that is taken out of its field is not shown from what was kept of it."""
    if st.session_state.get(key) is None:
        _forget(slot)


def _top(head: UploadedImage, slot: str, file_id: str) -> int:
    """Ask which value is the brightest that the camera could give; 65,535 where a band has 8 bits."""
    if head.bits == 8:
        return TOPS[16]
    known: dict[str, tuple[str, int]] = st.session_state.setdefault(_BRIGHTEST, {})
    if known.get(slot, ("", 0))[0] != file_id:
        with st.spinner("Reading the image …"), _DECODING:
            known[slot] = (file_id, head.brightest())
    brightest = known[slot][1]
    bits = st.selectbox(
        "Largest value of the camera",
        sorted(TOPS, reverse=True),
        format_func=lambda bits: f"{TOPS[bits]:,} ({bits} bits)",
        key=f"upload_{slot}_bits",
        help="Values from 0 to this one become 0 to 255, in proportion; larger ones become 255. A run's own 16-bit "
        "images are read with 65,535.",
    )
    if brightest <= TOPS[fewest_bits(brightest)] < TOPS[bits]:
        st.warning(
            f"The brightest value is {brightest:,}, which {fewest_bits(brightest)} bits hold: the picture is darker "
            f"than it should be if the camera gives no more than {TOPS[fewest_bits(brightest)]:,}.",
            icon=":material/brightness_low:",
        )
    return TOPS[bits]


def _bands(head: UploadedImage, sensor: Sensor, slot: str, *, needed: int) -> tuple[int, int, int]:
    """Ask which bands of the file are the sensor's."""
    if slot == _ALL and head.bands < needed:
        raise InputError(
            f"{head.name} has {head.bands} {'band' if head.bands == 1 else 'bands'} to choose from, too few for all "
            f"sensors, which need {needed}: give one file for each sensor."
        )
    if slot == _ALL and not head.asks_for_bands:
        raise InputError(
            f"{head.name} is a {head.kind} file, of whose bands none can be chosen: give a TIFF with all bands, or one "
            "file for each sensor."
        )
    if not head.asks_for_bands:
        if head.bands == 1:
            st.caption("The file has one band, so all three of the sensor's are the same.")
        return 0, 1, 2
    usual = suggested_bands(sensor, head.bands)
    st.caption(f"Which of the file's {head.bands} bands is which of {plain(sensor.title)}'s?")
    with st.grid(3, min_column_width=90, gap="small"):
        first, second, third = (
            st.selectbox(
                band.capitalize(),
                range(head.bands),
                index=usual[place],
                format_func=lambda number: _band_title(head, number),
                key=f"upload_{slot}_{sensor.name}_{place}_of_{head.bands}",
            )
            for place, band in enumerate(sensor.bands)
        )
    return first, second, third


def _band_title(head: UploadedImage, number: int) -> str:
    return f"{number + 1} (transparency, it says)" if number in head.transparency else str(number + 1)
