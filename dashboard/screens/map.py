"""Map: the embeddings in two dimensions, both sensors in one fit."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.figures import CORRECT, GREY, WRONG, class_colours, sensor_colours
from dashboard.charts.map import METHODS, image_map, point_map, spread_out
from dashboard.components.gallery import gallery

SPACES = {"embedding": "Embeddings", "projection": "Projections", "logits": "Logits"}
COLOURS = {
    "label": "Label",
    "sensor": "Sensor",
    "prediction": "Prediction",
    "correct": "Correctness",
    "prototype": "Prototype",
    "split": "Split",
}
IMAGE_CELLS = 20
SHOWN = 12
LINES_AT_MOST = 3000


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Map")
    maps = access.table(run, "map")
    images = maps[maps["kind"] == "image"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        space = _choice("Space", "space", SPACES, [s for s in SPACES if (images["space"] == s).any()])
        made = images[images["space"] == space]
        method = _choice("Method", "method", METHODS, [m for m in METHODS if (made["method"] == m).any()])
        points = _described(run, made[made["method"] == method])
        offered = [colour for colour in COLOURS if colour in points]
        asked = state.chosen("colour", offered, offered[0])
        colour = st.selectbox(
            "Colour", offered, offered.index(asked), format_func=COLOURS.__getitem__, key="map_colour", width=160
        )
        st.query_params["colour"] = colour
    with st.container(horizontal=True, vertical_alignment="bottom"):
        as_images = st.toggle("Images as points", key="map_images", value=st.query_params.get("images") == "1")
        st.query_params["images"] = "1" if as_images else "0"
        lines = st.toggle(
            "Join pairs",
            help="A line joins the two images of a pair.",
            key="map_lines",
            bind="query-params",
            disabled=as_images,
        )
        labels = st.multiselect(
            "Only labels", sorted(points["label"].unique()), key="map_labels", bind="query-params", width=200
        )
        splits = st.multiselect(
            "Only splits", sorted(points["split"].unique()), key="map_splits", bind="query-params", width=170
        )
        search = st.text_input(
            "Find a pair", key="map_search", bind="query-params", placeholder="part of an id", width=150
        ).strip()
    points["kept"] = (points["label"].isin(labels) if labels else True) & (
        points["split"].isin(splits) if splits else True
    )
    left, right = st.columns([3, 1], gap="medium")
    with left:
        chosen = _draw_images(run, points) if as_images else _draw_points(run, points, colour, lines, search)
        _trust(run, space, method)
    with right:
        _selection(run, points, chosen)


def _choice(title: str, name: str, words: dict[str, str], offered: list[str]) -> str:
    asked = state.chosen(name, offered, offered[0])
    value = st.segmented_control(
        title,
        offered,
        default=asked,
        format_func=words.__getitem__,
        required=True,
        key=f"map_{name}_{'-'.join(offered)}",
    )
    st.query_params[name] = value
    return str(value)


def _described(run: RunKey, points: pd.DataFrame) -> pd.DataFrame:
    """Points with what is known of each image."""
    pairs, titles = access.pairs(run), access.titles(run)
    found = points.reset_index(drop=True).drop(columns=["prototype", "cluster"])
    found["label"] = found["pair_id"].map(pairs["label"]).fillna("no label")
    found["split"] = found["pair_id"].map(pairs["split"])
    if access.has(run, "predictions"):
        own = access.table(run, "predictions", ["pair_id", "sensor", "prediction"])
        found = found.merge(own, on=["pair_id", "sensor"], how="left")
        found["prediction"] = found["prediction"].fillna("none")
        right = (found["prediction"] == found["label"]).map({True: "right", False: "wrong"})
        found["correct"] = right.where(found["label"] != "no label", "no label")
    if access.has(run, "prototypes"):
        own = access.table(run, "prototypes", ["pair_id", "sensor", "prototype"])
        found = found.merge(own.astype({"prototype": "str"}), on=["pair_id", "sensor"], how="left")
    says = found["prediction"].map(", predicted {}".format) if "prediction" in found else ""
    found["hover"] = found["pair_id"] + " · " + found["sensor"].map(titles) + "<br>label " + found["label"] + says
    return found


def _colours(run: RunKey, colour: str) -> dict[str, str] | None:
    classes = list(access.info(run)["classes"])
    if colour in {"label", "prediction"}:
        return {**class_colours(classes), "no label": GREY, "none": GREY}
    if colour == "sensor":
        return sensor_colours(access.sensors(run))
    if colour == "correct":
        return {"right": CORRECT, "wrong": WRONG, "no label": GREY}
    return None


def _draw_points(run: RunKey, points: pd.DataFrame, colour: str, lines: bool, search: str) -> list[str]:
    asked = st.query_params.get("pair", "")
    highlight = (
        points.loc[points["pair_id"].str.contains(search, case=False, regex=False), "pair_id"] if search else [asked]
    )
    if search and len(highlight) == 0:
        st.caption(f"No pair has {search!r} in its id.")
    joined = points[points["kept"]] if lines else None
    if joined is not None and joined["pair_id"].nunique() > LINES_AT_MOST:
        st.caption(f"Lines are drawn for the first {LINES_AT_MOST:,} pairs.")
        joined = joined[joined["pair_id"].isin(joined["pair_id"].unique()[:LINES_AT_MOST])]
    figure = point_map(
        points, colour, _colours(run, colour), sensors=access.sensors(run), titles=access.titles(run), lines=joined,
        highlight=list(highlight),
    )  # fmt: skip
    return _chosen(st.plotly_chart(figure, key="map_points", on_select="rerun", alt="Map of the images"))


def _draw_images(run: RunKey, points: pd.DataFrame) -> list[str]:
    kept = points[points["kept"]]
    if kept.empty:
        st.info("No image fits these filters. Remove one of them.")
        return []
    kept = kept.iloc[spread_out(kept["x"].to_list(), kept["y"].to_list(), IMAGE_CELLS)]
    shades = class_colours(list(access.info(run)["classes"]))
    judged = kept["correct"] if "correct" in kept else pd.Series("no label", index=kept.index)
    frames = [
        "#FF0033" if j == "wrong" else shades.get(label, GREY) for j, label in zip(judged, kept["label"], strict=True)
    ]
    pictures = [access.thumbnail(run, p, s) for p, s in zip(kept["pair_id"], kept["sensor"], strict=True)]
    st.caption(
        f"{len(kept)} of {int(points['kept'].sum()):,} images, one per cell of a {IMAGE_CELLS}x{IMAGE_CELLS} grid. "
        "Frame: the label's colour; bright red where that image's prediction is wrong."
    )
    figure = image_map(kept, pictures, frames)
    return _chosen(st.plotly_chart(figure, key="map_tiles", on_select="rerun", alt="Map with images as points"))


def _chosen(event: Any) -> list[str]:
    """Pair ids of the points selected, each once."""
    found = [point["customdata"][0] for point in event["selection"]["points"] if point.get("customdata")]
    return list(dict.fromkeys(str(pair_id) for pair_id in found))


def _trust(run: RunKey, space: str, method: str) -> None:
    """What the map may be used for."""
    value = access.trustworthiness(run, space, method)
    measured = "" if value is None else (
        f" Trustworthiness {value[0]:.2f} of 1 (share of map neighbours that are neighbours in the original space, "
        f"k = {value[1]}, on {value[2]:,} images)."
    )  # fmt: skip
    st.caption(f"Distances on a map are not evidence: neighbours are computed in the original space.{measured}")


def _selection(run: RunKey, points: pd.DataFrame, chosen: list[str]) -> None:
    """Images of the selected pairs, and what they are."""
    if not chosen:
        st.markdown("**Selection**")
        st.caption("Draw a lasso or a box around points to see their images.")
        return
    part = points[points["pair_id"].isin(chosen)]
    st.markdown(f"**{len(chosen):,} pairs selected**")
    counts = part.drop_duplicates("pair_id")["label"].value_counts()
    with st.container(horizontal=True):
        for label, count in counts.items():
            st.badge(f"{label}: {count}", color="gray")
    titles, names = access.titles(run), access.sensors(run)
    st.download_button(
        "Save the ids as CSV", pd.DataFrame({"pair_id": chosen}).to_csv(index=False), "selection.csv", "text/csv",
        icon=":material/download:",
    )  # fmt: skip
    with st.container(height=480, border=False):
        entries = [(pair_id, sensor) for pair_id in chosen[:SHOWN] for sensor in names]
        captions = {(p, s): titles[s] for p, s in entries}
        gallery(run, entries, key="selected", captions=captions, columns=max(2, len(names)))
    if len(chosen) > SHOWN:
        st.caption(f"The first {SHOWN} are shown.")
