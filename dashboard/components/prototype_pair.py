"""To which prototypes the images of one pair belong, and how surely."""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st
from scipy.special import softmax

from dashboard import access, prototype_data, state
from dashboard.access import RunKey
from dashboard.components.prototype_list import CHOICE
from dashboard.components.words import label_text, plain

TOP, MOST_MATCHES = 5, 50
_SEARCH, _PICK = "prototype_pair_search", "prototype_pair"


def draw(run: RunKey, table: pd.DataFrame) -> None:
    """Choose a pair; its best prototypes in either sensor."""
    labels = access.labels(run)["label"]
    pair_id = _choose(labels.index)
    if pair_id is None:
        return
    names, titles = access.sensors(run), access.titles(run)
    heat, noted = prototype_data.temperature(run)
    best: dict[str, int] = {}
    scores = {name: prototype_data.cosines_of(run, pair_id, name) for name in names}
    for name, cosines in scores.items():
        if cosines is not None:
            best[name] = int(cosines.argmax())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_sentence(pair_id, labels.get(pair_id), best, titles))
        if st.button("Open leaf", icon=":material/eco:", key="prototype_open_leaf"):
            state.open_screen("leaf", pair=pair_id)
    pictures = access.thumbnails(run, [(pair_id, name) for name in names])
    for name, picture in zip(names, pictures, strict=True):
        cosines = scores[name]
        with st.container(border=True):
            left, right = st.columns([1, 4], gap="medium")
            with left:
                st.markdown(f"**{titles[name]}**")
                if picture is None:
                    st.caption("no image")
                else:
                    st.image(picture, width="stretch", alt=f"{titles[name]} image of {pair_id}")
            with right:
                if cosines is None:
                    st.info(f"This pair has no {plain(titles[name])} image with a projection.")
                    continue
                _table(run, table, name, cosines, heat)
    st.caption(
        f"Cosine: of the image's projection to the prototype. Probability: soft-max of the cosines over all "
        f"{len(table):,} prototypes at the temperature {heat:g}"
        f"{'' if noted else ', which this run does not note: the default'}. The picture of a prototype is the image of "
        "this sensor that is nearest to it. A click on a row's box chooses the prototype."
    )


def _choose(known: pd.Index) -> str | None:
    """The pair: found by a part of its id, or named in the link; at first the first one."""
    state.say_unknown("pair", known)
    if known.empty:
        st.info("This run has no pair.")
        return None
    named = state.pair_in_link(known)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input("Search id", key=_SEARCH, placeholder="part of an id", width=160).strip()
        found = known[known.str.contains(search, case=False, regex=False)] if search else known
        matches = [str(one) for one in found[:MOST_MATCHES]]
        if not matches:
            st.info(f"No pair's id holds {search!r}.")
            return named
        options = matches if named is None or named in matches or search else [named, *matches]
        chosen = named if named in options else options[0]
        st.session_state[_PICK] = chosen
        st.selectbox("Pair", options, key=_PICK, width=220, on_change=lambda: state.choose_pair(_picked()))
        st.caption(
            f"{len(found):,} pairs" + (f", the first {MOST_MATCHES} listed" if len(found) > MOST_MATCHES else "")
        )
    return chosen


def _picked() -> str:
    return str(st.session_state[_PICK])


def _sentence(pair_id: str, label: object, best: dict[str, int], titles: dict[str, str]) -> str:
    told = f"**{plain(pair_id)}** ({plain(label_text(label))})"
    if len(best) < 2:
        return told
    numbers = set(best.values())
    if len(numbers) == 1:
        return f"{told}: its images are in one prototype, **{numbers.pop()}**."
    where = ", ".join(f"{plain(titles[name])} in **{number}**" for name, number in best.items())
    return f"{told}: its images are in two prototypes, {where}."


def top_scores(cosines: npt.NDArray[np.float64], heat: float, count: int = TOP) -> pd.DataFrame:
    """The prototypes that an image is nearest to.

    Args:
        cosines: to each prototype, shape (K,).
        heat: temperature of the soft-max.
        count: how many, at most.

    Returns:
        Index ``prototype``, nearest first; columns ``cosine`` and ``probability``.
    """
    order = np.argsort(-cosines, kind="stable")[:count]
    probabilities = softmax(cosines / heat)
    columns = {"cosine": cosines[order], "probability": probabilities[order]}
    return pd.DataFrame(columns, index=pd.Index(order, name="prototype"))


def _table(run: RunKey, table: pd.DataFrame, sensor: str, cosines: npt.NDArray[np.float64], heat: float) -> None:
    best = top_scores(cosines, heat)
    numbers = [int(number) for number in best.index]
    nearest = [prototype_data.nearest_images(run, number, sensor, 1) for number in numbers]
    entries = [(found[0][0], sensor) if found else ("", sensor) for found in nearest]
    rows = pd.DataFrame({"Nearest": [_data_url(one) for one in access.thumbnails(run, entries)], "Prototype": numbers})
    rows["Probability"] = best["probability"].to_numpy()
    rows["Cosine"] = best["cosine"].to_numpy()
    own = table.loc[numbers]
    rows["Images"] = own["images"].to_numpy()
    if table["labelled"].any():
        rows["Mostly"] = [
            f"{label} ({100 * purity:.0f}%)" if isinstance(label, str) else ""
            for label, purity in zip(own["label"], own["purity"], strict=True)
        ]
    key = f"prototype_top_{sensor}"
    st.dataframe(
        rows, hide_index=True, key=key, row_height=52, selection_mode="single-row",
        on_select=lambda: _choose_prototype(key, numbers),
        column_config={
            "Nearest": st.column_config.ImageColumn(width="small"),
            "Probability": st.column_config.ProgressColumn(format="%.3f", min_value=0.0, max_value=1.0),
            "Cosine": st.column_config.NumberColumn(format="%.3f"),
        },
        alt="Prototypes that the image is nearest to",
    )  # fmt: skip


def _choose_prototype(key: str, numbers: list[int]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(numbers):
        st.session_state[CHOICE] = numbers[rows[0]]


def _data_url(picture: bytes | None) -> str | None:
    return None if picture is None else "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")
