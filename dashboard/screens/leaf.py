"""Leaf: one pair, both sensors side by side: predictions, evidence, neighbours."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import access, computed, state
from dashboard.access import RunKey
from dashboard.charts.leaf import probability_bars
from dashboard.components import channels
from dashboard.components.gallery import gallery
from dashboard.components.notice import explain
from dashboard.components.pair_picker import pick_pair
from dashboard.components.words import label_text, plain, split_title
from rice_ssl.attribution.overlay import colour_bar, overlay
from rice_ssl.errors import ArtifactError
from rice_ssl.sensors import BOTH

PREDICTED = "predicted"
NEIGHBOURS = 6
BAR_WIDTH = 110
NARROWEST = 140
"""Pixels of a sensor's column, so that a pair stays side by side on a phone."""
Cam = npt.NDArray[np.float32]


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Leaf")
    pairs = access.pairs(run)
    pair_id = pick_pair(pairs)
    if pair_id is None:
        return
    _headline(run, pair_id, pairs.loc[pair_id])
    _side_by_side(run, pair_id, pairs.loc[pair_id])
    try:
        channels.of_pair(run, pair_id)
    except ArtifactError as error:
        explain(error)
    _neighbours(run, pair_id, pairs)


def _headline(run: RunKey, pair_id: str, row: pd.Series) -> None:
    """Whether the sensors agree, in a sentence."""
    titles, names = access.titles(run), access.sensors(run)
    label = row["label"] if isinstance(row["label"], str) else None
    st.markdown(f"#### {plain(pair_id)}")
    facts = " · ".join([f"Label **{plain(label)}**" if label else "No label", f"{split_title(row['split'])} pair"])
    predicted = {n: row.get(f"{n}_prediction") for n in names if isinstance(row.get(f"{n}_prediction"), str)}
    if not predicted:
        explain(ArtifactError(f"This run has no predictions of this pair. {access.remedy(run, 'finetune')}"))
        return
    if len(predicted) == 1:
        ((name, word),) = predicted.items()
        st.markdown(f"Only the {plain(titles[name])} image is there; it is predicted **{plain(word)}**. {facts}")
        return
    first, second = list(predicted)[:2]
    if predicted[first] == predicted[second]:
        said = f":green-badge[:material/check: The sensors agree] on **{plain(predicted[first])}**"
    else:
        said = (
            f":orange-badge[:material/call_split: The sensors disagree] {plain(titles[first])} says "
            f"**{plain(predicted[first])}**, {plain(titles[second])} says **{plain(predicted[second])}**"
        )
    st.markdown(
        f"{said} (divergence {row['divergence']:.2f} bits). {facts}",
        help="Jensen-Shannon divergence of the two sensors' probabilities: 0 bits where they are the same, "
        "1 bit where each is certain of another class.",
    )
    if access.judged_by(run) == access.CROSS_VALIDATION:
        st.caption("Predictions of cross-validation, by networks that did not see this pair.")


@st.fragment
def _side_by_side(run: RunKey, pair_id: str, row: pd.Series) -> None:
    """Pictures with CAMs, and probabilities; a change of class or opacity draws this part alone."""
    classes = list(access.info(run)["classes"])
    names, titles = access.sensors(run), access.titles(run)
    label = row["label"] if isinstance(row["label"], str) else None
    try:
        cams = {name: found for name in names if (found := access.cam(run, pair_id, name)) is not None}
    except ArtifactError as error:
        explain(error)
        cams = {}
    class_name, opacity = _evidence_controls(classes) if cams else (PREDICTED, 0.0)
    shown = {
        name: classes.index(row[f"{name}_prediction"]) if class_name == PREDICTED else classes.index(class_name)
        for name in cams
        if class_name != PREDICTED or isinstance(row.get(f"{name}_prediction"), str)
    }
    scale = max((float(cams[name][number].max()) for name, number in shown.items()), default=0.0)
    probabilities = access.probabilities(run, pair_id) if access.judged_by(run) else {}
    left, right = st.columns([3, 1], gap="medium")
    with left:
        pictures = st.grid(len(names), min_column_width=NARROWEST, gap="small")
        try:
            for name in names:
                number = shown.get(name)
                evidence = None if number is None else (cams[name][number], classes[number])
                with pictures.cell():
                    _picture(run, pair_id, name, evidence, opacity, scale)
        except ArtifactError as error:  # the run keeps no pictures
            explain(error)
        if shown:
            _colour_scale(scale)
        bars = st.grid(len(names), min_column_width=NARROWEST, gap="small")
        for name in names:
            with bars.cell():
                if name in probabilities:
                    _bars(probabilities[name], classes, label, name, titles[name])
    with right:
        if BOTH in probabilities and len([n for n in names if n in probabilities]) > 1:
            st.markdown(f"**{plain(titles[BOTH])}**, from all sensors")
            _bars(probabilities[BOTH], classes, label, BOTH, titles[BOTH])
            _who_weighs(run, pair_id, probabilities[BOTH], classes)
        if shown:
            height, width = next(iter(cams.values())).shape[1:]
            st.caption(
                "Grad-CAM (gradient-weighted class activation map) of the encoder's last layer, "
                f"{height}x{width} cells, all sensors on one scale, so a faint map means little evidence. It shows "
                "where the network looks, which need not be where the disease is; its faithfulness has not been "
                "measured in this version."
            )


