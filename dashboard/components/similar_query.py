"""What similar images are searched with: an image of the run, a region of one, or the mean of a selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
import streamlit as st

from dashboard import access, embedded, neighbours, selection, state
from dashboard.access import RunKey
from dashboard.components import similar_region
from dashboard.components.words import label_text, plain, split_title
from dashboard.embedded import Vector

IMAGE, REGION, SELECTION = "image", "region", "selection"
KINDS = {IMAGE: "An image", REGION: "A region of an image", SELECTION: "A selection on the Map"}
BY, SENSOR = "similar_by", "similar_sensor"
_SEARCH, _MATCHES, _LAST = "similar_search", "similar_matches", "similar_last"
_MATCHES_SHOWN = 8


@dataclass(frozen=True)
class Query:
    """What is searched with.

    Attributes:
        vector: shape (E,), finite and not zero.
        kind: ``image``, ``region`` or ``selection``.
        title: what it is, in words.
        pair_id: of the image that it is, or is a part of; None of a selection.
        sensor: of that image.
        without: pairs that are not to be found.
    """

    vector: Vector
    kind: str
    title: str
    pair_id: str | None = None
    sensor: str | None = None
    without: pd.Index = field(default_factory=lambda: pd.Index([], dtype="str"))


def pick_kind() -> str:
    """Draw the choice of what is searched with."""
    state.say_unknown(BY, KINDS.values(), KINDS[IMAGE])
    kind = st.segmented_control(
        "Search with", list(KINDS), format_func=KINDS.__getitem__, default=IMAGE, required=True, key=BY,
        bind="query-params",
    )  # fmt: skip
    return str(kind)


def ask(run: RunKey, kind: str, pairs: pd.DataFrame, space: str) -> Query | None:
    """Draw what the user searches with, and give it; None where there is nothing to search with, which is said.

    Args:
        run: the run.
        kind: one of ``KINDS``.
        pairs: see :func:`dashboard.access.pairs`.
        space: one of :func:`dashboard.embedded.spaces`.

    Raises:
        ArtifactError: a region cannot be embedded.
        InputError: the region is too small, or its image cannot be read.
    """
    if kind == SELECTION:
        return _selection(run, space)
    image = _pick_image(run, pairs)
    if image is None:
        return None
    return _region(run, pairs, *image, space) if kind == REGION else _image(run, pairs, *image, space)


def more_like(pair_id: str, sensor: str) -> None:
    """Search with an image of the run; a button's callback."""
    st.session_state[BY], st.session_state[SENSOR] = IMAGE, sensor
    _take(pair_id)


def _take(pair_id: str) -> None:
    if st.query_params.get("pair") != pair_id:
        similar_region.forget()
    state.choose_pair(pair_id)


def _pick_image(run: RunKey, pairs: pd.DataFrame) -> tuple[str, str] | None:
    """Draw a search for a pair, and the choice of its sensor."""
    if pairs.empty:
        st.info("This run has no pair.")
        return None
    state.say_unknown("pair", pairs.index)
    before = st.session_state.get(_LAST)
    pair_id = state.pair_in_link(pairs.index) or (before if before in pairs.index else str(pairs.index[0]))
    if st.query_params.get("pair") != pair_id:
        state.choose_pair(pair_id)
    st.session_state[_LAST] = pair_id
    names, titles = access.sensors(run), access.titles(run)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input("Find a pair", key=_SEARCH, placeholder="part of an id", width=150).strip()
        state.say_unknown(SENSOR, [titles[name] for name in names], titles[names[0]])
        sensor = st.segmented_control(
            "Its image", names, format_func=titles.__getitem__, default=names[0], required=True, key=SENSOR,
            bind="query-params",
        )  # fmt: skip
    if text:
        _offer(pairs.index[pairs.index.str.contains(text, case=False, regex=False)])
    return pair_id, str(sensor)


def _offer(matches: pd.Index) -> None:
    if not len(matches):
        st.caption("No pair has this in its id.")
        return
    st.pills("Pairs found", [str(one) for one in matches[:_MATCHES_SHOWN]], key=_MATCHES, on_change=_take_match)
    if len(matches) > _MATCHES_SHOWN:
        st.caption(f"The first {_MATCHES_SHOWN} of {len(matches):,}.")


def _take_match() -> None:
    chosen = st.session_state.get(_MATCHES)
    st.session_state[_SEARCH], st.session_state[_MATCHES] = "", None
    if chosen:
        _take(str(chosen))


