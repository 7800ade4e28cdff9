"""Map: the embeddings in two dimensions, both sensors in one fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import access, computed, state
from dashboard.access import RunKey
from dashboard.charts.figures import CLASS_COLOURS, CORRECT, GREY, WRONG, class_colours, cluster_colour, sensor_colours
from dashboard.charts.map import METHODS, image_map, point_map, spread_out
from dashboard.components import map_selection
from dashboard.components.notice import explain
from dashboard.components.words import METHODS_MEANING, NO_LABEL, SPLITS, label_text
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.map_quality import FEWEST

SPACES = {"embedding": "Embeddings", "projection": "Projections", "logits": "Logits"}
COLOURS = {
    "label": "Label",
    "sensor": "Sensor",
    "prediction": "Prediction",
    "correct": "Correctness",
    "cluster": "Prototype cluster",
    "split": "Split",
}
NO_PREDICTION = "no prediction"
WRONG_FRAME = "#FF0033"
IMAGE_CELLS = 20
LINES_AT_MOST = 3000


@dataclass(frozen=True)
class Shown:
    """What the controls ask for."""

    space: str
    method: str
    colour: str
    as_images: bool
    lines: bool
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    search: str


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Map")
    maps = access.table(run, "map")
    images = maps[maps["kind"] == "image"]
    shown, points = _controls(run, images)
    points["kept"] = (points["label"].isin(shown.labels) if shown.labels else True) & (
        points["split"].isin(shown.splits) if shown.splits else True
    )
    left, right = st.columns([3, 1], gap="medium")
    with left:
        if shown.as_images:
            _draw_images(run, points, shown)
        else:
            _draw_points(run, points, shown)
        _quality(run, points, shown)
    with right:
        map_selection.show(run, points)


def _controls(run: RunKey, images: pd.DataFrame) -> tuple[Shown, pd.DataFrame]:
    """Two rows of controls: which map, and what of it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        space = _choice("Space", "space", SPACES, [s for s in SPACES if (images["space"] == s).any()])
        made = images[images["space"] == space]
        method = _choice(
            "Method", "method", METHODS, [m for m in METHODS if (made["method"] == m).any()],
            METHODS_MEANING,
        )  # fmt: skip
        points = _described(run, made[made["method"] == method])
        offered = [colour for colour in COLOURS if colour in points]
        state.say_unknown("images", ("true", "false"), "points")
        as_images = st.toggle("Images as points", key="images", bind="query-params")
        state.say_unknown("colour", [COLOURS[colour] for colour in offered], COLOURS[offered[0]])
        colour = st.selectbox(
            "Colour", offered, format_func=COLOURS.__getitem__, key="colour", bind="query-params", width=155,
            disabled=as_images,
        )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        lines = st.toggle(
            "Join pairs", help="A line joins the two images of a pair.", key="map_lines", bind="query-params",
            disabled=as_images,
        )  # fmt: skip
        known = [label for label in [*access.info(run)["classes"], NO_LABEL] if (points["label"] == label).any()]
        state.say_unknown("map_labels", known)
        labels = st.multiselect("Only labels", known, key="map_labels", bind="query-params", width=200)
        there = [split for split in SPLITS if (points["split"] == split).any()]
        state.say_unknown("map_splits", [SPLITS[split] for split in there])
        splits = st.multiselect(
            "Only splits", there, format_func=SPLITS.__getitem__, key="map_splits", bind="query-params", width=200
        )
        search = st.text_input(
            "Find a pair", key="map_search", bind="query-params", placeholder="part of an id", width=150,
            disabled=as_images,
        ).strip()  # fmt: skip
    return Shown(space, method, str(colour), as_images, lines, tuple(labels), tuple(splits), search), points


def _choice(title: str, name: str, words: Mapping[str, str], offered: list[str], meaning: str | None = None) -> str:
    state.say_unknown(name, [words[value] for value in offered], words[offered[0]])
    value = st.segmented_control(
        title, offered, default=offered[0], format_func=words.__getitem__, required=True, key=name,
        bind="query-params", help=meaning,
    )  # fmt: skip
    return str(value)


def _described(run: RunKey, points: pd.DataFrame) -> pd.DataFrame:
    """Points with what is known of each image."""
    pairs, titles = access.pairs(run), access.titles(run)
    found = points.reset_index(drop=True).drop(columns=["prototype", "cluster"])
    found["label"] = found["pair_id"].map(pairs["label"]).map(label_text)
    found["split"] = found["pair_id"].map(pairs["split"])
    found["hover"] = found["pair_id"] + " · " + found["sensor"].map(titles) + "<br>label " + found["label"]
    if access.has(run, "predictions"):
        own = access.table(run, "predictions", ["pair_id", "sensor", "prediction"])
        found = found.merge(own, on=["pair_id", "sensor"], how="left")
        found["prediction"] = found["prediction"].fillna(NO_PREDICTION)
        right = (found["prediction"] == found["label"]).map({True: "right", False: "wrong"})
        found["correct"] = right.where(found["label"] != NO_LABEL, NO_LABEL)
        found["hover"] += ", predicted " + found["prediction"]
    if access.has(run, "prototypes"):
        own = access.table(run, "prototypes", ["pair_id", "sensor", "prototype"])
        found = found.merge(own, on=["pair_id", "sensor"], how="left")
        number = found["prototype"].map(lambda value: "none" if pd.isna(value) else str(int(value)))
        found["hover"] += "<br>prototype " + number
        clusters = computed.clusters(run)
        if len(clusters):
            found["cluster"] = found["prototype"].map(clusters).map(lambda v: "none" if pd.isna(v) else str(int(v)))
            found["hover"] += " in cluster " + found["cluster"]
    return found


