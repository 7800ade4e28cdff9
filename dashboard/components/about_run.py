"""What holds of a run wherever it is shown: that it is simulated, which images its classifier learnt from."""

from __future__ import annotations

import streamlit as st

from dashboard import access
from dashboard.access import RunKey

SIMULATED = "Simulated data: no picture here is a photograph"


def badges(run: RunKey) -> None:
    """Badges where a run's data or weights are simulated."""
    info, other = access.info(run), access.weights_from(run)
    told = [SIMULATED] if info.get("simulated") else []
    if other and info.get("weights_simulated"):
        told.append(f"Weights trained on simulated leaves (run {other})")
    if told:
        with st.container(horizontal=True, gap="small"):
            for text in told:
                st.badge(text, icon=":material/science:", color="orange")


def classifier(run: RunKey) -> str:
    """Which images the classifier learnt from, in a sentence; empty where all sensors' alike, or it is not noted."""
    trained, titles = access.trained_sensors(run), access.titles(run)
    if trained == "fused":
        return "The classifier is fused: it was trained on pairs, and a sensor alone is a pair of which an image lacks."
    if trained not in access.sensors(run):
        return ""
    others = [titles[name] for name in access.sensors(run) if name != trained]
    told = f"The classifier was trained on {titles[trained]} images alone"
    if not others:
        return f"{told}."
    return f"{told}: what it says of {' and '.join(others)} images is transfer to a sensor never seen in training."
