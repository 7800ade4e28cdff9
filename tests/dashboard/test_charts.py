"""Figures by values: what they send to the browser, who is drawn over whom, which colours."""

import json

import numpy as np
import pandas as pd
import pytest
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

from dashboard.charts.figures import CLASS_COLOURS, CLUSTER_COLOURS, INK, alternating, cluster_colour
from dashboard.charts.map import point_map, spread_out
from dashboard.charts.prototypes import prototype_map
from dashboard.charts.sensors import counts_matrix

TITLES = {"rgb": "RGB", "rgnir": "RGNIR"}


def points(count=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "x": rng.normal(size=count),
            "y": rng.normal(size=count),
            "pair_id": [f"p{k // 2}" for k in range(count)],
            "sensor": ["rgb", "rgnir"] * (count // 2),
            "label": [("a", "b", "c")[k // 2 % 3] for k in range(count)],
            "kept": True,
            "hover": [f"point {k}" for k in range(count)],
        }
    )


def sent(figure):
    """The figure as the browser gets it: plotly's own JSON, where arrays of numbers become base64."""
    return json.loads(figure.to_json())


def test_ink_is_the_placeholder_that_streamlit_replaces():
    assert INK == GRAY_90


def test_alternating_draws_every_point_once_and_lets_groups_take_turns():
    sizes = [100, 3, 40]
    turns = alternating(sizes, rounds=5)
    for group, size in enumerate(sizes):
        drawn = np.concatenate([positions for number, positions in turns if number == group])
        assert sorted(drawn.tolist()) == list(range(size))
        assert drawn.tolist() != list(range(size)) or size == 3
    order = [group for group, _ in turns]
    assert order == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 2, 0, 2]  # the group of 3 has no point left for two turns
    assert [len(positions) for group, positions in turns if group == 0] == [20] * 5
    again = alternating(sizes, rounds=5)
    assert all((a == b).all() for (_, a), (_, b) in zip(turns, again, strict=True))


def test_neither_sensor_lies_over_the_other():
    """Of any two points where they overlap, which is on top is a matter of chance and not of the sensor."""
    figure = sent(
        point_map(points(400), "sensor", {"rgb": "#111111", "rgnir": "#222222"}, sensors=list(TITLES), titles=TITLES)
    )
    drawn = [sensor for trace in figure["data"] for _, sensor in trace["customdata"]]
    place = np.arange(400)
    rgb = np.array(drawn) == "rgb"
    assert abs(place[rgb].mean() - place[~rgb].mean()) < 400 / 6 / 2 + 1


@pytest.mark.parametrize(
    ("colour", "legend"),
    [
        ("label", ["a · RGB", "a · RGNIR", "b · RGB", "b · RGNIR", "c · RGB", "c · RGNIR"]),
        ("sensor", ["RGB", "RGNIR"]),
    ],
)
def test_one_legend_entry_for_each_value_and_sensor(colour, legend):
    colours = dict.fromkeys(("a", "b", "c", "rgb", "rgnir"), "#123456")
    figure = sent(point_map(points(), colour, colours, sensors=list(TITLES), titles=TITLES))
    assert [trace["name"] for trace in figure["data"] if trace["showlegend"]] == legend
    assert {trace["legendgroup"] for trace in figure["data"]} == set(legend)
    assert sum(len(trace["customdata"]) for trace in figure["data"]) == 60


def test_the_map_marks_selected_pairs_and_no_other():
    figure = sent(point_map(points(), "label", {}, sensors=list(TITLES), titles=TITLES, marked=("p4", "p9")))
    marked = [trace["customdata"][k] for trace in figure["data"] for k in trace["selectedpoints"]]
    assert sorted(marked) == [["p4", "rgb"], ["p4", "rgnir"], ["p9", "rgb"], ["p9", "rgnir"]]


def test_stars_and_their_ring_send_their_prototype_as_a_list():
    usage = pd.DataFrame({"images": [4, 0, 2], "label": ["a", None, "b"]})
    own = pd.DataFrame({"x": [0.0, 1, 2], "y": [0.0, 1, 2], "prototype": np.arange(3), "cluster": np.array([1, 2, 1])})
    figure = sent(prototype_map(points(), own, usage, {"a": "#000001"}, 0))
    stars = {trace["name"]: trace for trace in figure["data"] if trace["type"] == "scatter"}
    assert stars["Cluster 1"]["customdata"] == [[0], [2]]
    assert stars["Cluster 2"]["customdata"] == [[1]]
    assert stars["Chosen"]["customdata"] == [[0]]  # prototype 0 is one like any other
    assert stars["Cluster 2"]["text"] == ["Prototype 1: 0 images"]
    assert stars["Cluster 1"]["text"][0] == "Prototype 0: 4 images, mostly a"


def test_clusters_have_colours_of_their_own():
    assert not set(CLUSTER_COLOURS) & set(CLASS_COLOURS)
    assert len(set(CLUSTER_COLOURS)) == len(CLUSTER_COLOURS)
    assert cluster_colour(1) == CLUSTER_COLOURS[0]


def test_numbers_in_a_matrix_leave_their_colour_to_the_theme():
    figure = counts_matrix([[5, 0], [1, 9]], ["a", "b"], "Label", "Prediction")
    assert [note.text for note in figure.layout.annotations] == ["5", "0", "1", "9"]
    assert {note.font.color for note in figure.layout.annotations} == {INK}
    assert figure.layout.font.color == INK


def test_spread_out_keeps_one_point_of_each_cell():
    kept = spread_out([0, 0.1, 0.9, 1.0], [0, 0.1, 0.9, 1.0], cells=2)
    assert kept == [1, 2]  # the ones nearest to the middles of the two cells, 0.25 and 0.75
