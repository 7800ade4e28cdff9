"""The images nearest to a prototype, with what in them makes them belong to it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import access, prototype_data, state
from dashboard.access import RunKey
from dashboard.components.gallery import NARROWEST
from dashboard.components.map_trust import OF_NO_CLASS
from dashboard.components.notice import explain, reading
from dashboard.components.words import label_text
from rice_ssl.attribution.overlay import overlay
from rice_ssl.errors import RiceSSLError

NEAREST = 8
METHOD = "prototype"
_OPACITY = 0.75

Maps = dict[tuple[str, str], npt.NDArray[np.float32]]


def draw(run: RunKey, number: int, *, columns: int) -> None:
    """The nearest images of each sensor, nearest first."""
    titles, names = access.titles(run), access.sensors(run)
    found = {name: prototype_data.nearest_images(run, number, name, NEAREST) for name in names}
    entries = [(pair_id, name) for name in names for pair_id, _ in found[name]]
    own = _assigned_to(run, entries)
    maps = _maps(run, [entry for entry in entries if own.get(entry) == number])
    over = bool(maps) and st.toggle(
        "CAM of the prototype", value=True, key="prototype_cam",
        help="Grad-CAM of the cosine to the image's own prototype, which is this one.",
    )  # fmt: skip
    strongest = max((float(one.max()) for one in maps.values()), default=0.0)
    labels = access.labels(run)["label"]
    pictures = dict(zip(entries, access.thumbnails(run, entries), strict=True))
    for name in names:
        st.markdown(f"**Nearest {titles[name]} images**")
        if not found[name]:
            st.caption(f"No {titles[name]} image has a projection.")
        grid = st.grid(columns, min_column_width=NARROWEST, gap="xsmall")
        for position, (pair_id, cosine) in enumerate(found[name]):
            entry = (pair_id, name)
            elsewhere = "" if own.get(entry) == number else f" · in {own[entry]}" if entry in own else ""
            caption = f"{label_text(labels.get(pair_id))} · {cosine:.2f}{elsewhere}"
            picture = pictures[entry]
            if picture is not None and over and entry in maps:
                picture = covered(picture, maps[entry], strongest)
            with grid.container(gap="xsmall"):
                _image(pair_id, titles[name], picture, caption, key=f"nearest-{name}-{position}")
    st.caption(_caption(run, maps, shown=over))


def _image(pair_id: str, title: str, picture: bytes | None, caption: str, *, key: str) -> None:
    if picture is None:
        st.caption("no image")
    else:
        st.image(picture, width="stretch", alt=f"{title} image of {pair_id}")
    st.caption(caption)
    if st.button(pair_id[-8:], key=key, help=f"Open leaf {pair_id}", type="tertiary"):
        state.open_screen("leaf", pair=pair_id)


def _assigned_to(run: RunKey, entries: list[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Prototype of each of these images."""
    table, _ = prototype_data.assigned(run)
    rows = table[table["pair_id"].isin({pair_id for pair_id, _ in entries})]
    return {(pair_id, sensor): int(prototype) for pair_id, sensor, prototype in
            rows[["pair_id", "sensor", "prototype"]].itertuples(index=False)}  # fmt: skip


def _maps(run: RunKey, entries: list[tuple[str, str]]) -> Maps:
    """CAMs of the own prototype of these images, those that there are; what cannot be read is explained."""
    found: Maps = {}
    try:
        kind = _kind(run)
        for pair_id, sensor in entries if kind is not None else []:
            own = access.evidence_map(run, pair_id, sensor, kind)
            if own is not None and own.ndim == 2 and own.size and np.isfinite(own).all():
                found[pair_id, sensor] = own
    except RiceSSLError as error:
        explain(error)
        return {}
    return found


def _kind(run: RunKey) -> Mapping[str, Any] | None:
    with reading("attribution.json", f"rice-ssl attribution {run.path}"):
        return next((kind for kind in access.evidence_maps(run) if kind["method"] == METHOD and kind["file"]), None)


def covered(picture: bytes, cam: npt.NDArray[np.floating], strongest: float) -> bytes:
    """A picture with a CAM over it, as PNG.

    Args:
        picture: JPEG.
        cam: shape (h, w), >= 0.
        strongest: CAM value that is drawn strongest; the same for all images of a prototype.
    """
    with Image.open(io.BytesIO(picture)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    stream = io.BytesIO()
    Image.fromarray(overlay(pixels, cam, opacity=_OPACITY, scale=strongest)).save(stream, "PNG")
    return stream.getvalue()


def _caption(run: RunKey, maps: Maps, *, shown: bool) -> str:
    text = (
        "Label, and cosine similarity of the image's projection to the prototype; where it is in another, its number."
    )
    if shown:
        height, width = next(iter(maps.values())).shape
        return (
            f"{text} Over images of this prototype: CAM of the cosine to it, {height}x{width} cells, all on one scale, "
            f"so a faint map means little evidence. {OF_NO_CLASS.text.capitalize()}: deletion and insertion ask for "
            "the probability of a class, and this map explains none. It shows where the network looks, which need not "
            "be where the disease is."
        )
    if not maps and not access.has_document(run, "attribution"):
        return (
            f"{text} What in them makes them belong to it is shown once `rice-ssl attribution {run.path}` was called."
        )
    if not maps:
        return f"{text} There is no CAM of this prototype on any of them: maps are of each image's own prototype."
    return text


def elsewhere(run: RunKey, number: int) -> None:
    """Which prototypes hold the other sensor's images of this prototype's pairs."""
    names, titles, pairs = access.sensors(run)[:2], access.titles(run), prototype_data.paired(run)
    for one, other, side, far in (
        (*names, "first", "second"),
        (*names[::-1], "second", "first"),
    ):
        twins: pd.Series = pairs.loc[pairs[side] == number, far].value_counts()
        if len(twins):
            words = ", ".join(f"{prototype} ({count})" for prototype, count in twins.head(6).items())
            st.caption(
                f"Its {int(twins.sum())} {titles[one]} images: their {titles[other]} twins are in prototypes {words}."
            )
