"""How far a map may be believed, in words under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import access, map_points
from dashboard.access import RunKey
from dashboard.components.notice import reading
from dashboard.map_points import MapKey
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.map_quality import FEWEST

NOT_EVIDENCE = "Distances on a map are not evidence: neighbours are computed in the original space."


def show(run: RunKey, key: MapKey) -> None:
    """Say what was measured of a map, and on which images it was fitted."""
    try:
        said = sentences(_entry(run, key), len(map_points.points(run, key)), f"rice-ssl map {run.path}")
    except ArtifactError as error:
        said = [str(error)]
    st.caption(" ".join([NOT_EVIDENCE, *said, *_without_place(run, key)]))


def _entry(run: RunKey, key: MapKey) -> Mapping[str, Any] | None:
    """What map.json says of a map; None where it is older than the map, or not there."""
    if not access.has_document(run, "map"):
        return None
    with reading("map.json", f"rice-ssl map {run.path}"):
        wanted = (key.method, key.space, key.dimensions, key.seed)
        for one in access.document(run, "map")["maps"]:
            if tuple(one[name] for name in ("method", "space", "dimensions", "seed")) == wanted:
                return dict(one)
    return None


def sentences(entry: Mapping[str, Any] | None, images: int, command: str) -> list[str]:
    """What is said of a map.

    Args:
        entry: of ``map.json``; None where it says nothing.
        images: on the map.
        command: that makes map.json.

    Raises:
        ArtifactError: the entry lacks what is shown.
    """
    with reading("map.json", command):
        said = []
        if entry is not None and entry["fitted"] < entry["images"]:
            said.append(
                f"Fitted on a sample of {entry['fitted']:,} of {entry['images']:,} images; others were laid into it."
            )
        found = None if entry is None else entry["quality"]
        if found is not None:
            k = found["neighbours"]
            said.append(
                f"Trustworthiness {found['trustworthiness']:.3f} of 1 (false neighbours penalised by rank), continuity "
                f"{found['continuity']:.3f} of 1 (lost neighbours likewise); of an image's {k} nearest on the map, "
                f"{100 * found['shared']:.0f}% are among its {k} nearest in the original space "
                f"({found['images']:,} images measured)."
            )
        elif images < FEWEST:
            said.append(f"There are too few images ({images}) to measure how well this map keeps neighbours.")
        else:
            said.append(f"How well this map keeps neighbours was not measured: `{command}` does it.")
        return said


def _without_place(run: RunKey, key: MapKey) -> list[str]:
    missing = int(map_points.points(run, key)["x"].isna().sum())
    if not missing:
        return []
    if missing == 1:
        return ["1 image has no place: its numbers are not finite."]
    return [f"{missing:,} images have no place: their numbers are not finite."]
