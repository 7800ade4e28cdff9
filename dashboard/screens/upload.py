"""Upload: a pair, or one image, that the user gives: predicted, explained and placed among the run's images."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from PIL import Image

from dashboard import access, live_network, neighbours, prototype_data, state
from dashboard.access import RunKey
from dashboard.components import about_run, pair_viewer, upload_trust
from dashboard.components.gallery import gallery
from dashboard.components.notice import explain
from dashboard.components.uploaded_images import GivenImage, given_images
from dashboard.components.words import label_text, plain, split_title
from rice_ssl.attribution.explained import Explained, ExplainedImage
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.sensors import BOTH

NEIGHBOURS = 6
ALONE_WIDTH = 640
"""Pixels that one picture takes at most."""
_VIEWER, _VIEW = "upload-viewer", "upload_view"
_FIRST_VIEW = {"class": "predicted", "opacity": 0.6, "mode": "side", "map": ""}


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Upload")
    st.caption(
        "A pair of images of one leaf, or one image of it, judged by this run's networks. Files are read in memory, "
        "for this session alone: nothing is written to disk."
    )
    if not access.has_networks(run):
        raise ArtifactError(f"This run has no networks that could be asked. {access.remedy(run, 'pretrain')}")
    given = given_images(run, live_network.picture_size(run))
    if not given:
        _what_to_expect(run)
        return
    found = live_network.explain(run, {name: image.pixels for name, image in given.items()})
    st.divider()
    known = _known_files(run, given)
    _headline(run, found)
    _reservations(run, found)
    _side_by_side(run, given, found)
    _prototypes(run, found)
    _neighbours(run, found, known)


def _what_to_expect(run: RunKey) -> None:
    titles = [plain(access.titles(run)[name]) for name in access.sensors(run)]
    together = (
        f"; with {'both' if len(titles) == 2 else 'several'} they are judged as a pair" if len(titles) > 1 else ""
    )
    st.info(f"Give an image of {' or '.join(titles)}{together}.", icon=":material/upload:")


def _known_files(run: RunKey, given: dict[str, GivenImage]) -> dict[str, str]:
    """Say where a file is one of the run's own, since the networks may have learnt from it; its pair by sensor."""
    images, splits, titles = access.images(run), access.labels(run)["split"], access.titles(run)
    known = {}
    for name, image in given.items():
        same = images.index[(images[name] == image.sha256).to_numpy(dtype=bool)] if name in images else []
        if len(same):
            known[name] = str(same[0])
    told = [
        f"{plain(given[name].name)} is an image of this run: {plain(titles[name])} of the "
        f"{split_title(splits.get(pair_id, '')).lower()} pair {plain(pair_id)}."
        for name, pair_id in known.items()
    ]
    if told:
        st.caption(" ".join(told))
    return known


def _headline(run: RunKey, found: Explained) -> None:
    """What is predicted, and whether the sensors agree, in a sentence."""
    titles, classes = access.titles(run), list(access.info(run)["classes"])
    said = {
        name: classes[int(image.probabilities.argmax())]
        for name, image in found.images.items()
        if image.probabilities is not None
    }
    if not said:
        explain(ArtifactError(f"This run has no weights of a classifier. {access.remedy(run, 'finetune')}"))
        return
    if len(said) == 1:
        ((name, word),) = said.items()
        st.markdown(f"The {plain(titles[name])} image is predicted **{plain(word)}**.")
        return
    first, second = list(said)[:2]
    if said[first] == said[second]:
        sentence = f":green-badge[:material/check: The sensors agree] on **{plain(said[first])}**"
    else:
        sentence = (
            f":orange-badge[:material/call_split: The sensors disagree] {plain(titles[first])} says "
            f"**{plain(said[first])}**, {plain(titles[second])} says **{plain(said[second])}**"
        )
    a, b = (np.asarray(found.images[name].probabilities)[None] for name in (first, second))
    joint = "" if found.joint is None else f" Together: **{plain(classes[int(found.joint.argmax())])}**."
    st.markdown(
        f"{sentence} (divergence {jensen_shannon(a, b)[0]:.2f} bits).{joint}",
        help="Jensen-Shannon divergence of the two sensors' probabilities: 0 bits where they are the same, "
        "1 bit where each is certain of another class.",
    )


def _reservations(run: RunKey, found: Explained) -> None:
    """What makes an answer worth little: an image unlike all that the run knows, weights that saw no photograph."""
    titles = access.titles(run)
    for name, image in found.images.items():
        try:
            limit, nearest = neighbours.far_below(run, name), neighbours.of_vector(run, image.embedding, name, 1)
        except ArtifactError:  # the run has no embeddings, which is said where neighbours would be
            continue
        if limit is not None and nearest is not None and nearest.pair_ids and nearest.cosines[0] < limit:
            st.warning(
                f"The {plain(titles[name])} image is unlike everything that this run knows: the nearest "
                f"{plain(titles[name])} image has a cosine similarity of {nearest.cosines[0]:.3f}, and 99 in 100 of "
                f"the run's own have one of more than {limit:.3f}. What the networks say of it means little.",
                icon=":material/explore_off:",
            )
    info = access.info(run)
    told = [about_run.classifier(run)]
    if info.get("simulated") or info.get("weights_simulated"):
        told.append("The networks learnt from simulated leaves alone: how they do on photographs is not known.")
    told.append("A network answers for any image, also for one that shows no leaf.")
    st.caption(" ".join(sentence for sentence in told if sentence))


