"""Leaf: one pair, both sensors side by side: predictions, evidence, neighbours."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from PIL import Image

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.leaf import probability_bars
from dashboard.components.gallery import gallery
from dashboard.components.notice import explain
from dashboard.components.pair_picker import pick_pair
from rice_ssl.attribution.overlay import overlay
from rice_ssl.errors import ArtifactError
from rice_ssl.sensors import BOTH

PREDICTED = "predicted"
NEIGHBOURS = 6


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
    _neighbours(run, pair_id, pairs)


def _headline(run: RunKey, pair_id: str, row: pd.Series) -> None:
    """Whether the sensors agree, in a sentence."""
    titles, names = access.titles(run), access.sensors(run)
    label = row["label"] if isinstance(row["label"], str) else None
    st.markdown(f"#### {pair_id}")
    facts = [f"label **{label}**" if label else "no label", f"split {row['split']}"]
    predicted = {n: row.get(f"{n}_prediction") for n in names if isinstance(row.get(f"{n}_prediction"), str)}
    if not predicted:
        explain(
            ArtifactError(f"This run has no prediction of this pair. Make them with `rice-ssl finetune {run.path}`.")
        )
    elif len(predicted) == 1:
        ((name, word),) = predicted.items()
        st.markdown(f"Only the {titles[name]} image is there; it is predicted **{word}**. {' · '.join(facts)}")
    else:
        first, second = list(predicted)[:2]
        bits = f"Jensen-Shannon divergence {row['divergence']:.2f} bits of 1"
        if predicted[first] == predicted[second]:
            st.markdown(
                f":green-badge[:material/check: The sensors agree] on **{predicted[first]}** ({bits}). "
                f"{' · '.join(facts)}"
            )
        else:
            st.markdown(
                f":orange-badge[:material/call_split: The sensors disagree] {titles[first]} says "
                f"**{predicted[first]}**, "
                f"{titles[second]} says **{predicted[second]}** ({bits}). {' · '.join(facts)}"
            )


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
    class_name, opacity = PREDICTED, 0.0
    if cams:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            options = [PREDICTED, *classes]
            asked = state.chosen("class", options, PREDICTED)
            class_name = st.segmented_control(
                "Evidence for", options, default=asked, required=True, key="leaf_class",
                format_func=lambda word: "each sensor's own prediction" if word == PREDICTED else word,
            )  # fmt: skip
            st.query_params["class"] = class_name
            opacity = st.slider(
                "Opacity of the CAM", 0.0, 1.0, 0.6, 0.05, key="leaf_opacity", bind="query-params", width=260
            )
    probabilities = access.probabilities(run, pair_id) if access.has(run, "predictions") else {}
    shown = {
        name: classes.index(row[f"{name}_prediction"]) if class_name == PREDICTED else classes.index(class_name)
        for name in cams
        if class_name != PREDICTED or isinstance(row.get(f"{name}_prediction"), str)
    }
    scale = max((float(cams[name][number].max()) for name, number in shown.items()), default=0.0)
    columns = st.columns([*[3] * len(names), 2], gap="medium")
    for column, name in zip(columns, names, strict=False):
        with column:
            picture = access.thumbnail(run, pair_id, name)
            if picture is None:
                st.info(f"This pair has no {titles[name]} image.")
                continue
            caption = titles[name]
            if name in shown:
                caption += f", evidence for {classes[shown[name]]}"
                content: bytes | npt.NDArray[np.uint8] = _overlaid(picture, cams[name][shown[name]], opacity, scale)
            else:
                content = picture
            st.image(content, caption=caption, width="stretch", alt=f"{titles[name]} image of {pair_id}")
            if name in probabilities:
                st.plotly_chart(
                    probability_bars(probabilities[name], classes, label),
                    config={"displayModeBar": False},
                    key=f"bars-{name}",
                    alt=f"Probabilities by {titles[name]}",
                )
    with columns[-1]:
        if BOTH in probabilities and len([n for n in names if n in probabilities]) > 1:
            st.markdown("**Both sensors together**")
            st.plotly_chart(
                probability_bars(probabilities[BOTH], classes, label),
                config={"displayModeBar": False},
                key="bars-both",
                alt="Probabilities by both sensors",
            )
            _who_weighs(run, pair_id, probabilities[BOTH], classes)
        if cams:
            height, width = next(iter(cams.values())).shape[1:]
            st.caption(
                f"Grad-CAM of the encoder's last layer, {height}x{width} cells, both sensors on one scale, so a faint "
                "map means little evidence. It shows where the network looks, not what a lesion is; its faithfulness "
                "has not been measured in this version."
            )


def _who_weighs(run: RunKey, pair_id: str, joint: list[float], classes: list[str]) -> None:
    """How much each sensor adds to the log-odds of the pair's two most probable classes."""
    parts, titles = access.contributions(run, pair_id), access.titles(run)
    if not parts:
        return
    first, second = np.argsort([-value for value in joint], kind="stable")[:2]
    odds = {sensor: values[first] - values[second] for sensor, values in parts.items()}
    words = ", ".join(f"{titles[sensor]} {value:+.2f}" for sensor, value in odds.items())
    st.markdown(
        f"**{classes[first]}** over {classes[second]} by log-odds of {sum(odds.values()):.2f}: {words}.",
        help="The pair's logits are the sum of what its sensors contribute, so the parts add up exactly.",
    )


def _overlaid(picture: bytes, cam: npt.NDArray[np.float32], opacity: float, scale: float) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(picture)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    return overlay(pixels, cam, opacity=opacity, scale=scale)


def _neighbours(run: RunKey, pair_id: str, pairs: pd.DataFrame) -> None:
    """Nearest images in either sensor, in the space of embeddings."""
    st.subheader("Nearest leaves")
    names, titles = access.sensors(run), access.titles(run)
    try:
        options = {f"{a}-{b}": (a, b) for a in names for b in names}
        chosen = st.segmented_control(
            "This leaf's image → images searched",
            list(options),
            default=next(iter(options)),
            required=True,
            key="leaf_neighbours",
            format_func=lambda key: " → ".join(titles[name] for name in options[key]),
        )
        choice = options[str(chosen)]
        found = access.neighbours(run, pair_id, choice[0], choice[1], NEIGHBOURS)
    except ArtifactError as error:
        explain(error)
        return
    if not found:
        st.info(f"This pair has no {titles[choice[0]]} embedding.")
        return
    captions = {}
    for other, similarity in found:
        word = pairs.loc[other, "label"]
        twin = " · its twin" if other == pair_id else ""
        captions[other, choice[1]] = f"{word if isinstance(word, str) else 'no label'} · {similarity:.2f}{twin}"
    gallery(run, [(other, choice[1]) for other, _ in found], key="neighbour", captions=captions, columns=NEIGHBOURS)
    st.caption("Cosine similarity of embeddings in the original space, not distance on a map.")
