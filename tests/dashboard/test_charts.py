"""Figures by values: what they send to the browser, who is drawn over whom, which colours."""

import base64
import json

import numpy as np
import pandas as pd
import pytest
from streamlit.elements.lib.streamlit_plotly_theme import GRAY_90

from dashboard.charts.figures import CLASS_COLOURS, CLUSTER_COLOURS, INK, alternating, cluster_colour, count_scale
from dashboard.charts.map import map_in_space
from dashboard.charts.map_colours import colour_numbers, colour_values
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


def in_space(count=60, colour="label", chosen=()):
    """The map in three dimensions of :func:`points`, coloured by a column, as the browser gets it."""
    frame = points(count)
    values = frame[colour].astype("category")
    return sent(
        map_in_space(
            np.column_stack([frame["x"], frame["y"], np.arange(count)]),
            colour_values(values, dict(zip(values.cat.categories, ("#111111", "#222222", "#333333"), strict=False))),
            (frame["sensor"] == "rgnir").to_numpy(dtype=int),
            titles=list(TITLES.values()),
            hover=frame["hover"].tolist(),
            kept=frame["kept"].to_numpy(),
            chosen=frame["pair_id"].isin(chosen).to_numpy(),
            height=400,
        )
    )


def numbers(values):
    """Numbers as plotly sends them, also in base64."""
    return values if isinstance(values, list) else np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])


def test_neither_sensor_lies_over_the_other():
    """Of any two points where they overlap, which is on top is a matter of chance and not of the sensor."""
    figure = in_space(400, "sensor")
    drawn = [trace["name"].endswith("rgb · RGB") for trace in figure["data"] for _ in numbers(trace["z"])]
    place, rgb = np.arange(400), np.array(drawn)
    assert abs(place[rgb].mean() - place[~rgb].mean()) < 400 / 6 / 2 + 1
    assert sorted(z for trace in figure["data"] for z in numbers(trace["z"])) == list(range(400))


def test_one_legend_entry_for_each_value_and_sensor():
    figure = in_space()
    legend = ["a · RGB", "a · RGNIR", "b · RGB", "b · RGNIR", "c · RGB", "c · RGNIR"]
    assert [trace["name"] for trace in figure["data"] if trace["showlegend"]] == legend
    assert {trace["legendgroup"] for trace in figure["data"]} == set(legend)
    assert sum(len(numbers(trace["z"])) for trace in figure["data"]) == 60
    for trace in figure["data"]:
        number = "abc".index(trace["name"][0])
        assert trace["marker"]["color"] == ("#111111", "#222222", "#333333")[number]
        rgb = trace["name"].endswith("RGB")
        assert all(z // 2 % 3 == number and (z % 2 == 0) == rgb for z in numbers(trace["z"]))
        assert trace["hovertext"] == [f"point {int(z)}" for z in numbers(trace["z"])]


def test_the_map_marks_selected_pairs_and_no_other():
    (marked,) = [trace for trace in in_space(chosen=("p4", "p9"))["data"] if trace["name"] == "Selected"]
    assert sorted(numbers(marked["z"])) == [8, 9, 18, 19]


def test_a_map_in_space_of_numbers_is_one_entry_for_each_sensor():
    frame = points(6)
    numbers_of = colour_numbers(np.array([0, 1, 2, 3, 4, np.nan], dtype=np.float32))
    figure = map_in_space(
        np.zeros((6, 3)), numbers_of, np.array([0, 1] * 3), titles=["RGB", "RGNIR"], hover=frame["hover"].tolist(),
        kept=np.ones(6, dtype=bool), chosen=np.zeros(6, dtype=bool), height=400,
    )  # fmt: skip
    assert [trace.name for trace in figure.data if trace.showlegend] == ["RGB", "RGNIR"]
    drawn = [colour for trace in figure.data for colour in trace.marker.color]
    assert sorted(drawn) == sorted(numbers_of.palette[code] for code in numbers_of.codes)


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


@pytest.mark.parametrize("ground", ["#FCFDFB", "#101713"])  # of the light and the dark theme
@pytest.mark.parametrize("zero", [False, True])
def test_more_is_farther_from_the_ground_in_either_theme(ground, zero):
    under = np.array([int(ground[k : k + 2], 16) for k in (1, 3, 5)])
    seen, places = [], []
    for place, shade in count_scale(zero=zero):
        *colour, opaque = map(float, shade.removeprefix("rgba(").removesuffix(")").split(","))
        seen.append(np.linalg.norm(opaque * (np.array(colour) - under)))
        places.append(place)
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 1)
    assert (np.diff(seen) > 20).all()
    assert seen[0] == 0 if zero else seen[0] > 20
