"""Similar leaves: the run's images that are nearest to an image, to a region of one, or to a selection's mean."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import access, embedded, neighbours, state
from dashboard.access import RunKey
from dashboard.components import similar_query, similar_results
from dashboard.components.notice import explain
from dashboard.components.similar_query import IMAGE, Query
from dashboard.components.words import NO_LABEL, SPLITS, plain, split_title
from dashboard.embedded import SPACES
from dashboard.neighbours import Found
from rice_ssl.errors import ArtifactError, RiceSSLError

FEWEST, MOST, STEP, USUAL = 6, 48, 6, 12
"""Images that are shown of a sensor."""
EVERY = "each sensor, side by side"


@dataclass(frozen=True)
class Wanted:
    """What is searched, and what of it is shown.

    Attributes:
        space: in which images are compared.
        among: sensors whose images are searched.
        count: nearest images of each.
        labels: of images that are shown; all where empty.
        splits: likewise.
    """

    space: str
    among: list[str]
    count: int
    labels: list[str]
    splits: list[str]


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Similar leaves")
    st.caption("The run's images that are nearest in the space that the network made, not on a map of it.")
    pairs, there = access.pairs(run), embedded.spaces(run)
    if not there:
        raise ArtifactError(f"This run has no embeddings. Make them with `rice-ssl embed {run.path}`.")
    kind = similar_query.pick_kind()
    left, right = st.columns([2, 5], gap="large")
    with right:
        wanted = _controls(run, pairs, there)
    with left:
        try:
            query = similar_query.ask(run, kind, pairs, wanted.space)
        except RiceSSLError as error:
            explain(error)
            query = None
    if query is not None:
        with right:
            _results(run, pairs, query, wanted)


def _controls(run: RunKey, pairs: pd.DataFrame, there: list[str]) -> Wanted:
    """Draw what is searched, how much is shown, and the filters."""
    names, titles = access.sensors(run), access.titles(run)
    sensors = {EVERY: names} if len(names) > 1 else {}
    sensors |= {titles[name]: [name] for name in names}
    splits = [split for split in SPLITS if (pairs["split"] == split).any()]
    labels = [*sorted(pairs["label"].dropna().unique()), *([NO_LABEL] if pairs["label"].isna().any() else [])]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        among = _choice("Among the images of", {title: title for title in sensors}, "similar_among")
        space = _choice("Nearest by", {name: SPACES[name] for name in there}, "similar_space")
        state.say_unknown("similar_count", [str(number) for number in range(FEWEST, MOST + 1, STEP)], str(USUAL))
        count = st.slider("Images", FEWEST, MOST, USUAL, STEP, key="similar_count", bind="query-params", width=160)
        return Wanted(
            space=space,
            among=sensors[among],
            count=max(FEWEST, min(MOST, int(count))),
            labels=_filter("Only these labels", labels, "similar_labels"),
            splits=_filter("Only these splits", splits, "similar_splits"),
        )


def _choice(title: str, options: dict[str, str], key: str) -> str:
    """Draw a choice by titles; the first option is the default, and nothing is drawn where there is one alone."""
    first = next(iter(options))
    state.say_unknown(key, options.values(), options[first])
    if len(options) == 1:
        return first
    return str(
        st.segmented_control(
            title, list(options), format_func=options.__getitem__, default=first, required=True, key=key,
            bind="query-params",
        )
    )  # fmt: skip


def _filter(title: str, options: list[str], key: str) -> list[str]:
    state.say_unknown(key, [split_title(option) for option in options])
    return list(
        st.multiselect(
            title, options, format_func=split_title, key=key, bind="query-params", placeholder="all", width=190,
            help="Of the nearest images, those that do not fit are left out; the search itself stays the same.",
        )
    )  # fmt: skip


def _results(run: RunKey, pairs: pd.DataFrame, query: Query, wanted: Wanted) -> None:
    titles = access.titles(run)
    found: dict[str, Found] = {}
    for sensor in wanted.among:
        own = _search(run, query, sensor, wanted)
        if own is None:
            st.info(f"This run has no {plain(titles[sensor])} embeddings.")
        else:
            found[sensor] = own
    if not found:
        return
    st.markdown(f"#### Nearest to {plain(query.title)}")
    table = similar_results.results_table(run, pairs, found)
    fits = pd.Series(True, index=table.index)
    if wanted.labels:
        fits &= table["label"].isin(wanted.labels)
    if wanted.splits:
        fits &= table["split"].isin(wanted.splits)
    similar_results.show(run, query, found, table, table[fits], wanted.space)


def _search(run: RunKey, query: Query, sensor: str, wanted: Wanted) -> Found | None:
    if query.kind == IMAGE and query.pair_id is not None and query.sensor is not None:
        return neighbours.of_image(run, query.pair_id, query.sensor, sensor, wanted.count, wanted.space)
    return neighbours.of_vector(run, query.vector, sensor, wanted.count, wanted.space, query.without)
