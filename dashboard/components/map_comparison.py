"""Maps beside something else: simulated lesions, the other sensor's map, and the bands of the image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.dots import dot, dots_figure
from dashboard.charts.figures import CLASS_COLOURS, sensor_colours
from dashboard.components import picture
from dashboard.components.figure_words import decimal, percent
from dashboard.components.map_agreement import NEAR_INFRARED
from dashboard.components.trust_figures import Document, is_better, kind_titles
from dashboard.components.words import plain

LESIONS = {
    "pointing": "Pointing game",
    "mass": "Evidence on lesions",
    "rank": "Strongest cells on lesions",
}
SEEN = {True: "that this sensor shows", False: "that this sensor does not show"}
NULLS = {
    "overlap_above_null": "Overlap, above",
    "rank_correlation_above_null": "Rank correlation, above",
    "centre_distance_below_null": "Distance of centres, below",
}
REGISTERED = {True: "registered pairs", False: "pairs that are not registered"}


def lesions(run: RunKey, document: Document) -> None:
    """Whether maps lie on the lesions of simulated leaves."""
    found = document["localisation"]
    there = [seen for seen in SEEN if any(bool(one["visible"]) == seen for one in found)]
    texts = {seen: f"lesions {SEEN[seen]}" for seen in there}
    state.say_unknown("lesions", list(texts.values()), texts[there[0]])
    seen = st.segmented_control(
        "Simulated leaves with", there, default=there[0], required=True, key="lesions", bind="query-params",
        format_func=texts.__getitem__,
    )  # fmt: skip
    own = [one for one in found if bool(one["visible"]) == seen]
    kinds, titles = kind_titles(document), access.titles(run)
    for one in own:
        if one["method"] == "grad_cam" and one["pointing"] is not None:
            _lesion_sentence(one, own, plain(titles.get(one["sensor"], one["sensor"])), kinds)
    colours = {titles[name]: colour for name, colour in sensor_colours(access.sensors(run)).items()}
    dots = [
        dot(title, kinds.get((one["method"], one["layer"]), one["method"]), one[name], titles[one["sensor"]])
        for kind in kinds
        for name, title in LESIONS.items()
        for one in own
        if (one["method"], one["layer"]) == kind
    ]
    picture.draw(
        dots_figure(dots, colours, columns=3, shares=list(LESIONS.values())), key="lesion_figure",
        filename="lesions", alt="How maps lie on simulated lesions, by method and sensor",
    )  # fmt: skip
    st.caption(
        "**Simulated** leaves, whose lesions are known; the map is of the labelled class. Pointing game: share of maps "
        "whose maximum lies on a lesion. Evidence on lesions: share of the map's sum (relevance mass). Strongest "
        "cells: share of lesion pixels among as many of the map's strongest (relevance rank). Lesions are small, and "
        "one cell of a map covers more than one: compare with the baselines, not with 1."
    )


def _lesion_sentence(
    one: Mapping[str, Any], own: list[Mapping[str, Any]], sensor: str, kinds: Mapping[tuple[str, str], str]
) -> None:
    centre = [e for e in own if e["method"] == "gaussian" and e["sensor"] == one["sensor"] and e["pointing"]]
    beside = f", a Gaussian in the centre in {percent(centre[0]['pointing'])}" if centre else ""
    than = one["pointing_above_gaussian"]
    if is_better(than):
        said = "better than the centre"
    elif than is not None and than["high"] < 0:
        said = "worse than the centre"
    else:
        said = "not shown to be better than the centre"
    name = plain(kinds[one["method"], one["layer"]])
    st.markdown(
        f"**{sensor}**: the strongest place of {name} is on a lesion in {percent(one['pointing'])} of "
        f"{one['pairs']:,} leaves{beside}: {said}."
    )


def agreement(run: RunKey, document: Document) -> None:
    """Whether the two sensors' maps agree more than those of different pairs."""
    found, kinds = document["agreement"], kind_titles(document)
    if not found:
        st.info("There is no pair with two maps to compare.")
        return
    for one in found:
        if one["method"] == "grad_cam" and one["overlap"] is not None:
            than = one["overlap_above_null"]
            said = "more than" if is_better(than) else "not shown to be more than"
            above = "" if than is None else f" ({decimal(than)} above)"
            name = plain(kinds.get((one["method"], one["layer"]), one["method"]))
            st.markdown(
                f"{name}, {REGISTERED[bool(one['registered'])]} ({one['pairs']:,}): the two sensors' maps overlap by "
                f"{decimal(one['overlap'])}, {said} maps of different pairs do{above}."
            )
    dots = [
        dot(title, kinds.get((one["method"], one["layer"]), one["method"]), one[name], REGISTERED[registered])
        for kind in kinds
        for name, title in NULLS.items()
        for registered in REGISTERED
        for one in found
        if (one["method"], one["layer"]) == kind and bool(one["registered"]) == registered
    ]
    colours = dict(zip(REGISTERED.values(), CLASS_COLOURS[1:3], strict=True))
    picture.draw(
        dots_figure(dots, colours, columns=3), key="map_agreement_figure", filename="map-agreement",
        alt="Agreement of the two sensors' maps above that of shuffled pairs, by method",
    )  # fmt: skip
    st.caption(
        "Both maps are of the class predicted for the pair. Figures are above (for distances, below) those of shuffled "
        "pairs, one sensor's map against another pair's: 0 is what any two leaves have in common. Pairs that the audit "
        "registered are laid on each other first; for the others it compares where in the frame the maps point."
    )


def bands(run: RunKey, document: Document) -> None:
    """How much of the evidence each band holds."""
    found, titles = document["bands"], access.titles(run)
    if not found:
        st.info("Bands were not measured: integrated gradients were not asked for.")
        return
    for one in found:
        if one["band"] == NEAR_INFRARED and one["share"] is not None:
            name = plain(titles[one["sensor"]])
            st.markdown(f"**{percent(one['share'])}** of the evidence in {name} images is near infrared.")
    colours = {titles[name]: colour for name, colour in sensor_colours(access.sensors(run)).items()}
    dots = [dot(titles[one["sensor"]], str(one["band"]), one["share"], titles[one["sensor"]]) for one in found]
    picture.draw(
        dots_figure(dots, colours, columns=2, shares=[titles[name] for name in access.sensors(run)]),
        key="band_figure", filename="bands", alt="Share of each band in the evidence, by sensor",
    )  # fmt: skip
    st.caption(
        "Share of the absolute Integrated Gradients for the class predicted, mean over images. Bands that carry alike "
        "structure can stand in for each other; what becomes of the answer when a band is replaced is on the Sensors "
        "screen."
    )
