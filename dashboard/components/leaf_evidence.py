"""The maps of one leaf: which kinds there are, those of one kind, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from dashboard import access
from dashboard.access import RunKey
from dashboard.components.map_trust import OF_NO_CLASS, OTHER_CLASS, measured_badge, unmeasured_badge
from dashboard.components.notice import reading
from dashboard.components.pair_viewer import Badge, Map, MapKind, Shift
from rice_ssl.errors import ArtifactError, RiceSSLError

_EXPLAINED = {
    "prototype": "what makes it belong to its prototype",
    "similarity": "what makes the encoder take the two for one plant",
}
"""Method whose maps are of no class -> what they explain."""
_UNITS = {"grad_cam": "logits"}
_BEFORE = {"method": "grad_cam", "title": "Grad-CAM", "layer": "last", "signed": False}
"""Kind of the maps that ``rice-ssl embed`` makes."""


@dataclass
class LeafEvidence:
    """What is shown of one leaf's maps.

    Attributes:
        kind: of the maps, as attribution.json has it; None where there are none.
        maps: by sensor; shape (classes, h, w), or (h, w).
        badges: by sensor, of the class that was measured, with its name.
        otherwise: by sensor, badge of all other maps.
        note: a sentence on why there is no map.
        errors: what could not be read.
    """

    kind: Mapping[str, Any] | None = None
    maps: dict[str, Map] = field(default_factory=dict)
    badges: dict[str, tuple[Badge, str]] = field(default_factory=dict)
    otherwise: dict[str, Badge] = field(default_factory=dict)
    note: str = ""
    errors: list[RiceSSLError] = field(default_factory=list)

    @property
    def viewed(self) -> MapKind | None:
        """The kind as the viewer has it."""
        if self.kind is None:
            return None
        method = str(self.kind["method"])
        explained = _EXPLAINED.get(method, "")
        return MapKind(not explained, explained, bool(self.kind["signed"]), _UNITS.get(method, ""))

    @property
    def compared_kind(self) -> Mapping[str, Any] | None:
        """The kind, where ``rice-ssl attribution`` compared the sensors' maps of it; else None."""
        own = self.kind is not None and self.kind is not _BEFORE and str(self.kind["method"]) not in _EXPLAINED
        return self.kind if own and len(self.maps) > 1 else None


def kinds(run: RunKey) -> dict[str, dict[str, Any]]:
    """Kinds of maps by the name that the link gives them, the default first; empty where attribution was not called.

    Raises:
        ArtifactError: attribution.json cannot be read.
    """
    with reading("attribution.json", _command(run)):
        found = [
            {**kind, "title": str(kind["title"]), "method": str(kind["method"]), "layer": str(kind["layer"])}
            for kind in access.evidence_maps(run)
            if kind["file"] and isinstance(kind["signed"], bool)
        ]
        cams = [kind for kind in found if kind["method"] == "grad_cam"]
        first = cams[-1:] or found[:1]  # the last layer's
        return {_name(kind): kind for kind in [*first, *(kind for kind in found if kind not in first)]}


def _name(kind: Mapping[str, Any]) -> str:
    return kind["method"] if kind["method"] in _EXPLAINED else f"{kind['method']}.{kind['layer']}"


