"""Colours of a run's points, and what is known of one of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import access, map_columns, map_points
from dashboard.access import RunKey
from dashboard.charts.figures import CLASS_COLOURS, CORRECT, GREY, WRONG, class_colours, cluster_colour, sensor_colours
from dashboard.charts.map_colours import Colouring, colour_numbers, colour_values
from dashboard.components.map_words import value_text
from dashboard.components.words import NO_LABEL, SPLITS
from dashboard.map_columns import NO_PREDICTION
from dashboard.map_points import MapKey


@st.cache_resource(max_entries=24, show_spinner=False)
def colouring(run: RunKey, key: MapKey, name: str) -> Colouring:
    """Colours of a map's points by a column; shared, not to be changed."""
    values = map_columns.column(run, key, name)
    if values.dtype != "category":
        return colour_numbers(values.to_numpy())
    return colour_values(values, _colours(run, name), lambda value: value_text(run, name, value))


def _colours(run: RunKey, name: str) -> dict[str, str]:
    """Colours that a value has on every screen."""
    if name in ("label", "prediction"):
        classes = list(access.info(run)["classes"])[: len(CLASS_COLOURS)]
        return {**class_colours(classes), NO_LABEL: GREY, NO_PREDICTION: GREY}
    if name == "sensor":
        return sensor_colours(access.sensors(run))
    if name == "correct":
        return {"right": CORRECT, "wrong": WRONG, NO_LABEL: GREY, NO_PREDICTION: GREY}
    if name == "split":
        return dict(zip(SPLITS, CLASS_COLOURS, strict=False))
    if name == "cluster":
        return {str(number): cluster_colour(number) for number in range(1, 21)}
    return {}


def texts_of(run: RunKey, key: MapKey, names: Sequence[str], rows: Sequence[int]) -> list[dict[str, str]]:
    """Values of category columns of some points, as they are written; without those that a point does not have.

    Args:
        run: the run.
        key: the map.
        names: of columns; one that the run does not have is passed over.
        rows: of the points; -1 is none, which has no value.
    """
    found: list[dict[str, str]] = [{} for _ in rows]
    for column in map_columns.columns(run):
        if column.name not in names:
            continue
        values = map_columns.column(run, key, column.name)
        codes = values.cat.codes.to_numpy()
        for row, texts in zip(rows, found, strict=True):
            if row >= 0 and codes[row] >= 0:
                texts[column.name] = value_text(run, column.name, values.cat.categories[codes[row]])
    return found


def told(run: RunKey, key: MapKey, row: int) -> list[str]:
    """Lines that say what is known of a point: id, sensor, label, prediction, prototype."""
    point = map_points.points(run, key).iloc[row]
    sensor = str(point["sensor"])
    (texts,) = texts_of(run, key, ("label", "prediction", "correct", "prototype", "cluster"), [row])
    label = texts.get("label", "")
    said = f"label {label}" if label and label != NO_LABEL else label
    lines = [str(point["pair_id"]), " · ".join(part for part in (access.titles(run).get(sensor, sensor), said) if part)]
    prediction, judged = texts.get("prediction"), texts.get("correct")
    if prediction is not None:
        verdict = f" ({judged})" if judged in ("right", "wrong") else ""
        lines.append(prediction if prediction == NO_PREDICTION else f"predicted {prediction}{verdict}")
    if "prototype" in texts:
        cluster = f" in {texts['cluster']}" if "cluster" in texts else ""
        lines.append(f"prototype {texts['prototype']}{cluster}")
    return lines
