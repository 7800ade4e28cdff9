"""What a link selects on a map: exactly the images inside the shape that pass the filters; never trusted."""

import json
from fractions import Fraction

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import selection
from dashboard.map_points import MapKey
from tests.dashboard.conftest import without_labels, words
from tests.embeddings.test_polygon import exactly

KEY = MapKey("umap", "embedding", 2, 0)
ENTROPY = "Entropy over prototypes (nats)"
NAME = "umap.embedding.2.0"
LASSO = [(5000, 8000), (60000, 3000), (20000, 61000), (41000, 900), (33000, 65535)]  # crosses itself
WHOLE = f"{NAME}~box~0_0_65535_65535"


def _ask():
    import streamlit as st

    from dashboard import access, selection, state

    notices = st.container()
    state.expect_link()
    run = access.current_run()
    found = selection.selected(run)
    st.session_state["selected"] = None if found is None else list(found)
    st.session_state["rows"] = selection.rows(run).tolist()
    st.session_state["filters"] = selection.filters_in_link(run)
    st.session_state["link"] = selection.link(run)
    state.tell_unknown(notices)


@pytest.fixture
def ask():
    """Call it with the parameters of a link for what the screens learn of it."""

    def asked(**query):
        at = AppTest.from_function(_ask, default_timeout=60)
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        assert not at.exception, at.exception
        return at

    return asked


def on_map(store, key=KEY):
    """Images of a map in the order of its table."""
    maps = store.read_table("map")
    own = (maps["method"] == key.method) & (maps["space"] == key.space) & (maps["seed"] == key.seed)
    return maps[own & (maps["dimensions"] == 2) & (maps["kind"] == "image")].reset_index(drop=True)


def written(kind, grid, name=NAME):
    return f"{name}~{kind}~" + "_".join(str(k) for vertex in grid for k in vertex)


def slowly_inside(store, kind, grid):
    """Images of the map inside a shape, in exact fractions of the coordinates in float32, as the browser has them."""
    maps = on_map(store)
    x, y = maps["x"].to_numpy(np.float32), maps["y"].to_numpy(np.float32)
    low, high = (np.array([bound(x), bound(y)], dtype=float) for bound in (np.min, np.max))
    corners = [low + np.array(step, dtype=float) * (high - low) / 65535 for step in grid]
    if kind == "box":
        (left, bottom), (right, top) = np.min(corners, axis=0), np.max(corners, axis=0)
        corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    return [k for k in range(len(maps)) if exactly(Fraction(float(x[k])), Fraction(float(y[k])), corners)]


@pytest.mark.parametrize(
    ("kind", "grid"),
    [
        ("lasso", LASSO),
        ("lasso", [(0, 0), (65535, 0), (65535, 65535), (0, 65535)]),
        ("box", [(60000, 11000), (900, 50000)]),
        ("box", [(900, 11000), (60000, 11000), (60000, 50000), (900, 50000)]),
    ],
)
def test_a_link_selects_the_images_of_a_slow_exact_loop(kind, grid, fake, ask):
    at = ask(selection=written(kind, grid))
    expected = slowly_inside(fake, kind, grid)
    assert at.session_state["rows"] == expected
    ids = on_map(fake)["pair_id"].iloc[expected]
    assert at.session_state["selected"] == list(dict.fromkeys(ids))
    assert len(expected) > 0


def test_the_outermost_points_are_inside_the_whole_map(fake, ask):
    at = ask(selection=WHOLE)
    assert at.session_state["rows"] == list(range(48))
    assert len(at.session_state["selected"]) == 24


def test_filters_in_the_link_narrow_the_selection(fake, ask):
    manifest = fake.read_table("manifest").drop_duplicates("pair_id").set_index("pair_id")
    at = ask(selection=WHOLE, map_labels=["blast", "brown"], map_splits="Test", map_search="ID_00")
    ids = [
        pair_id
        for pair_id in dict.fromkeys(on_map(fake)["pair_id"])
        if manifest.loc[pair_id, "label"] in ("blast", "brown") and manifest.loc[pair_id, "split"] == "test"
    ]
    assert at.session_state["selected"] == ids
    assert 0 < len(ids) < 24
    assert at.session_state["filters"].search == "ID_00"


def test_further_filters_by_value_and_by_range(fake, ask):
    maps = on_map(fake)
    assigned = fake.read_table("prototypes").set_index(["pair_id", "sensor"])
    images = list(zip(maps["pair_id"], maps["sensor"], strict=True))
    at = ask(
        selection=WHOLE, map_filters=["Sensor", ENTROPY], map_only_sensor="RGNIR",
        map_only_entropy=["0.05", "0.8"],
    )  # fmt: skip
    entropy = np.array([assigned.loc[image, "entropy"] for image in images], dtype=np.float32)
    expected = [k for k, (_, s) in enumerate(images) if s == "rgnir" and 0.05 <= entropy[k] <= 0.8]
    assert at.session_state["rows"] == expected
    assert 0 < len(expected) < 24


def test_a_filter_that_is_not_asked_for_is_not_applied(fake, ask):
    at = ask(selection=WHOLE, map_only_sensor="RGNIR")  # `map_filters` does not name it
    assert len(at.session_state["rows"]) == 48


