"""What holds of a run wherever it is shown: simulated or not, what it learnt from, what its figures leave open."""

from __future__ import annotations

import streamlit as st

from dashboard import access
from dashboard.access import OOF, RunKey
from dashboard.components.words import plain

SIMULATED = "Simulated data: no image here is a photograph"


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
        return (
            "The classifier is fused: it was trained on pairs, and one sensor alone is judged as a pair whose other "
            "image is missing."
        )
    if trained not in access.sensors(run):
        return ""
    others = [plain(titles[name]) for name in access.sensors(run) if name != trained]
    told = f"The classifier was trained on {plain(titles[trained])} images alone"
    if not others:
        return f"{told}."
    return f"{told}: what it says of {' and '.join(others)} images is transfer to a sensor never seen in fine-tuning."


PRETRAINED = "SwAV pretraining saw their images, not their labels."


def pretraining(run: RunKey) -> str:
    """That SwAV saw the images of pairs that cross-validation judges; empty where nothing began with SwAV weights."""
    if access.finetuning(run).get("start", "swav") != "swav" or access.weights_from(run) is not None:
        return ""
    other = access.swav_run(run)
    if not other:
        return PRETRAINED
    return f"SwAV pretraining (run {plain(other)}) may have seen their images, not their labels."


def reservations(run: RunKey, split: str) -> list[str]:
    """What to bear in mind of a run's figures on a split, a sentence each."""
    found = []
    if split == OOF:
        found += ["Each pair was judged by networks that did not see it (cross-validation).", pretraining(run)]
    if split == "val" and access.was_seen(run, split) and access.epoch_was_chosen(run):
        found.append("The epoch was chosen on these pairs, so these figures flatter a little.")
    return [sentence for sentence in found if sentence]