def _colours(run: RunKey, points: pd.DataFrame, colour: str) -> tuple[dict[str, str], dict[str, str]]:
    """Colour of each value in the order of the legend, and how values are written."""
    classes = list(access.info(run)["classes"])
    if colour == "sensor":
        return sensor_colours(access.sensors(run)), access.titles(run)
    if colour == "correct":
        return {"right": CORRECT, "wrong": WRONG, NO_LABEL: GREY}, {}
    if colour == "cluster":
        numbers = sorted({int(value) for value in points["cluster"] if value != "none"})
        return {str(number): cluster_colour(number) for number in numbers}, {str(n): f"cluster {n}" for n in numbers}
    if colour == "split":
        return dict(zip(SPLITS, CLASS_COLOURS, strict=False)), SPLITS
    return {**class_colours(classes), NO_LABEL: GREY, NO_PREDICTION: GREY}, {}


def _draw_points(run: RunKey, points: pd.DataFrame, shown: Shown) -> None:
    linked = state.pair_in_link(set(points["pair_id"]))
    found = points.loc[points["pair_id"].str.contains(shown.search, case=False, regex=False), "pair_id"]
    highlight = set(found) if shown.search else {linked} - {None}
    if shown.search and not highlight:
        st.caption(f"No pair has {shown.search!r} in its id.")
    joined = points[points["kept"]] if shown.lines else None
    if joined is not None and joined["pair_id"].nunique() > LINES_AT_MOST:
        st.caption(f"Lines are drawn for the first {LINES_AT_MOST:,} pairs.")
        joined = joined[joined["pair_id"].isin(joined["pair_id"].unique()[:LINES_AT_MOST])]
    colours, texts = _colours(run, points, shown.colour)
    figure = point_map(
        points, shown.colour, colours, sensors=access.sensors(run), titles=access.titles(run), texts=texts,
        lines=joined, highlight=highlight, marked=map_selection.marked(("points", run, shown, linked)),
    )  # fmt: skip
    map_selection.selectable(figure, alt="Map of the images")


def _draw_images(run: RunKey, points: pd.DataFrame, shown: Shown) -> None:
    kept = points[points["kept"]]
    if kept.empty:
        st.info("No image fits these filters. Remove one of them.")
        return
    kept = kept.iloc[spread_out(kept["x"].to_list(), kept["y"].to_list(), IMAGE_CELLS)]
    wrong = kept["correct"] == "wrong" if "correct" in kept else pd.Series(False, index=kept.index)
    shades = {**class_colours(list(access.info(run)["classes"])), NO_LABEL: GREY}
    frames = [WRONG_FRAME if bad else shades.get(label, GREY) for bad, label in zip(wrong, kept["label"], strict=True)]
    legend = {
        f"label {label}" if label != NO_LABEL else label: shade for label, shade in shades.items() if shade in frames
    }
    if wrong.any():
        legend["prediction is wrong"] = WRONG_FRAME
    pictures = [access.thumbnail(run, p, s) for p, s in zip(kept["pair_id"], kept["sensor"], strict=True)]
    st.caption(
        f"{len(kept)} of {int(points['kept'].sum()):,} images, one per cell of a {IMAGE_CELLS}x{IMAGE_CELLS} grid; "
        "only these can be selected."
    )
    map_selection.marked(("images", run, shown))  # noted, so that the points, when they come back, are marked anew
    map_selection.selectable(image_map(kept, pictures, frames, legend), alt="Map with images as points")


def _quality(run: RunKey, points: pd.DataFrame, shown: Shown) -> None:
    """What the map may be used for."""
    said = ["Distances on a map are not evidence: neighbours are computed in the original space."]
    try:
        found = computed.quality(run, shown.space, shown.method)
    except ArtifactError as error:
        explain(error)
        found = None
    if len(points) < FEWEST:
        said.append(f"There are too few images ({len(points)}) to measure how well this map keeps neighbours.")
    elif found is not None:
        k = found.neighbours
        said.append(
            f"Trustworthiness {found.trustworthiness:.3f} of 1 (false neighbours penalised by rank); of an image's {k} "
            f"nearest on the map, {100 * found.shared:.0f}% are among its {k} nearest in the original space "
            f"({found.images:,} images measured)."
        )
    st.caption(" ".join(said))
