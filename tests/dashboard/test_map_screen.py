"""The Map: which points it sends to the browser, in which colours, and what it says of a selection."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from dashboard.components import map_view
from rice_ssl.evaluation.map_quality import map_quality
from tests.dashboard.conftest import figures, without_labels, words
from tests.fakes import write_fake_run

ENTROPY, CLUSTER = "Entropy over prototypes (nats)", "Cluster of prototypes"
WHOLE = "umap.embedding.2.0~box~0_0_65535_65535"


@pytest.fixture
def many(tmp_path, use_run):
    """A fake run of 40 pairs, whose maps are large enough to be measured."""
    store = write_fake_run(tmp_path / "many", pairs=40)
    use_run(store.root)
    return store


@pytest.fixture
def drawn(monkeypatch):
    """What the view was told last: ``arrays`` by the key of their carrier, ``views`` by their key."""
    seen = SimpleNamespace(arrays={}, views={})

    def carry(key, **arrays):
        seen.arrays[key] = arrays
        return key

    monkeypatch.setattr(map_view, "carry", carry)
    monkeypatch.setattr(map_view, "draw", lambda **what: seen.views.__setitem__(what["key"], what))
    return seen


def on_map(store, method="umap", space="embedding", seed=0):
    """Images of a map in the order of its table."""
    maps = store.read_table("map")
    own = (maps["method"] == method) & (maps["space"] == space) & (maps["seed"] == seed) & (maps["dimensions"] == 2)
    return maps[own & (maps["kind"] == "image")].reset_index(drop=True)


def labels_of(store, ids):
    return ids.map(store.read_table("manifest").drop_duplicates("pair_id").set_index("pair_id")["label"])


def shades(drawn, number=0):
    """Colour and legend text of each point."""
    view, codes = drawn.views[f"map_view_{number}"], drawn.arrays[f"map_colours_{number}"]["code"]
    texts = dict(view["legend"])
    return [(view["palette"][code], texts.get(code)) for code in codes]


def greyed(drawn):
    return np.flatnonzero(drawn.arrays["map_kept_0"]["kept"] == 0).tolist()


# -- points and colours -------------------------------------------------------------------------------------------


def test_every_image_is_sent_at_its_place(fake, drawn, show):
    show("map")
    maps, sent = on_map(fake), drawn.arrays["map_places_0"]
    np.testing.assert_array_equal(sent["x"], maps["x"].to_numpy(np.float32))
    np.testing.assert_array_equal(sent["y"], maps["y"].to_numpy(np.float32))
    assert [["rgb", "rgnir"][code] for code in sent["sensor"]] == maps["sensor"].tolist()
    view = drawn.views["map_view_0"]
    assert (view["count"], view["sensors"], view["symbols"]) == (48, ["RGB", "RGNIR"], True)
    assert (view["kept"], view["marked"], view["twins"], view["shape"], view["sheet"]) == (None,) * 5


def test_points_have_the_colours_of_their_labels(fake, drawn, show):
    from dashboard.charts.figures import class_colours

    show("map")
    colours = class_colours(["blast", "brown", "healthy"])
    assert shades(drawn) == [(colours[label], label) for label in labels_of(fake, on_map(fake)["pair_id"])]
    assert [text for _, text in drawn.views["map_view_0"]["legend"]] == ["blast", "brown", "healthy"]


def test_points_are_coloured_by_correctness_of_their_own_prediction(fake, drawn, show):
    without_labels(fake, "val")
    show("map", colour="Correct")
    predictions = fake.read_table("predictions").set_index(["pair_id", "sensor"])
    expected = []
    for pair_id, sensor in zip(on_map(fake)["pair_id"], on_map(fake)["sensor"], strict=True):
        row = predictions.loc[(pair_id, sensor)]
        known = isinstance(row["label"], str)
        expected.append(("right" if row["prediction"] == row["label"] else "wrong") if known else "no label")
    assert [text for _, text in shades(drawn)] == expected
    assert len(set(expected)) == 3


def test_points_are_coloured_by_the_cluster_of_their_prototype(fake, drawn, show):
    from dashboard.charts.figures import cluster_colour

    show("map", colour=CLUSTER)
    maps = on_map(fake)
    assigned = fake.read_table("prototypes").set_index(["pair_id", "sensor"])["prototype"]
    for (shade, text), image in zip(shades(drawn), zip(maps["pair_id"], maps["sensor"], strict=True), strict=True):
        cluster = assigned[image] % 3 + 1  # of 8 prototypes in three clusters, see tests/fakes.py
        assert (shade, text) == (cluster_colour(cluster), f"cluster {cluster}")


def test_numbers_are_a_scale_with_its_ends_written(fake, drawn, show):
    show("map", colour=ENTROPY)
    maps, view = on_map(fake), drawn.views["map_view_0"]
    entropy = fake.read_table("prototypes").set_index(["pair_id", "sensor"])["entropy"].astype(np.float32)
    values = np.array([entropy[image] for image in zip(maps["pair_id"], maps["sensor"], strict=True)])
    assert view["legend"] == ()
    assert view["scale"] == tuple(f"{value:.3g}" for value in (values.min(), values.max()))
    codes = drawn.arrays["map_colours_0"]["code"].astype(int)
    assert (np.diff(codes[np.argsort(values)]) >= 0).all()
    assert (codes.min(), codes.max()) == (0, 127)


def test_of_many_values_the_most_frequent_have_colours(fake, drawn, show):
    frame = fake.read_table("prototypes")
    frame["prototype"] = [0, 0] + list(range(46))
    fake.write_table("prototypes", frame)
    show("map", colour="Prototype")
    found = pd.Series([text for _, text in shades(drawn)])
    assert found.nunique() == 21
    assert (found == "0").sum() == 3
    assert (found == "other (26 values)").sum() == 26
    assert drawn.views["map_view_0"]["legend"][-1][1] == "other (26 values)"


def test_lines_and_arrows_join_twins(fake, drawn, show):
    show("map", map_lines="arrows")
    maps, twin = on_map(fake), drawn.arrays["map_twins_0"]["twin"]
    assert drawn.views["map_view_0"]["lines"] == "arrows"
    assert (maps["pair_id"].to_numpy()[twin] == maps["pair_id"]).all()
    assert (maps["sensor"].to_numpy()[twin] != maps["sensor"]).all()


def test_a_link_of_a_former_version_still_joins_pairs(fake, drawn, show):
    at = show("map", map_lines="true")
    assert at.selectbox(key="map_lines").value == "lines"
    assert drawn.views["map_view_0"]["lines"] == "lines"


@pytest.mark.parametrize(
    ("former", "name"), [("Correctness", "correct"), ("Prototype cluster", "cluster"), ("Sensor", "sensor")]
)
def test_a_link_of_a_former_version_still_names_its_colour(former, name, fake, drawn, show):
    at = show("map", colour=former)
    assert at.selectbox(key="colour").value == name
    assert "The link names" not in words(at)


def test_without_clusters_the_map_does_not_offer_them(fake, drawn, show):
    maps = fake.read_table("map")
    fake.write_table("map", maps[maps["kind"] == "image"])
    fake.update_info(weights_from="demo")
    assert CLUSTER not in show("map").selectbox(key="colour").options


# -- filters ------------------------------------------------------------------------------------------------------


def test_filtered_out_points_are_greyed_and_not_hidden(fake, drawn, show):
    manifest = fake.read_table("manifest").drop_duplicates("pair_id").set_index("pair_id")
    show("map", map_labels=["blast", "brown"], map_splits="Test")
    kept = [
        manifest.loc[pair_id, "label"] in ("blast", "brown") and manifest.loc[pair_id, "split"] == "test"
        for pair_id in on_map(fake)["pair_id"]
    ]
    assert greyed(drawn) == np.flatnonzero(~np.array(kept)).tolist()
    assert drawn.views["map_view_0"]["count"] == 48


def test_what_is_searched_for_is_ringed_and_the_rest_is_greyed(fake, drawn, show):
    show("map", map_search="0003")
    rows = np.flatnonzero(on_map(fake)["pair_id"] == "id_0003").tolist()
    assert drawn.views["map_view_0"]["rings"] == rows
    assert greyed(drawn) == [row for row in range(48) if row not in rows]


def test_a_search_in_vain_is_said(fake, drawn, show):
    assert "No pair has 'nowhere' in its id." in words(show("map", map_search="nowhere"))


def test_filters_that_leave_nothing_say_so(fake, drawn, show):
    text = words(show("map", map_labels="blast", map_search="id_0001"))
    assert "No image fits these filters. Remove one of them." in text


def test_further_columns_filter_by_value_and_range(fake, drawn, show):
    at = show("map", map_filters=["Sensor", ENTROPY])
    at.multiselect(key="map_only_sensor").select("RGNIR").run()
    maps = on_map(fake)
    assert greyed(drawn) == np.flatnonzero(maps["sensor"] == "rgb").tolist()
    slider = at.slider(key="map_only_entropy")
    entropy = fake.read_table("prototypes").set_index(["pair_id", "sensor"])["entropy"]
    values = np.array([entropy[i] for i in zip(maps["pair_id"], maps["sensor"], strict=True)], dtype=np.float32)
    assert (slider.min, slider.max) == (float(values.min()), float(values.max()))
    low, high = slider.min + 0.1 * (slider.max - slider.min), slider.min + 0.6 * (slider.max - slider.min)
    slider.set_range(low, high).run()
    kept = (maps["sensor"] == "rgnir") & (values >= low) & (values <= high)
    assert greyed(drawn) == np.flatnonzero(~kept).tolist()
    assert 0 < kept.sum() < 24


def test_the_pair_of_a_link_is_ringed_and_shown(fake, drawn, show):
    at = show("map", pair="id_0005")
    assert drawn.views["map_view_0"]["rings"] == np.flatnonzero(on_map(fake)["pair_id"] == "id_0005").tolist()
    assert "id\\_0005" in words(at) or "id_0005" in words(at)
    at.button(key="map_forget_pair").click().run()
    assert drawn.views["map_view_0"]["rings"] == []
    assert "pair" not in at.query_params


@pytest.mark.parametrize("pair", ["nowhere", "<script>", ""])
def test_a_pair_that_is_not_on_the_map_rings_nothing(pair, fake, drawn, show):
    show("map", pair=pair)
    assert drawn.views["map_view_0"]["rings"] == []


# -- the selection ------------------------------------------------------------------------------------------------


def test_a_selection_says_how_many_of_which_label_and_prototype(fake, drawn, show):
    at = show("map", selection=WHOLE)
    text = words(at)
    assert "**24 pairs selected**" in text
    assert "48 images" in text
    assert all(f"{label}: 8 (33%)" in text for label in ("blast", "brown", "healthy"))
    counts = fake.read_table("prototypes")["prototype"].value_counts()
    shown = {button.label for button in at.button if button.key.startswith("map_prototype_")}
    assert shown == {f"{number}: {count}" for number, count in counts.items()}


def test_a_selection_is_drawn_where_it_was_drawn(fake, drawn, show):
    show("map", selection="umap.embedding.2.0~lasso~0_0_65535_0_30000_65535")
    x, y = (drawn.arrays["map_places_0"][axis].astype(np.float64) for axis in "xy")
    shape = drawn.views["map_view_0"]["shape"]
    assert shape["kind"] == "lasso"
    top = x.min() + 30000 * (x.max() - x.min()) / 65535
    assert shape["vertices"] == [[x.min(), y.min()], [x.max(), y.min()], [top, y.max()]]


def test_a_selection_is_kept_and_marked_on_another_map(fake, drawn, show):
    at = show("map", selection="umap.embedding.2.0~box~0_0_30000_65535")
    chosen = words(at).split(" selected")[0].rsplit("**", 1)[1]
    maps = on_map(fake)
    x = maps["x"].to_numpy(np.float32).astype(float)
    inside = x <= x.min() + 30000 * (x.max() - x.min()) / 65535
    at.segmented_control(key="method").set_value("pca").run()
    text = words(at)
    assert f"**{chosen} selected**" in text
    assert "drawn on UMAP of embeddings, seed 0 and marked here" in text
    there = on_map(fake, "pca")
    images = set(zip(maps["pair_id"][inside], maps["sensor"][inside], strict=True))
    expected = [image in images for image in zip(there["pair_id"], there["sensor"], strict=True)]
    assert drawn.views["map_view_0"]["shape"] is None
    assert drawn.arrays["map_marked_0"]["marked"].astype(bool).tolist() == expected
    at.selectbox(key="colour").select("sensor").run()
    assert f"**{chosen} selected**" in words(at)


def test_filters_and_selection_combine(fake, drawn, show):
    at = show("map", selection=WHOLE)
    at.multiselect(key="map_labels").select("brown").run()
    text = words(at)
    assert "**8 pairs selected**" in text
    assert "brown: 8 (100%)" in text
    at.text_input(key="map_search").input("nowhere").run()
    assert "No image inside the shape passes the filters." in words(at)


def test_a_selection_shows_some_of_every_class(many, drawn, show):
    at = show("map", selection=WHOLE)
    text = words(at)
    assert "40 pairs selected" in text
    assert "6 of them are shown, drawn at random." in text
    captions = [c.value for c in at.caption if c.value.startswith("RGB · label ")]
    assert len(captions) == 6
    assert {caption.split()[3].strip(",") for caption in captions} == {"blast", "brown", "healthy"}
    assert all(", predicted " in caption for caption in captions)
    again = show("map", selection=WHOLE)
    assert [c.value for c in again.caption] == [c.value for c in at.caption]


def test_clear_forgets_the_selection(fake, drawn, show):
    at = show("map", selection=WHOLE)
    at.button(key="map_clear").click().run()
    assert "Draw a lasso" in words(at)
    assert "selection" not in at.query_params
    assert drawn.views["map_view_0"]["shape"] is None


def test_the_saved_tables_hold_the_selected_ids_and_images(fake, drawn, show, monkeypatch):
    from dashboard import access
    from dashboard.components import map_selection
    from dashboard.map_points import MapKey

    show("map", selection=WHOLE)
    run, key, rows = access.current_run(), MapKey("umap", "embedding", 2, 0), np.array([3, 4, 9])
    maps = on_map(fake).iloc[rows]
    ids = pd.read_csv(io.BytesIO(map_selection._ids(pd.Index(maps["pair_id"].unique()))()))
    assert ids["pair_id"].tolist() == list(dict.fromkeys(maps["pair_id"]))
    images = pd.read_csv(io.BytesIO(map_selection._images(run, key, rows)()))
    assert images["pair_id"].tolist() == maps["pair_id"].tolist()
    assert images["sensor"].tolist() == maps["sensor"].tolist()
    assert images["label"].tolist() == labels_of(fake, maps["pair_id"]).tolist()
    np.testing.assert_allclose(images["x"], maps["x"], rtol=1e-5)


def test_filters_that_another_screen_hands_on_are_in_the_controls(fake, drawn, show):
    handed = '{"label":["brown"],"sensor":["RGB"],"*":"id_00"}'
    at = show("map", selection=WHOLE, selection_filters=handed)
    assert at.multiselect(key="map_labels").value == ["brown"]
    assert at.multiselect(key="map_only_sensor").value == ["RGB"]
    assert at.text_input(key="map_search").value == "id_00"
    assert "**8 pairs selected**" in words(at)
    assert "8 images" in words(at)
    assert "selection_filters" not in at.query_params


def test_leaf_steps_through_the_selection(fake, show):
    at = show("leaf", selection="umap.embedding.2.0~box~0_0_30000_65535", leaf_show="selected on the map")
    maps = on_map(fake)
    x = maps["x"].to_numpy(np.float32).astype(float)
    ids = set(maps["pair_id"][x <= x.min() + 30000 * (x.max() - x.min()) / 65535])
    seen = [next(m.value for m in at.markdown if m.value.startswith("#### ")).removeprefix("#### ")]
    assert f"1 of {len(ids)}" in words(at)
    for _ in range(len(ids) - 1):
        at.button(key="leaf_next").click().run()
        seen.append(next(m.value for m in at.markdown if m.value.startswith("#### ")).removeprefix("#### "))
    assert seen == sorted(ids)
    assert at.button(key="leaf_next").disabled


def test_leaf_without_a_selection_does_not_offer_it(fake, show):
    assert "selected on the map" not in show("leaf").selectbox(key="leaf_show").options
    at = show("leaf", leaf_show="selected on the map")
    assert "names show 'selected on the map', which this run does not have. Showing all pairs instead." in words(at)


# -- images as points ---------------------------------------------------------------------------------------------


def test_images_as_points_are_tiles_of_one_picture(fake, drawn, show):
    at = show("map", images="true")
    view = drawn.views["map_view_0"]
    assert view["images"] is True
    sheet, maps = view["sheet"], on_map(fake)
    picture = Image.open(io.BytesIO(base64.b64decode(sheet["url"].partition(",")[2]))).convert("RGB")
    thumbnails = fake.read_table("thumbnails").set_index(["pair_id", "sensor"])["jpeg"]
    for row, left, top in zip(sheet["rows"], sheet["left"], sheet["top"], strict=True):
        with Image.open(io.BytesIO(thumbnails[maps["pair_id"][row], maps["sensor"][row]])) as own:
            fitted = np.asarray(ImageOps.fit(own.convert("RGB"), (sheet["tile"],) * 2), dtype=float)
        tile = np.asarray(picture.crop((left, top, left + sheet["tile"], top + sheet["tile"])), dtype=float)
        assert np.abs(tile - fitted).mean() < 12  # WebP is lossy; of another image it is
        assert np.corrcoef(tile[4:-4, 4:-4].mean(axis=(0, 1)), fitted[4:-4, 4:-4].mean(axis=(0, 1)))[0, 1] > 0.9
    assert f"{len(sheet['rows'])} of 48 images in view, at most one for each cell of a grid" in words(at)
    assert at.selectbox(key="colour").disabled
    assert at.selectbox(key="map_lines").disabled


def test_wrong_predictions_are_framed_red(fake, drawn, show):
    from dashboard.charts.figures import class_colours

    text = words(show("map", images="true"))
    sheet, maps = drawn.views["map_view_0"]["sheet"], on_map(fake)
    predictions = fake.read_table("predictions").set_index(["pair_id", "sensor"])
    colours, wrong = class_colours(["blast", "brown", "healthy"]), 0
    for row, frame in zip(sheet["rows"], sheet["frames"], strict=True):
        said = predictions.loc[(maps["pair_id"][row], maps["sensor"][row])]
        bad = said["prediction"] != said["label"]
        wrong += bad
        assert frame == ("#FF0033" if bad else colours[said["label"]])
    assert wrong > 0
    assert f"red where the prediction is wrong ({wrong} of these)" in text


def test_images_that_do_not_pass_the_filters_are_not_drawn(fake, drawn, show):
    show("map", images="true", map_labels="blast")
    labels = labels_of(fake, on_map(fake)["pair_id"])
    assert {labels[row] for row in drawn.views["map_view_0"]["sheet"]["rows"]} == {"blast"}


# -- what is said -------------------------------------------------------------------------------------------------


def test_a_map_of_few_images_is_not_measured(fake, drawn, show):
    text = words(show("map"))
    assert "There are too few images (48) to measure how well this map keeps neighbours." in text
    assert "Trustworthiness" not in text


def measured(**changes):
    """An entry of map.json."""
    quality = {"trustworthiness": 0.9712, "continuity": 0.9634, "shared": 0.554, "neighbours": 15, "images": 80}
    entry = {"method": "umap", "space": "embedding", "dimensions": 2, "seed": 0, "images": 80, "fitted": 80}
    return {**entry, "quality": quality, **changes}


def test_the_map_says_what_the_library_measures(many, drawn, show):
    maps = on_map(many, "pca", "projection")
    found = map_quality(many.read_vectors("embeddings", "projection"), maps[["x", "y"]].to_numpy(), metric="cosine")
    text = words(show("map", space="Projections", method="PCA"))
    assert f"Trustworthiness {found.trustworthiness:.3f} of 1 (false neighbours penalised by rank)" in text
    share = f"of an image's 15 nearest on the map, {100 * found.shared:.0f}% are among its 15 nearest in the original"
    assert share in text
    assert "(80 images measured)" in text


def test_how_far_a_map_may_be_believed_is_said_under_it(many, drawn, show):
    many.write_document("map", {"maps": [measured(), measured(method="pca", fitted=50)], "notes": []})
    text = words(show("map"))
    assert "Distances on a map are not evidence: neighbours are computed in the original space." in text
    assert "Trustworthiness 0.971 of 1 (false neighbours penalised by rank), continuity 0.963 of 1" in text
    assert "of an image's 15 nearest on the map, 55% are among its 15 nearest in the original space" in text
    assert "(80 images measured)" in text
    assert "Fitted on" not in text
    assert "Fitted on a sample of 50 of 80 images; others were laid into it." in words(show("map", method="PCA"))


def test_a_map_that_was_not_measured_names_the_command(many, drawn, show):
    many.write_document("map", {"maps": [measured(space="logits")], "notes": []})
    text = words(show("map"))
    command = f"rice-ssl map {many.root.as_posix()}"
    assert f"How well this map keeps neighbours was not measured: `{command}` does it." in text


@pytest.mark.parametrize("content", [{}, {"maps": 3}, {"maps": [{}]}, {"maps": [{"method": "umap"}]}])
def test_a_damaged_map_document_is_explained_and_the_map_is_shown(content, many, drawn, show):
    many.write_document("map", content)
    assert "map.json lacks what is shown here" in words(show("map"))
    assert "map_view_0" in drawn.views


# -- three dimensions and two seeds -------------------------------------------------------------------------------


@pytest.fixture
def seeded(fake):
    """The fake run with UMAP of embeddings of two seeds, and in three dimensions."""
    maps = fake.read_table("map")
    maps = maps[(maps["dimensions"] == 2) & (maps["seed"] == 0)]
    own = maps[(maps["method"] == "umap") & (maps["space"] == "embedding") & (maps["kind"] == "image")]
    second = own.assign(seed=1, x=-own["y"], y=own["x"])
    deep = own.assign(dimensions=3, z=own["x"] + own["y"])
    fake.write_table("map", pd.concat([maps, second, deep], ignore_index=True))
    return fake


def test_a_second_seed_is_beside_with_the_same_colours_and_the_selection_marked(seeded, drawn, show):
    at = show("map", map_seed="both", selection="umap.embedding.2.0~box~0_0_30000_65535")
    first, second = (drawn.views[f"map_view_{number}"] for number in (0, 1))
    np.testing.assert_array_equal(*(drawn.arrays[f"map_colours_{number}"]["code"] for number in (0, 1)))
    assert first["palette"] == second["palette"]
    places = [drawn.arrays[f"map_places_{number}"] for number in (0, 1)]
    np.testing.assert_array_equal(places[1]["x"], -places[0]["y"])
    x = places[0]["x"].astype(float)
    inside = x <= x.min() + 30000 * (x.max() - x.min()) / 65535
    assert drawn.arrays["map_marked_1"]["marked"].astype(bool).tolist() == inside.tolist()
    assert (first["marked"], second["shape"]) == (None, None)
    assert first["shape"]["kind"] == "box"
    assert "**UMAP, seed 0**" in words(at)
    assert "**UMAP, seed 1**" in words(at)


def test_the_seed_is_in_the_link(seeded, drawn, show):
    at = show("map", map_seed="1")
    assert drawn.arrays["map_places_0"]["x"][3] == np.float32(-on_map(seeded)["y"][3])
    at.segmented_control(key="map_seed").set_value("0").run()
    assert drawn.arrays["map_places_0"]["x"][3] == np.float32(on_map(seeded)["x"][3])


def test_three_dimensions_are_to_look_at(seeded, drawn, show):
    at = show("map", map_3d="true", selection="umap.embedding.2.0~box~0_0_30000_65535", map_labels=["blast", "brown"])
    figure = figures(at)["map_in_space"]
    maps, labels = on_map(seeded), labels_of(seeded, on_map(seeded)["pair_id"])
    x = maps["x"].astype(np.float32).astype(float)
    inside = x <= x.min() + 30000 * (x.max() - x.min()) / 65535
    points = {trace["name"]: 0 for trace in figure["data"]}
    for trace in figure["data"]:
        points[trace["name"]] += len(vector(trace["z"]))
    kept = labels.isin(["blast", "brown"])
    assert points["Filtered out"] == (~kept).sum()
    assert points["blast · RGB"] == ((labels == "blast") & (maps["sensor"] == "rgb")).sum()
    assert points["Selected"] == (inside & kept).sum()
    assert "Nothing can be selected here" in words(at)
    assert "map_view_0" not in drawn.views


def test_three_dimensions_draw_a_named_sample(seeded, drawn, show, monkeypatch):
    import dashboard.charts.map as charts
    import dashboard.components.map_in_space as component

    monkeypatch.setattr(charts, "MOST_POINTS", 20)
    monkeypatch.setattr(component, "MOST_POINTS", 20)
    at = show("map", map_3d="true")
    assert "20 of 48 images, drawn at random with seed 0." in words(at)
    assert sum(len(vector(trace["z"])) for trace in figures(at)["map_in_space"]["data"]) == 20


def vector(values):
    """A list of numbers as plotly sends it, also in base64."""
    return values if isinstance(values, list) else np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])


# -- whether the sensors place pairs alike ------------------------------------------------------------------------


@pytest.fixture
def compared(fake):
    """The fake run with neighbourhoods: pair k has an overlap of k / 40."""
    ids = [f"id_{k:04d}" for k in range(24)]
    ranks = pd.array([*range(1, 24), None], dtype="Int64")
    columns = {"pair_id": ids, "overlap": np.arange(24) / 40, "first_rank": ranks, "second_rank": ranks[::-1]}
    fake.write_table("neighbourhoods", pd.DataFrame(columns))
    noted = {"neighbours": 10, "pairs": 24, "expected": 0.123, "exact": True, "recall": None}
    fake.write_document("map", {"maps": [], "neighbourhoods": noted, "notes": []})
    return fake


def opened(show, **query):
    """The screen with the section open."""
    at = show("map", **query)
    at.session_state["map_neighbourhoods"] = True
    at.run()
    assert not at.exception, at.exception
    return at


def test_pairs_are_ranked_by_what_their_neighbourhoods_share(compared, drawn, show):
    at = opened(show)
    text = words(at)
    assert "the 10 pairs whose RGB images are nearest to its own, and the 10 pairs whose RGNIR images are" in text
    assert f"overlap is {np.mean(np.arange(24) / 40):.2f} on average over 24 pairs" in text
    assert "; of shuffled pairs, by chance, 0.123" in text
    (table,) = [frame.value for frame in at.dataframe if "Overlap" in frame.value]
    assert table["Pair"].tolist() == [f"id_{k:04d}" for k in range(24)]
    assert table["Label"].tolist() == labels_of(compared, table["Pair"]).tolist()
    assert table["RGNIR twin's rank from RGB"].tolist()[:3] == [1, 2, 3]
    bars = figures(at)["map_overlap_chart"]["data"][0]
    counts = np.histogram(np.arange(24) / 40, bins=20, range=(0, 1))[0]
    np.testing.assert_allclose(vector(bars["y"]), counts / 24)


def test_of_equal_overlap_the_twins_that_are_further_apart_come_first(fake):
    from dashboard import access
    from dashboard.components.map_neighbourhoods import lowest

    ids, first = ["a", "b", "c", "d"], pd.array([3, None, 9, 1], dtype="Int64")
    second = pd.array([2, 5, 1, 1], dtype="Int64")
    overlap = [0.0, 0.0, 0.0, 0.5]
    fake.write_table(
        "neighbourhoods", pd.DataFrame({"pair_id": ids, "overlap": overlap, "first_rank": first, "second_rank": second})
    )
    assert lowest(access.current_run())["pair_id"].tolist() == ["b", "c", "a", "d"]


def test_points_are_coloured_by_overlap(compared, drawn, show):
    show("map", colour="Overlap of neighbourhoods")
    view, maps = drawn.views["map_view_0"], on_map(compared)
    assert view["scale"] == ("0", "0.575")
    codes = drawn.arrays["map_colours_0"]["code"]
    assert codes[(maps["pair_id"] == "id_0000").to_numpy()].tolist() == [0, 0]
    assert codes[(maps["pair_id"] == "id_0023").to_numpy()].tolist() == [127, 127]


def test_without_neighbourhoods_the_command_is_named(fake, drawn, show):
    fake.remove("neighbourhoods.parquet")
    assert "rice-ssl map" in words(opened(show))


# -- runs that lack something -------------------------------------------------------------------------------------


def test_a_run_without_prototypes_is_shown(fake, drawn, show):
    fake.remove("prototypes.parquet")
    maps = fake.read_table("map")
    fake.write_table("map", maps[(maps["kind"] == "image") & (maps["space"] != "projection")])
    at = show("map", selection=WHOLE)
    assert not {"Prototype", CLUSTER, ENTROPY} & set(at.selectbox(key="colour").options)
    assert "24 pairs selected" in words(at)
    assert "prototypes (number" not in words(at)


def test_a_run_without_predictions_is_shown(fake, drawn, show):
    fake.remove("predictions.parquet")
    maps = fake.read_table("map")
    fake.write_table("map", maps[maps["space"] != "logits"])
    at = show("map", selection=WHOLE, images="true")
    assert not {"Prediction", "Correct", "Confidence"} & set(at.selectbox(key="colour").options)
    assert "red where" not in words(at)


def test_prototypes_without_labels_are_shown(fake, drawn, show):
    without_labels(fake)
    at = show("map", selection=WHOLE, colour="Prototype")
    text = words(at)
    assert "no label: 24 (100%)" in text
    assert "None" not in text
    assert "nan" not in text
    assert {text for _, text in shades(drawn)} == {str(n) for n in fake.read_table("prototypes")["prototype"].unique()}


def test_one_sensor_is_shown(fake, drawn, show):
    for name in ("manifest", "predictions", "embeddings", "prototypes", "thumbnails", "map"):
        frame = fake.read_table(name)
        fake.write_table(name, frame[(frame["sensor"] == "rgb") | frame["sensor"].isna()])
    fake.update_info(sensors=fake.info()["sensors"][:1])
    at = show("map", selection=WHOLE, map_lines="lines")
    assert "**24 pairs selected**" in words(at)
    assert drawn.views["map_view_0"]["symbols"] is False
    assert "Do the two sensors place pairs alike?" not in [expander.label for expander in at.expander]


def test_a_single_pair_is_shown(tmp_path, use_run, drawn, show):
    store = write_fake_run(tmp_path / "one", pairs=6)
    for name in ("manifest", "predictions", "embeddings", "prototypes", "thumbnails", "map"):
        frame = store.read_table(name)
        store.write_table(name, frame[(frame["pair_id"] == "id_0000") | frame["pair_id"].isna()])
    use_run(store.root)
    at = show("map", selection=WHOLE, images="true")
    assert "**1 pair selected**" in words(at)
    assert "2 images" in words(at)
    assert drawn.views["map_view_0"]["count"] == 2
    assert "of them are shown" not in words(at)


def test_all_points_at_one_place_are_shown(fake, drawn, show):
    maps = fake.read_table("map")
    fake.write_table("map", maps.assign(x=0.25, y=0.25))
    assert "**24 pairs selected**" in words(show("map", selection=WHOLE, images="true"))


def test_images_without_a_place_are_counted_and_never_selected(fake, drawn, show):
    maps = fake.read_table("map")
    hurt = (maps["pair_id"] == "id_0002") & (maps["sensor"] == "rgb")
    maps.loc[hurt, ["x", "y"]] = np.nan
    fake.write_table("map", maps)
    text = words(show("map", selection=WHOLE, images="true"))
    assert "1 image has no place: its numbers are not finite." in text
    assert "47 images" in text
    assert "**24 pairs selected**" in text


def test_a_map_without_images_names_the_command(fake, drawn, show):
    maps = fake.read_table("map")
    fake.write_table("map", maps[maps["kind"] == "prototype"])
    assert "rice-ssl map" in words(show("map"))


def test_without_thumbnails_the_selection_is_still_shown(fake, drawn, show):
    fake.remove("thumbnails/images.parquet")
    text = words(show("map", selection=WHOLE))
    assert "**24 pairs selected**" in text
    assert "thumbnails" in text
    text = words(show("map", images="true"))
    assert "thumbnails" in text
    assert "map_view_0" in drawn.views


def test_a_run_can_be_changed_while_it_is_looked_at(fake, drawn, show):
    at = show("map", selection=WHOLE)
    maps = fake.read_table("map")
    fake.write_table("map", maps[maps["pair_id"] != "id_0001"])
    at.run()
    assert not at.exception, at.exception
    assert "**23 pairs selected**" in words(at)
