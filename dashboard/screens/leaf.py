"""Leaf: one pair, both sensors side by side: predictions, evidence, neighbours."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import access, neighbours, selection, state
from dashboard.access import RunKey
from dashboard.components import channels, evidence_export, leaf_evidence, leaf_view, pair_viewer
from dashboard.components.gallery import gallery
from dashboard.components.leaf_evidence import LeafEvidence
from dashboard.components.map_agreement import agreement_sentence, band_sentence
from dashboard.components.notice import explain, reading
from dashboard.components.pair_picker import pick_pair
from dashboard.components.pair_viewer import SensorView
from dashboard.components.words import label_text, plain, split_title
from rice_ssl.errors import ArtifactError, RiceSSLError
from rice_ssl.sensors import BOTH

NEIGHBOURS = 6
_DRAWN, _FIRST_PAINT = "leaf_drawn", 0.1
"""Pair that was drawn last; seconds that what lies below waits, so that what lies above is drawn first: without, a new
leaf is there after 297 ms at the 95th percentile, with it after 170 (`make benchmark-leaf`)."""


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Leaf")
    pairs = access.pairs(run)
    selection.recall(run, filters=True)
    pair_id = pick_pair(pairs, selection.selected(run))
    if pair_id is None:
        return
    _headline(run, pair_id, pairs.loc[pair_id])
    _side_by_side(run, pair_id, pairs.loc[pair_id])
    evidence_export.export_button(run, [pair_id], key="leaf_export")
    if st.session_state.get(_DRAWN, pair_id) != pair_id:
        time.sleep(_FIRST_PAINT)
    st.session_state[_DRAWN] = pair_id
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
    """Pictures with maps, and probabilities; class, opacity and mode change in the browser alone."""
    try:
        kinds = leaf_evidence.kinds(run)
    except ArtifactError as error:
        explain(error)
        kinds = {}
    classes = list(access.info(run)["classes"])
    view = leaf_view.chosen(classes, list(kinds))
    evidence = leaf_evidence.of_pair(run, pair_id, kinds.get(view["map"]))
    probabilities, problems = _probabilities(run, pair_id), list(evidence.errors)
    shift = None
    try:
        shift = leaf_evidence.shift_of(run, pair_id)
    except ArtifactError as error:
        problems.append(error)
    titles, names = access.titles(run), access.sensors(run)
    judged = {name: (row.get(f"{name}_prediction"), probabilities.get(name)) for name in names}
    sensors = [
        _sensor_view(titles[name], classes, _picture(run, pair_id, name, problems), judged[name], name, evidence)
        for name in names
    ]
    joint = BOTH in probabilities and len([name for name in names if name in probabilities]) > 1
    pair_viewer.draw(
        pair_id,
        sensors,
        classes,
        view=view,
        key=leaf_view.KEY,
        on_view_change=leaf_view.changed,
        label=row["label"] if isinstance(row["label"], str) else None,
        joint=(f"{titles[BOTH]}, from all sensors", probabilities[BOTH]) if joint else None,
        kind=evidence.viewed if evidence.maps else None,
        maps=leaf_evidence.choices(kinds),
        shift=shift,
        note=evidence.note,
    )
    for error in {str(problem): problem for problem in problems}.values():
        explain(error)
    if joint:
        _who_weighs(run, pair_id, probabilities[BOTH], classes)
    _said_of_maps(run, pair_id, evidence)


def _probabilities(run: RunKey, pair_id: str) -> dict[str, list[float]]:
    return access.probabilities(run, pair_id) if access.judged_by(run) else {}


def _picture(run: RunKey, pair_id: str, name: str, problems: list[RiceSSLError]) -> tuple[bytes | None, bool]:
    """A sensor's picture, and whether the run keeps any; that it does not goes to the problems."""
    try:
        return access.thumbnail(run, pair_id, name), True
    except ArtifactError as error:
        problems.append(error)
        return None, False


def _sensor_view(
    title: str,
    classes: list[str],
    picture: tuple[bytes | None, bool],
    judged: tuple[object, list[float] | None],
    name: str,
    evidence: LeafEvidence,
) -> SensorView:
    """What is shown of one sensor."""
    (jpeg, kept), (predicted, probabilities) = picture, judged
    badge, measured = evidence.badges.get(name, (None, None))
    return SensorView(
        title=title,
        jpeg=jpeg,
        missing=f"This pair has no {title} image." if kept and jpeg is None else "",
        maps=evidence.maps.get(name),
        predicted=classes.index(predicted) if predicted in classes else None,
        probabilities=probabilities,
        badge=badge,
        measured=classes.index(measured) if measured in classes else None,
        otherwise=evidence.otherwise.get(name),
    )


def _said_of_maps(run: RunKey, pair_id: str, evidence: LeafEvidence) -> None:
    """Whether the two maps agree, which bands the evidence is in, and what the maps are; each in a sentence."""
    try:
        with reading("The tables of maps", f"rice-ssl attribution {run.path}"):
            kind, found = evidence.compared_kind, []
            compared = access.rows_of_pair(run, "map_agreement", pair_id) if kind else None
            if kind is not None and compared is not None:
                found.append(agreement_sentence(compared, kind))
            bands = access.rows_of_pair(run, "band_evidence", pair_id)
            if bands is not None:
                found.append(band_sentence(bands, access.titles(run)))
            for said, meant in [one for one in found if one]:
                st.markdown(said, help=meant)
    except ArtifactError as error:
        explain(error)
    if evidence.maps:
        st.caption(leaf_evidence.meaning(evidence))


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
        found = neighbours.of_image(run, pair_id, own, among, NEIGHBOURS)
    except ArtifactError as error:
        explain(error)
        return
    if found is None:
        st.info(f"This pair has no {plain(titles[own])} embedding.")
        return
    if not found.pair_ids:
        st.info(f"There is no other {plain(titles[among])} image to compare it with.")
        return
    captions = {}
    for other, similarity in zip(found.pair_ids, found.cosines, strict=True):
        twin = " · its twin" if other == pair_id else ""
        captions[other, among] = f"{label_text(pairs.loc[other, 'label'])} · {similarity:.2f}{twin}"
    gallery(run, list(captions), key="neighbour", captions=captions, columns=NEIGHBOURS)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Cosine similarity of embeddings in the original space, not distance on a map.", width="content")
        if st.button("Search similar leaves", icon=":material/image_search:", key="leaf_similar", type="tertiary"):
            state.open_screen("similar", pair=pair_id, similar_sensor=titles[own])
        if access.has(run, "prototypes") and st.button(
            "Its prototypes", icon=":material/category:", key="leaf_prototypes", type="tertiary"
        ):
            state.open_screen("prototypes", pair=pair_id)