def choices(found: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Value, title and group of each kind, for the viewer's list."""
    groups = {"prototype": "Why this prototype?", "similarity": "Why one plant?"}
    return [(name, _title(kind), groups.get(str(kind["method"]), "Why this class?")) for name, kind in found.items()]


def _title(kind: Mapping[str, Any]) -> str:
    layer = str(kind["layer"])
    where = "" if layer == "input" else ", last layer" if layer == "last" else f", {layer}"
    return f"{kind['title']}{where}"


def of_pair(run: RunKey, pair_id: str, kind: Mapping[str, Any] | None) -> LeafEvidence:
    """The maps of one kind, with badges; without a kind, the Grad-CAMs that ``rice-ssl embed`` made.

    What cannot be read is in ``errors``, so that the rest of the screen can be drawn.
    """
    found = LeafEvidence(kind=kind or _BEFORE)
    info = access.info(run)
    names = [str(sensor["name"]) for sensor in info["sensors"]]
    try:
        for name in names:
            own = access.evidence_map(run, pair_id, name, kind) if kind else access.cam(run, pair_id, name)
            if own is not None:
                found.maps[name] = _fitting(run, own, len(info["classes"]), found)
    except RiceSSLError as error:
        found.errors.append(error)
        found.maps = {}
    if not found.maps:
        if kind and not found.errors:
            found.note = f"{kind['title']} was asked for measured leaves alone, and this one is not among them."
        return found
    if kind is None:
        told = Badge("outline", "trust not measured", f"Measure it with `{_command(run)}`.")
        found.otherwise = dict.fromkeys(names, told)
        return found
    if str(kind["method"]) in _EXPLAINED:
        found.otherwise = dict.fromkeys(names, OF_NO_CLASS)
        return found
    try:
        with reading("The table trust, or attribution.json,", _command(run)):
            _judge(run, pair_id, kind, found)
    except RiceSSLError as error:
        found.errors.append(error)
    return found


def _fitting(run: RunKey, own: Map, classes: int, found: LeafEvidence) -> Map:
    """The maps, if their shape is one that can be drawn.

    Raises:
        ArtifactError: it is not.
    """
    of_class = found.viewed is not None and found.viewed.per_class
    if own.ndim != (3 if of_class else 2) or (of_class and len(own) != classes) or not own.size:
        made_by = "embed" if found.kind is _BEFORE else "attribution"
        raise ArtifactError(
            f"Maps of the shape {own.shape} do not fit the run's {classes} classes. "
            f"Make them anew with `rice-ssl {made_by} {run.path}`."
        )
    return own


def _judge(run: RunKey, pair_id: str, kind: Mapping[str, Any], found: LeafEvidence) -> None:
    rows = access.rows_of_pair(run, "trust", pair_id)
    for name in found.maps:
        own = None if rows is None else measured_badge(rows, name, kind)
        if own is not None:
            found.badges[name] = own
            found.otherwise[name] = OTHER_CLASS
        else:
            found.otherwise[name] = unmeasured_badge(access.document(run, "attribution")["trust"], name, kind)


def shift_of(run: RunKey, pair_id: str) -> Shift | None:
    """Where the second sensor's picture lies on the first's; None where the audit is not sure, or was not called.

    Raises:
        ArtifactError: the table cannot be read.
    """
    rows = access.rows_of_pair(run, "registration", pair_id)
    if rows is None or not bool(rows["confident"].iloc[0]):
        return None
    images = access.rows_of_pair(run, "manifest", pair_id)
    first = None if images is None else images[images["sensor"] == access.sensors(run)[0]]
    if first is None or first.empty or not (first["width"].iloc[0] > 0 and first["height"].iloc[0] > 0):
        return None
    dx, dy = float(rows["dx"].iloc[0]), float(rows["dy"].iloc[0])
    if pd.isna(dx) or pd.isna(dy):
        return None
    words = (
        f"{abs(dx):.0f} pixels to the {'right' if dx >= 0 else 'left'} and {abs(dy):.0f} {'down' if dy >= 0 else 'up'}"
    )
    return Shift(dx / float(first["width"].iloc[0]), dy / float(first["height"].iloc[0]), words)


def meaning(evidence: LeafEvidence) -> str:
    """What the maps are, in a sentence or two; empty where there are none."""
    if not evidence.maps or evidence.kind is None:
        return ""
    height, width = next(iter(evidence.maps.values())).shape[-2:]
    what = f"{_title(evidence.kind)}, {height}x{width} cells, all sensors on one scale, so a faint map means little "
    return f"{what}evidence. It shows where the network looks, which need not be where the disease is."


def _command(run: RunKey) -> str:
    return f"rice-ssl attribution {run.path}"