def test_without_labels_those_without_are_found(fake, ask):
    without_labels(fake, "test")
    at = ask(selection=WHOLE, map_labels="no label")
    assert at.session_state["selected"] == [f"id_{k:04d}" for k in range(24) if k % 4 == 3]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "umap.embedding.2.0",
        "umap.embedding.2.0~box",
        "umap.nowhere.2.0~box~0_0_1_1",
        "umap.embedding.3.0~box~0_0_1_1",
        "umap.embedding.2.0~circle~0_0_1_1",
        "umap.embedding.2.0~box~0_0_1",
        "umap.embedding.2.0~box~0_0",
        "umap.embedding.2.0~lasso~0_0_1_1",
        "umap.embedding.2.0~box~0_0_1_65536",
        "umap.embedding.2.0~box~0_0_1_-1",
        "umap.embedding.2.0~box~0_0_1_1e3",
        "umap.embedding.2.0~box~0_0_1_٣",
        "umap.embedding.2.0~lasso~" + "_".join(["1"] * 130),
        "umap.embedding.2.0~box~0_0_1_1~box~0_0_1_1",
        "../../etc/passwd~box~0_0_1_1",
    ],
)
def test_a_selection_that_is_none_is_ignored_and_said(text, fake, ask):
    at = ask(selection=text)
    assert at.session_state["selected"] is None
    assert at.session_state["rows"] == []
    assert "selection" not in at.query_params
    assert "The link names selection" in words(at)


def test_no_selection_is_none_and_says_nothing(fake, ask):
    at = ask(map_labels="blast")
    assert at.session_state["selected"] is None
    assert at.session_state["link"] == {}
    assert words(at) == ""


def test_the_link_hands_on_shape_and_filters_alone(fake, ask):
    further = {"map_filters": ["Sensor", ENTROPY], "map_only_sensor": "RGB", "map_only_entropy": ["0.05", "0.8"]}
    at = ask(selection=WHOLE, map_labels=["blast", "brown"], map_search="00", colour="Sensor", **further)
    handed = at.session_state["link"]
    assert set(handed) == {"selection", "selection_filters"}
    assert handed["selection"] == WHOLE
    assert json.loads(handed["selection_filters"]) == {
        "label": ["blast", "brown"], "sensor": ["RGB"], "entropy": [0.05, 0.8], "*": "00",
    }  # fmt: skip
    again = ask(**handed)
    assert again.session_state["filters"] == at.session_state["filters"]
    assert again.session_state["selected"] == at.session_state["selected"]
    assert 0 < len(again.session_state["rows"]) < 24


def test_without_filters_the_shape_alone_is_handed_on(fake, ask):
    assert ask(selection=WHOLE).session_state["link"] == {"selection": WHOLE}


@pytest.mark.parametrize(
    "text",
    [
        "", "nonsense", "[" * 100_000, "7", "[]", "null", '{"nowhere": ["a"]}', '{"label": "blast"}', '{"label": []}',
        '{"entropy": [1]}', '{"entropy": [1, "x"]}', '{"entropy": [1, NaN]}', '{"entropy": [[1], 2]}', '{"*": 7}',
    ],
)  # fmt: skip
def test_handed_filters_that_are_none_are_ignored(text, fake, ask):
    at = ask(selection=WHOLE, selection_filters=text)
    assert at.session_state["filters"] == selection.Filters()
    assert len(at.session_state["rows"]) == 48


def test_shapes_are_written_as_they_are_read():
    for kind, grid in (("lasso", LASSO), ("box", [(0, 1), (65535, 7)])):
        shape = selection.Shape(KEY, kind, tuple(grid))
        assert selection.read_shape(shape.written(), [KEY]) == shape
        assert selection.shape_drawn(KEY, {"kind": kind, "vertices": [list(v) for v in grid]}) == shape


@pytest.mark.parametrize(
    "found",
    [
        None, {}, {"kind": "lasso"}, {"kind": "lasso", "vertices": None}, {"kind": "lasso", "vertices": [[1, 2]]},
        {"kind": "box", "vertices": [[0, 0], [0, 65536]]}, {"kind": "lasso", "vertices": [[0, 0]] * 65},
        {"kind": "ring", "vertices": [[0, 0]] * 4}, {"kind": "box", "vertices": [["a", 0], [1, 1]]}, 7,
    ],
)  # fmt: skip
def test_what_a_browser_should_not_send_is_no_shape(found):
    assert selection.shape_drawn(KEY, found) is None


def test_another_map_marks_the_very_images(fake):
    from dashboard import access

    run = access.current_run()
    shape = selection.Shape(KEY, "lasso", tuple(LASSO))
    chosen = on_map(fake).iloc[slowly_inside(fake, "lasso", LASSO)]
    images = set(zip(chosen["pair_id"], chosen["sensor"], strict=True))
    other = MapKey("pca", "projection", 2, 0)
    there = on_map(fake, other)
    expected = [image in images for image in zip(there["pair_id"], there["sensor"], strict=True)]
    assert selection.marked(run, shape, selection.Filters(), other).tolist() == expected


def test_another_map_with_other_images_marks_those_that_it_has(fake):
    from dashboard import access

    maps = fake.read_table("map")
    gone = (maps["method"] == "pca") & (maps["pair_id"].isin(["id_0001", "id_0002"]))
    fake.write_table("map", maps[~gone].sample(frac=1, random_state=0))
    run, other = access.current_run(), MapKey("pca", "embedding", 2, 0)
    found = selection.marked(run, selection.Shape(KEY, "box", ((0, 0), (65535, 65535))), selection.Filters(), other)
    assert found.tolist() == [True] * 44


def test_pairs_are_counted_once(fake):
    from dashboard import access

    run, maps = access.current_run(), on_map(fake)
    rows = np.flatnonzero(maps["pair_id"].isin(["id_0003", "id_0001"]) | (maps.index == 20))
    assert list(selection.pairs_of(run, KEY, rows)) == list(dict.fromkeys(maps["pair_id"].iloc[rows]))
    first = selection.one_of_each_pair(run, KEY, rows)
    assert maps["pair_id"].iloc[first].tolist() == list(dict.fromkeys(maps["pair_id"].iloc[rows]))
    assert set(first) <= set(rows.tolist())