def _about(run: RunKey, pairs: pd.DataFrame, pair_id: str, sensor: str) -> None:
    """What is known of the image, and a way to its leaf."""
    row = pairs.loc[pair_id]
    predicted = row.get(f"{sensor}_prediction")
    said = f", predicted **{plain(predicted)}**" if isinstance(predicted, str) else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        label = row["label"]
        st.markdown(
            f"**{plain(pair_id)}** · {plain(access.titles(run)[sensor])} · {plain(label_text(label))}{said} · "
            f"{split_title(row['split'])}",
            width="content",
        )
        if st.button("Open leaf", key="similar_leaf", type="tertiary", icon=":material/eco:"):
            state.open_screen("leaf", pair=pair_id)


def _image(run: RunKey, pairs: pd.DataFrame, pair_id: str, sensor: str, space: str) -> Query | None:
    title = access.titles(run)[sensor]
    picture = access.thumbnail(run, pair_id, sensor) if access.has(run, "thumbnails") else None
    if picture is not None:
        st.image(picture, width="stretch", alt=f"{title} image of {pair_id}, searched with")
    _about(run, pairs, pair_id, sensor)
    vector = embedded.vector_of(run, pair_id, sensor, space)
    if vector is None:
        st.info(f"{plain(pair_id)} has no {plain(title)} image with an embedding: choose another sensor or pair.")
        return None
    return _checked(run, Query(vector, IMAGE, f"the {title} image of {pair_id}", pair_id, sensor))


def _region(run: RunKey, pairs: pd.DataFrame, pair_id: str, sensor: str, space: str) -> Query | None:
    title = access.titles(run)[sensor]
    _about(run, pairs, pair_id, sensor)
    found = similar_region.vectors(run, pair_id, sensor)
    if found is None:
        st.info(f"{plain(pair_id)} has no {plain(title)} image that is kept: choose another sensor or pair.")
        return None
    if space not in found:
        st.info("The run's networks give no projections of a region: search in the embeddings.")
        return None
    return _checked(run, Query(found[space], REGION, f"a region of the {title} image of {pair_id}", pair_id, sensor))


def _selection(run: RunKey, space: str) -> Query | None:
    """Draw what is selected on the Map, and give its mean."""
    selection.recall(run, filters=True)
    chosen = selection.selected(run)
    if chosen is None or not len(chosen):
        st.info(
            "Nothing is selected: draw a lasso or a box on the Map, then come back."
            if chosen is None
            else "No image is inside the selection and fits its filters: draw another one on the Map.",
            icon=":material/lasso_select:",
        )
        _to_map(run, "Open the Map")
        return None
    names, titles = access.sensors(run), access.titles(run)
    every = "both sensors" if len(names) == 2 else "all sensors"
    options: dict[str, Sequence[str]] = {**({every: names} if len(names) > 1 else {})}
    options |= {titles[name]: [name] for name in names}
    first = next(iter(options))
    state.say_unknown("similar_of", options, first)
    of = str(
        st.segmented_control(
            "Mean of the images of", list(options), default=first, required=True, key="similar_of", bind="query-params"
        )
    )
    leave_out = st.toggle("Leave the selected pairs out", value=True, key="similar_without", bind="query-params")
    mean, used, left_out = neighbours.mean_of(run, chosen, options[of], space)
    st.markdown(
        f"Mean of **{used:,}** {'image' if used == 1 else 'images'} of {len(chosen):,} selected "
        f"{'pair' if len(chosen) == 1 else 'pairs'}.",
        help="Every vector is brought to length 1 first, so that each image counts the same.",
    )
    if left_out:
        st.caption(f"{left_out:,} without a finite embedding {'is' if left_out == 1 else 'are'} left out.")
    _to_map(run, "Change the selection")
    if mean is None:
        st.info("These images have no common direction: their embeddings are missing, or cancel each other out.")
        return None
    without = chosen if leave_out else pd.Index([], dtype="str")
    return Query(mean, SELECTION, f"the mean of {used:,} selected images", without=without)


def _to_map(run: RunKey, title: str) -> None:
    if st.button(title, key="similar_map", type="tertiary", icon=":material/scatter_plot:"):
        state.open_screen("map", **selection.link(run))


def _checked(run: RunKey, query: Query) -> Query | None:
    """The query, if its vector has a direction; else that it has none is said."""
    if embedded.has_direction(query.vector[None])[0]:
        return query
    st.warning(
        f"The embedding of {plain(query.title)} holds values that are not finite, or is zero, so nothing can be "
        f"compared with it. Make embeddings anew with `rice-ssl embed {run.path}`.",
        icon=":material/info:",
    )
    return None
