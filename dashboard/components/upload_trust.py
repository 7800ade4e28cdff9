"""Whether an upload's maps can be trusted: measured when asked, in the way in which the run's own maps were."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access, live_network
from dashboard.access import RunKey
from dashboard.components.map_trust import OTHER_CLASS, measured_badge
from dashboard.components.notice import reading
from dashboard.components.pair_viewer import Badge
from dashboard.components.uploaded_images import GivenImage
from rice_ssl.attribution.explained import MapTrust

Badges = tuple[Badge | None, int | None, Badge | None]
"""Of the map that was measured, the number of its class, and of the other maps; None where there are none."""
_MEASURED = "upload_measured"
_KIND = {"method": "grad_cam", "layer": "last"}


def badges(run: RunKey, given: dict[str, GivenImage]) -> dict[str, Badges]:
    """Draw a button that measures the maps, and give the badges by the name of the sensor.

    Raises:
        ArtifactError: attribution.json cannot be read, or the networks cannot be loaded.
    """
    command = f"rice-ssl attribution {run.path}"
    if not access.has_document(run, "attribution"):
        told = Badge("outline", "trust not measured", f"It can be, once `{command}` has found what to blur with.")
        return dict.fromkeys(given, (None, None, told))
    with reading("attribution.json", command):
        document = access.document(run, "attribution")
        sigmas = {name: float(document["blur"][name]["sigma"]) for name in given if name in document["blur"]}
        settings = document["settings"]
        random, steps = int(settings["random_maps"]), int(settings["steps"])
    known: dict[str, tuple[GivenImage, MapTrust]] = st.session_state.setdefault(_MEASURED, {})
    for name in [name for name, (image, _) in known.items() if given.get(name) is not image]:
        del known[name]
    due = [name for name in given if name in sigmas and name not in known]
    if due and st.button(
        "Measure this map" if len(given) == 1 else "Measure these maps",
        icon=":material/verified:",
        help=f"Blurs the picture where the map is strong, and asks the network again: against {random} random maps. "
        "Takes some seconds.",
        key="upload_measure",
    ):
        with st.spinner("Measuring …"):
            for name in due:
                found = live_network.measure(
                    run, name, given[name].pixels, sigma=sigmas[name], random=random, steps=steps
                )
                known[name] = (given[name], found)
        st.rerun()
    classes = list(access.info(run)["classes"])
    return {
        name: _badge(name, known[name][1] if name in known else None, classes, can_be=name in sigmas) for name in given
    }


def _badge(name: str, trust: MapTrust | None, classes: list[str], *, can_be: bool) -> Badges:
    how = "Measure it with the button above." if can_be else "The run does not note what to blur this sensor's with."
    untold = Badge("outline", "trust not measured", how)
    if trust is None:
        return None, None, untold
    row = {**asdict(trust), **_KIND, "sensor": name, "class_name": classes[trust.predicted], "road": np.nan}
    found = measured_badge(pd.DataFrame([row]), name, _KIND)
    return (None, None, untold) if found is None else (found[0], trust.predicted, OTHER_CLASS)