def _evidence_controls(classes: list[str]) -> tuple[str, float]:
    """Class whose evidence is drawn, and opacity."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = [PREDICTED, *classes]
        state.say_unknown("class", options, PREDICTED)
        class_name = st.segmented_control(
            "Evidence for", options, default=PREDICTED, required=True, key="class", bind="query-params",
            help="For what each sensor predicts, or for one class in all sensors.",
        )  # fmt: skip
        opacity = st.slider("Opacity", 0.0, 1.0, 0.6, 0.05, key="leaf_opacity", bind="query-params", width=220)
    return str(class_name), opacity


def _picture(
    run: RunKey, pair_id: str, name: str, evidence: tuple[Cam, str] | None, opacity: float, scale: float
) -> None:
    """One sensor's image, with the evidence for a class where there is some."""
    title, picture = access.titles(run)[name], access.thumbnail(run, pair_id, name)
    if picture is None:
        st.info(f"This pair has no {title} image.")
    elif evidence is None:
        st.image(picture, caption=title, width="stretch", alt=f"{title} image of {pair_id}")
    else:
        st.image(
            _overlaid(picture, evidence[0], opacity, scale),
            caption=f"{title}, evidence for {evidence[1]}",
            width="stretch",
            alt=f"{title} image of {pair_id}, evidence for {evidence[1]}",
        )


def _colour_scale(scale: float) -> None:
    """The colours of the evidence, small, under the maps."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption("no evidence", width="content")
        st.image(colour_bar(), width=BAR_WIDTH, alt="Colours from no evidence to the strongest")
        st.caption(f"{scale:.2g} logits, the strongest", width="content")


def _bars(probabilities: list[float], classes: list[str], label: str | None, name: str, title: str) -> None:
    figure = probability_bars(probabilities, classes, label)
    st.plotly_chart(figure, config={"displayModeBar": False}, key=f"bars-{name}", alt=f"Probabilities by {title}")


def _who_weighs(run: RunKey, pair_id: str, joint: list[float], classes: list[str]) -> None:
    """How much each sensor adds to the log-odds of the pair's two most probable classes."""
    parts, titles = access.contributions(run, pair_id), access.titles(run)
    if not parts:
        return
    first, second = np.argsort([-value for value in joint], kind="stable")[:2]
    odds = {sensor: values[first] - values[second] for sensor, values in parts.items()}
    words = ", ".join(f"{plain(titles[sensor])} {value:+.2f}" for sensor, value in odds.items())
    st.markdown(
        f"**{plain(classes[first])}** over {plain(classes[second])} by log-odds of {sum(odds.values()):.2f}: {words}.",
        help="The pair's logits are the sum of what its sensors contribute, so the parts add up (but for rounding).",
    )


def _overlaid(picture: bytes, cam: Cam, opacity: float, scale: float) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(picture)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    return overlay(pixels, cam, opacity=opacity, scale=scale)


def _neighbours(run: RunKey, pair_id: str, pairs: pd.DataFrame) -> None:
    """Nearest images in either sensor, in the space of embeddings."""
    st.subheader("Nearest leaves")
    names, titles = access.sensors(run), access.titles(run)
    options = {f"{titles[a]} → {titles[b]}": (a, b) for a in names for b in names}
    default = next(iter(options))
    state.say_unknown("neighbours", options, default)
    chosen = st.segmented_control(
        "This leaf's image → images searched", list(options), default=default, required=True, key="neighbours",
        bind="query-params",
    )  # fmt: skip
    own, among = options[str(chosen)]
    try:
        found = computed.neighbours(run, pair_id, own, among, NEIGHBOURS)
    except ArtifactError as error:
        explain(error)
        return
    if not found:
        st.info(f"This pair has no {plain(titles[own])} embedding.")
        return
    captions = {}
    for other, similarity in found:
        twin = " · its twin" if other == pair_id else ""
        captions[other, among] = f"{label_text(pairs.loc[other, 'label'])} · {similarity:.2f}{twin}"
    gallery(run, [(other, among) for other, _ in found], key="neighbour", captions=captions, columns=NEIGHBOURS)
    st.caption("Cosine similarity of embeddings in the original space, not distance on a map.")
