"""A pair's pictures with their maps, and its probabilities; class, opacity and mode change in the browser alone."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from dashboard.charts.figures import class_colours
from rice_ssl.attribution.overlay import colour

Map = npt.NDArray[np.float32]
_PARTS = Path(__file__).parent / "viewer"
_SCRIPTS = ("controls.js", "maps.js", "pane.js", "comparing.js", "viewer.js")
_SIGNED = ((33, 102, 172), (103, 169, 207), (247, 247, 247), (239, 138, 98), (178, 24, 43))
"""Against (blue) to for (red): ColorBrewer's RdBu, told apart with any colour vision (Apache 2.0)."""
_GREYS = ((20, 20, 20), (235, 235, 235))
_STOPS = {
    "evidence": colour(np.linspace(0.0, 1.0, 8)).tolist(),
    "signed": _SIGNED,
    "grey": _GREYS,
    "greySigned": (_GREYS[0], (128, 128, 128), _GREYS[1]),
}


def _text(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


# Streamlit takes one script for a component: its parts are joined.
_component = st.components.v2.component(
    "rice_ssl_pair_viewer",
    html='<div class="viewer">\n</div>',
    css=_text("viewer.css"),
    js="\n".join(_text(name) for name in _SCRIPTS),
)


@dataclass(frozen=True)
class Badge:
    """Whether to believe a map.

    Attributes:
        tone: ``good``, ``orange``, ``grey`` (the map is drawn in greys), or ``outline`` (not known).
        text: a few words.
        detail: what they rest on, shown when asked; nothing where empty.
    """

    tone: str
    text: str
    detail: str = ""


@dataclass(frozen=True)
class SensorView:
    """What is shown of one sensor.

    Attributes:
        title: of the sensor.
        jpeg: its picture; None where the pair or the run has none.
        missing: sentence in the picture's place.
        maps: shape (classes, h, w), or (h, w) of no class; None where there are none.
        predicted: number of the class predicted from this image, None where nothing was predicted.
        probabilities: of the classes, in [0, 1]; None where there are none.
        badge: of the map of the class ``measured``.
        measured: number of the class whose map the badge is about.
        otherwise: badge of the maps of all other classes, and of maps of no class.
    """

    title: str
    jpeg: bytes | None = None
    missing: str = ""
    maps: Map | None = None
    predicted: int | None = None
    probabilities: Sequence[float] | None = None
    badge: Badge | None = None
    measured: int | None = None
    otherwise: Badge | None = None


@dataclass(frozen=True)
class MapKind:
    """The maps that are shown.

    Attributes:
        per_class: whether there is a map for each class.
        explained: what a map of no class explains, ``what makes it ...``.
        signed: whether they say for and against; else all evidence is >= 0.
        unit: of their values, empty where they have none worth naming.
    """

    per_class: bool = True
    explained: str = ""
    signed: bool = False
    unit: str = ""


@dataclass(frozen=True)
class Shift:
    """Where the second picture lies on the first, known with confidence.

    Attributes:
        right: to be added to a place in the second picture for the same place of the leaf in the first; share of width.
        down: likewise; share of height.
        words: the same in words.
    """

    right: float
    down: float
    words: str


def draw(
    pair_id: str,
    sensors: Sequence[SensorView],
    classes: Sequence[str],
    *,
    view: Mapping[str, Any],
    key: str,
    on_view_change: Callable[[], None],
    label: str | None = None,
    joint: tuple[str, Sequence[float]] | None = None,
    kind: MapKind | None = None,
    maps: Sequence[tuple[str, str, str]] = (),
    shift: Shift | None = None,
    note: str = "",
) -> None:
    """Draw a pair.

    Args:
        pair_id: of the pair, for descriptions.
        sensors: in order; swipe and difference are of the first two.
        classes: names.
        view: ``class`` (``predicted`` or a class), ``opacity`` in [0, 1], ``mode`` (``side``, ``swipe`` or
            ``difference``) and ``map`` (one of ``maps``), as they are on first sight; later as the user left them.
        key: of the component; what the user chooses is in the session's state under it, ``view``.
        on_view_change: called when the user has chosen.
        label: the pair's label, or None.
        joint: title and probabilities of the joint prediction.
        kind: of the maps shown; None where no map is.
        maps: value, title and group of each kind of map that can be chosen.
        shift: None where the pictures are not registered.
        note: a sentence under the pictures.
    """
    kind = kind or MapKind()
    joint = joint if joint is not None and np.isfinite(joint[1]).all() else None
    data: dict[str, Any] = {
        "pair": pair_id,
        "classes": list(classes),
        "colours": list(class_colours(classes).values()),
        "label": classes.index(label) if label in classes else None,
        "sensors": [_sent(sensor) for sensor in sensors],
        "pictures": any(sensor.jpeg or sensor.missing for sensor in sensors),
        "joint": None if joint is None else {"title": joint[0], "probabilities": _rounded(joint[1])},
        "jointClass": None if joint is None else int(np.argmax(joint[1])),
        "perClass": kind.per_class,
        "explained": kind.explained,
        "signed": kind.signed,
        "unit": kind.unit,
        "maps": [{"value": value, "title": title, "group": group} for value, title, group in maps],
        "registration": None if shift is None else {"right": shift.right, "down": shift.down},
        "moved": "" if shift is None else shift.words,
        "note": note,
        "stops": _STOPS,
    }
    data["hash"] = hashlib.blake2s(json.dumps(data).encode()).hexdigest()
    _component(key=key, data={**data, "view": dict(view)}, on_view_change=on_view_change)


def _sent(sensor: SensorView) -> dict[str, Any]:
    """As the browser gets it; maps as float32, little-endian, base64."""
    maps = sensor.maps if sensor.maps is None or sensor.maps.ndim == 3 else sensor.maps[None]
    badge = None if sensor.badge is None else {**asdict(sensor.badge), "class": sensor.measured}
    return {
        "title": sensor.title,
        "jpeg": None if sensor.jpeg is None else base64.b64encode(sensor.jpeg).decode(),
        "missing": sensor.missing,
        "maps": None if maps is None else base64.b64encode(np.nan_to_num(maps).astype("<f4").tobytes()).decode(),
        "shape": None if maps is None else list(maps.shape),
        "predicted": sensor.predicted,
        "probabilities": None if sensor.probabilities is None else _rounded(sensor.probabilities),
        "badge": badge,
        "otherwise": None if sensor.otherwise is None else asdict(sensor.otherwise),
    }


def _rounded(values: Sequence[float]) -> list[float] | None:
    """Four digits; None where a value is none, which JSON in a browser does not know."""
    return [round(float(value), 4) for value in values] if np.isfinite(values).all() else None