def _side_by_side(run: RunKey, given: dict[str, GivenImage], found: Explained) -> None:
    """Pictures, evidence and probabilities; class and opacity are changed in the browser."""
    titles, classes = access.titles(run), list(access.info(run)["classes"])
    maps = next((image.cam for image in found.images.values() if image.cam is not None), None)
    trusted = {} if maps is None else _trusted(run, given)
    sensors = [
        _view(titles[name], given[name], image, trusted.get(name, (None, None, None)))
        for name, image in found.images.items()
    ]
    with st.container(width="stretch" if len(sensors) > 1 else ALONE_WIDTH):
        pair_viewer.draw(
            "the upload",
            sensors,
            classes,
            view=_view_of(classes),
            key=_VIEWER,
            on_view_change=_keep_view,
            joint=None if found.joint is None else (f"{titles[BOTH]}, from all sensors", found.joint.tolist()),
            kind=pair_viewer.MapKind(unit="logits"),
            note=""
            if maps is None
            else "Grad-CAM (gradient-weighted class activation map) of the encoder's last layer, "
            f"{maps.shape[1]}x{maps.shape[2]} cells, all sensors on one scale. It shows where the network looks, which "
            "need not be where the disease is.",
        )


def _trusted(run: RunKey, given: dict[str, GivenImage]) -> dict[str, upload_trust.Badges]:
    try:
        return upload_trust.badges(run, given)
    except ArtifactError as error:
        explain(error)
        return {}


def _view(title: str, given: GivenImage, image: ExplainedImage, trust: upload_trust.Badges) -> pair_viewer.SensorView:
    probabilities, (badge, measured, otherwise) = image.probabilities, trust
    return pair_viewer.SensorView(
        title=title,
        jpeg=_jpeg(given.shown),
        maps=image.cam,
        predicted=None if probabilities is None else int(probabilities.argmax()),
        probabilities=None if probabilities is None else probabilities.tolist(),
        badge=badge,
        measured=measured,
        otherwise=otherwise,
    )


def _view_of(classes: list[str]) -> dict[str, Any]:
    """What the user chose to see, as far as this run has it."""
    view = dict(st.session_state.get(_VIEW, _FIRST_VIEW))
    return view if view["class"] in ("predicted", *classes) else {**view, "class": "predicted"}


def _keep_view() -> None:
    """Remember what the user chose to see."""
    changed = st.session_state.get(_VIEWER)
    if changed is not None and changed.get("view"):
        st.session_state[_VIEW] = {**_FIRST_VIEW, **changed["view"]}


def _jpeg(pixels: npt.NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _prototypes(run: RunKey, found: Explained) -> None:
    """Prototype of each image, and what the run's own images of it are."""
    assigned = {
        name: image.prototype_probabilities
        for name, image in found.images.items()
        if image.prototype_probabilities is not None
    }
    if not assigned:
        return
    st.subheader("Prototypes")
    titles = access.titles(run)
    try:
        table = prototype_data.prototypes(run)
    except ArtifactError as error:
        explain(error)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, probabilities in assigned.items():
            number = int(probabilities.argmax())
            row = table.loc[number]
            mostly = (
                f", {100 * row['purity']:.0f}% of those with a label **{plain(row['label'])}**"
                if isinstance(row["label"], str)
                else ""
            )
            with st.container(border=True, width=320):
                st.markdown(
                    f"{plain(titles[name])}: prototype **{number}** (confidence {probabilities[number]:.2f}), "
                    f"with {int(row['images'])} of the run's images{mostly}."
                )
                if st.button("Open it", key=f"upload_prototype_{name}", type="tertiary"):
                    state.open_screen("prototypes", prototype=str(number))


def _neighbours(run: RunKey, found: Explained, known: dict[str, str]) -> None:
    """The run's nearest images in either sensor, in the space of embeddings; ``known``: pairs of files it holds."""
    st.subheader("Nearest leaves")
    titles = access.titles(run)
    options = {f"{titles[a]} → {titles[b]}": (a, b) for a in found.images for b in access.sensors(run)}
    default = next(words for words, (own, among) in options.items() if own == among)
    chosen = st.segmented_control(
        "This image → the run's images searched", list(options), default=default, required=True,
        key="upload_neighbours",
    )  # fmt: skip
    own, among = options.get(str(chosen), options[default])
    try:
        nearest = neighbours.of_vector(run, found.images[own].embedding, among, NEIGHBOURS)
        if nearest is None:
            st.info(f"This run has no {plain(titles[among])} embedding.")
            return
        labels = access.labels(run)["label"]
        captions = {}
        for pair_id, similarity in zip(nearest.pair_ids, nearest.cosines, strict=True):
            same = "" if known.get(own) != pair_id else " · this file" if own == among else " · its twin"
            captions[pair_id, among] = f"{label_text(labels.get(pair_id))} · {similarity:.2f}{same}"
        gallery(run, list(captions), key="upload-neighbour", captions=captions, columns=NEIGHBOURS)
    except ArtifactError as error:
        explain(error)
        return
    st.caption("Label, and cosine similarity of embeddings in the original space, not distance on a map.")
