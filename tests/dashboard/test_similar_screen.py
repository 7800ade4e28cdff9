"""The Similar leaves screen: an image, a region, a selection; across sensors, with filters, and what it lacks."""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from dashboard import access, embedded, live_network, neighbours, selection
from dashboard.components import similar_region
from rice_ssl.artifacts import RunStore
from rice_ssl.data.image_file import decode_image
from rice_ssl.embeddings.similar import build_index
from rice_ssl.evaluation.prototypes import wilson_interval
from tests.attribution.network_run import SIZE, write_network_run
from tests.dashboard.conftest import without_labels, words
from tests.data.fake_images import picture, write_zindi
from tests.fakes import write_fake_run

PAIR = "id_0005"


def key(store):
    return access.key_of(store.root)


def vectors_of(store, sensor, space="embedding"):
    """Ids and vectors of a sensor's images, float64."""
    frame = store.read_table("embeddings")
    own = frame[frame["sensor"] == sensor]
    return own["pair_id"].tolist(), np.stack(own[space].to_list()).astype(np.float64)


def by_scikit_learn(store, query, sensor, count, space="embedding", without=()):
    ids, vectors = vectors_of(store, sensor, space)
    kept = [k for k, pair_id in enumerate(ids) if pair_id not in without and np.isfinite(vectors[k]).all()]
    peer = NearestNeighbors(n_neighbors=min(count, len(kept)), metric="cosine", algorithm="brute").fit(vectors[kept])
    distances, places = peer.kneighbors([query])
    return [ids[kept[place]] for place in places[0]], 1 - distances[0]


def results(at, sensor="rgb"):
    """Pairs whose images are shown of a sensor, in order."""
    keys = [button.key for button in at.button if button.key and button.key.endswith(f"-{sensor}-more")]
    helps = {button.key: button.help for button in at.button}
    return [helps[key].rpartition(" ")[2] for key in keys]


# -- the search --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", ["embedding", "projection"])
@pytest.mark.parametrize(("sensor", "among"), [("rgb", "rgb"), ("rgb", "rgnir"), ("rgnir", "rgb")])
def test_an_image_finds_what_scikit_learn_finds(fake, sensor, among, space):
    for pair_id in ("id_0000", PAIR, "id_0023"):
        ids, vectors = vectors_of(fake, sensor, space)
        query = vectors[ids.index(pair_id)]
        expected, cosines = by_scikit_learn(fake, query, among, 12, space, [pair_id] if sensor == among else [])
        found = neighbours.of_image(key(fake), pair_id, sensor, among, 12, space)
        assert found.pair_ids == expected
        assert found.cosines == pytest.approx(cosines, abs=1e-6)
        assert (found.exact, found.searched) == (True, 23 if sensor == among else 24)


@pytest.mark.parametrize("evenly", [True, False])
def test_a_vector_finds_what_scikit_learn_finds_but_what_is_left_out(fake, evenly):
    if not evenly:  # rows of a sensor that are no slice of the table
        fake.write_table("embeddings", fake.read_table("embeddings").sample(frac=1, random_state=3))
    query = np.random.default_rng(5).normal(size=16)
    left_out = ["id_0001", "id_0008", "id_0016", "no such pair"]
    for count in (6, 48):
        expected, cosines = by_scikit_learn(fake, query, "rgnir", count, without=left_out)
        found = neighbours.of_vector(key(fake), query, "rgnir", count, without=left_out)
        assert found.pair_ids == expected
        assert found.cosines == pytest.approx(cosines, abs=1e-6)
        assert found.searched == 21


def test_equal_images_come_in_the_order_of_the_table(fake):
    frame = fake.read_table("embeddings")
    frame["embedding"] = [np.ones(16, dtype=np.float32)] * len(frame)
    fake.write_table("embeddings", frame)
    found = neighbours.of_image(key(fake), "id_0003", "rgb", "rgb", 6)
    assert found.pair_ids == ["id_0000", "id_0001", "id_0002", "id_0004", "id_0005", "id_0006"]
    assert neighbours.rank_of(key(fake), np.ones(16), "rgnir", "id_0003")[:2] == (4, 24)


def test_the_rank_of_a_twin_is_that_of_a_slow_loop(fake, monkeypatch):
    ids, rgb = vectors_of(fake, "rgb")
    _, rgnir = vectors_of(fake, "rgnir")
    for k in (0, 5, 23):
        cosines = [v @ rgb[k] / np.linalg.norm(v) / np.linalg.norm(rgb[k]) for v in rgnir]
        monkeypatch.setattr("rice_ssl.embeddings.neighbours._PART", 16 * (1 + 7 * k))  # rows of 16 numbers at once
        rank, count, cosine = neighbours.rank_of(key(fake), rgb[k], "rgnir", ids[k])
        assert (rank, count) == (1 + sum(other > cosines[k] for other in cosines), 24)
        assert cosine == pytest.approx(cosines[k], abs=1e-6)


def test_a_mean_is_of_vectors_of_length_one_and_leaves_out_what_has_no_direction(fake):
    frame = fake.read_table("embeddings")
    rows = frame.index[frame["pair_id"] == "id_0002"]
    frame.at[rows[0], "embedding"] = np.full(16, np.nan, dtype=np.float32)
    frame.at[rows[1], "embedding"] = np.zeros(16, dtype=np.float32)
    fake.write_table("embeddings", frame)
    chosen = pd.Index(["id_0001", "id_0002", "id_0007"])
    kept = [v for s in ("rgb", "rgnir") for i, v in zip(*vectors_of(fake, s), strict=True) if i in chosen[[0, 2]]]
    expected = sum(v / np.linalg.norm(v) for v in kept) / 4
    mean, used, left_out = neighbours.mean_of(key(fake), chosen, ["rgb", "rgnir"])
    assert (used, left_out) == (4, 2)
    assert mean == pytest.approx(expected, abs=1e-6)
    assert neighbours.mean_of(key(fake), pd.Index(["nobody"]), ["rgb"])[:2] == (None, 0)


# -- an image ----------------------------------------------------------------------------------------------------------


def test_an_image_is_searched_in_each_sensor_side_by_side(fake, show):
    at = show("similar", pair=PAIR, similar_sensor="RGNIR")
    for among in ("rgb", "rgnir"):
        assert results(at, among) == neighbours.of_image(key(fake), PAIR, "rgnir", among, 12).pair_ids
    text = words(at)
    assert "#### Nearest to the RGNIR image of id_0005" in text
    assert "24 were searched, every one of them compared." in text
    assert "23 were searched, every one of them compared." in text
    rank, count, cosine = neighbours.rank_of(key(fake), embedded.vector_of(key(fake), PAIR, "rgnir"), "rgb", PAIR)
    assert f"The twin is number **{rank}** of {count} (cosine {cosine:.2f})." in text
    predicted = fake.read_table("predictions").set_index(["pair_id", "sensor"])["prediction"]
    assert f"RGNIR · healthy, predicted **{predicted[PAIR, 'rgnir']}**" in text
    first = results(at, "rgb")[0]
    label, said = fake.read_table("manifest").set_index("pair_id")["label"][first].iloc[0], predicted[first, "rgb"]
    found = neighbours.of_image(key(fake), PAIR, "rgnir", "rgb", 12)
    cross = "check" if said == label else "close"
    captions = [caption.value for caption in at.caption]
    assert any(
        c.startswith(f"**{label}** · {found.cosines[0]:.2f}  \npredicted {said} :material/{cross}:") for c in captions
    )


def test_one_sensor_is_searched_when_asked_and_the_count_is_kept_to(fake, show):
    at = show("similar", pair=PAIR, similar_among="RGNIR", similar_count="6")
    assert results(at, "rgb") == []
    assert results(at, "rgnir") == neighbours.of_image(key(fake), PAIR, "rgb", "rgnir", 6).pair_ids
    at.slider(key="similar_count").set_value(48).run()
    assert len(results(at, "rgnir")) == 24


def test_projections_are_another_space(fake, show):
    at = show("similar", pair=PAIR, similar_space="Projections")
    assert results(at) == neighbours.of_image(key(fake), PAIR, "rgb", "rgb", 12, "projection").pair_ids
    assert results(at) != neighbours.of_image(key(fake), PAIR, "rgb", "rgb", 12).pair_ids


def test_filters_leave_out_of_what_was_found(fake, show):
    at = show("similar", pair=PAIR, similar_among="RGB", similar_labels="blast", similar_splits="Test")
    manifest = fake.read_table("manifest").drop_duplicates("pair_id").set_index("pair_id")
    every = neighbours.of_image(key(fake), PAIR, "rgb", "rgb", 12).pair_ids
    fitting = [p for p in every if manifest.loc[p, "label"] == "blast" and manifest.loc[p, "split"] == "test"]
    assert results(at) == fitting
    assert f"{len(fitting)} of the 12 nearest pass the filters." in words(at)
    labels = [manifest.loc[pair_id, "label"] for pair_id in every]  # the mix is of all that was found
    most = max(sorted(set(labels)), key=labels.count)
    assert f"Of 12 RGB images with a label {labels.count(most)} are **" in words(at)


def test_the_label_mix_has_wilsons_interval_and_the_base_rate(fake, show):
    at = show("similar", pair=PAIR, similar_among="RGB")
    manifest = fake.read_table("manifest").drop_duplicates("pair_id").set_index("pair_id")["label"]
    labels = [manifest[pair_id] for pair_id in results(at)]
    assert neighbours.label_counts(key(fake), "rgb").to_dict() == {"blast": 8, "brown": 8, "healthy": 8}
    most = pd.Series(labels).value_counts()
    low, high = wilson_interval(int(most.iloc[0]), 12)
    assert (
        f"Of 12 RGB images with a label {most.iloc[0]} are **{most.index[0]}** ({100 * most.iloc[0] / 12:.0f}% "
        f"[{100 * low:.0f}%, {100 * high:.0f}%]); of all RGB images 33% are."
    ) in words(at)


def test_more_like_this_is_a_new_query(fake, show):
    at = show("similar", pair=PAIR)
    other = results(at, "rgnir")[0]
    button = next(b for b in at.button if b.key and b.key.endswith("-rgnir-more"))
    button.click().run()
    assert not at.exception
    assert at.query_params["pair"] in (other, [other])
    assert f"#### Nearest to the RGNIR image of {other}" in words(at)
    assert results(at, "rgnir") == neighbours.of_image(key(fake), other, "rgnir", "rgnir", 12).pair_ids


def test_a_pair_is_found_by_a_part_of_its_id(fake, show):
    at = show("similar")
    assert "#### Nearest to the RGB image of id_0000" in words(at)
    at.text_input(key="similar_search").set_value("id_00").run()
    assert "The first 8 of 24." in words(at)
    at.text_input(key="similar_search").set_value("0017").run()
    at.button_group(key="similar_matches").set_value("id_0017").run()
    assert "#### Nearest to the RGB image of id_0017" in words(at)
    assert at.text_input(key="similar_search").value == ""
    at.text_input(key="similar_search").set_value("weeds").run()
    assert "No pair has this in its id." in words(at)


def test_results_are_saved_as_a_table(fake):
    run = key(fake)
    from dashboard.components.similar_results import results_table

    found = {s: neighbours.of_image(run, PAIR, "rgb", s, 6) for s in ("rgb", "rgnir")}
    table = pd.read_csv(io.StringIO(results_table(run, access.pairs(run), found).to_csv(index=False)))
    assert list(table.columns) == ["sensor", "rank", "pair_id", "cosine", "label", "split", "prediction"]
    assert table["pair_id"].tolist() == found["rgb"].pair_ids + found["rgnir"].pair_ids
    assert table["rank"].tolist() == [1, 2, 3, 4, 5, 6] * 2
    own = fake.read_table("predictions").set_index(["pair_id", "sensor"])
    for row in table.itertuples():
        assert (row.label, row.split, row.prediction) == tuple(
            own.loc[(row.pair_id, row.sensor), ["label", "split", "prediction"]]
        )


# -- a region ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run with networks, of images of 80 x 64 pixels."""
    folder = tmp_path_factory.mktemp("region")
    write_zindi(folder / "images", train=20)
    images = folder / "images" / "Images"
    for k in range(24):
        for place, suffix in enumerate(("", "_rgn")):
            picture(1000 * place + k, (80, 64)).save(images / f"id_{k:03d}{suffix}.jpg", quality=95)
    return write_network_run(folder, pairs=20)


@pytest.fixture
def networks(made, tmp_path, use_run):
    """The same, a copy that may be changed, in use."""
    import shutil

    shutil.copytree(made.root, tmp_path / "run")
    use_run(tmp_path / "run")
    return RunStore(tmp_path / "run")


def region_of(store, pair_id, sensor, box):
    """Vectors of a region, prepared by hand."""
    manifest = store.read_table("manifest").set_index(["pair_id", "sensor"])
    path = f"{store.info()['data_root']}/{manifest.loc[(pair_id, sensor), 'path']}"
    whole = Image.open(path).convert("RGB").crop(box)
    pixels = np.asarray(whole.resize((SIZE[1], SIZE[0]), Image.Resampling.BILINEAR, reducing_gap=2.0))
    return live_network.explain(key(store), {sensor: pixels}).images[sensor].embedding


def sides(at):
    return [at.number_input(key=f"similar_{side}").value for side in ("left", "top", "right", "bottom")]


def test_a_whole_image_as_a_region_is_that_image(networks):
    run = key(networks)
    content = access.image_file(run, "id_004", "rgnir")
    pixels = np.asarray(decode_image(content, "it", size=SIZE))
    found = live_network.embed(run, "rgnir", pixels)
    for space, vector in found.items():
        assert vector == pytest.approx(embedded.vector_of(run, "id_004", "rgnir", space), abs=1e-4)
    assert set(found) == {"embedding", "projection"}


def test_a_region_is_embedded_as_an_image_of_its_own(networks, show):
    at = show("similar", pair="id_004", similar_by="A region of an image", similar_region="10_8_50_40")
    vector = region_of(networks, "id_004", "rgb", (10, 8, 50, 40))
    for among in ("rgb", "rgnir"):
        expected, _ = by_scikit_learn(networks, vector, among, 12)
        assert results(at, among) == expected
    text = words(at)
    assert "#### Nearest to a region of the RGB image of id_004" in text
    assert "40 x 32 pixels are embedded as a whole image of their own" in text
    assert "Nothing of it is stored." in text
    assert "thumbnail" not in text
    assert "The image it is of is number **" in text
    assert "The twin is number **" in text
    assert sides(at) == [10, 8, 50, 40]


def test_a_region_is_typed_in(networks, show):
    at = show("similar", pair="id_004", similar_by="A region of an image")
    assert sides(at) == [20, 16, 60, 48]
    at.number_input(key="similar_right").set_value(80).run()
    assert not at.exception
    assert at.query_params["similar_region"] in ("20_16_80_48", ["20_16_80_48"])
    expected, _ = by_scikit_learn(networks, region_of(networks, "id_004", "rgb", (20, 16, 80, 48)), "rgb", 12)
    assert results(at, "rgb") == expected


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("0_0_15_40", "The region has 15 x 40 pixels: choose one with at least 16 a side."),
        ("40_0_20_40", "The region has 0 x 40 pixels: choose one with at least 16 a side."),
    ],
)
def test_a_region_too_small_is_refused(networks, show, region, said):
    at = show("similar", pair="id_004", similar_by="A region of an image", similar_region=region)
    assert said in words(at)
    assert results(at) == []


@pytest.mark.parametrize("region", ["0_0_81_64", "-1_0_40_40", "1e3_0_40_40", "0_0_40", "<b>", "1_2_3_9999999999"])
def test_a_region_that_is_none_is_told(networks, show, region):
    at = show("similar", pair="id_004", similar_by="A region of an image", similar_region=region)
    text = words(at)
    assert f"names region {region!r}, which this run does not have. Showing the middle of the image instead." in text
    assert "40 x 32 pixels are embedded" in text
    assert "similar_region" not in at.query_params


def test_without_its_file_a_region_is_taken_from_the_thumbnail(networks, show, tmp_path):
    networks.update_info(data_root=str(tmp_path / "moved"))
    at = show("similar", pair="id_004", similar_by="A region of an image")
    assert "so the region is taken from the kept thumbnail of 80 x 64 pixels" in words(at)
    assert len(results(at)) == 12


def test_a_file_that_changed_is_not_taken_for_the_image(networks, tmp_path):
    run = key(networks)
    assert access.image_file(run, "id_004", "rgb") is not None
    manifest = networks.read_table("manifest")
    manifest.loc[manifest["pair_id"] == "id_004", "sha256"] = "0" * 64
    manifest.loc[manifest["pair_id"] == "id_005", "path"] = "../run/run.json"
    networks.write_table("manifest", manifest)
    assert access.image_file(key(networks), "id_004", "rgb") is None
    assert access.image_file(key(networks), "id_005", "rgb") is None
    assert access.image_file(key(networks), "nobody", "rgb") is None


def test_without_weights_a_region_cannot_be_searched_and_an_image_can(networks, show):
    for name in ("swav", "classifier"):
        networks.weights_path(name).unlink()
    at = show("similar", pair="id_004", similar_by="A region of an image")
    assert "A region is embedded when it is asked for, but this run has no networks" in words(at)
    assert f"rice-ssl pretrain {networks.root}" in words(at)
    at.button_group(key="similar_by").set_value("image").run()
    assert len(results(at)) == 12


def test_a_region_is_not_embedded_anew_for_a_filter(networks, show, monkeypatch):
    asked, embed = [], live_network.embed
    monkeypatch.setattr(live_network, "embed", lambda *given: (asked.append(given), embed(*given))[1])
    at = show("similar", pair="id_004", similar_by="A region of an image")
    at.multiselect(key="similar_labels").set_value(["blast"]).run()
    assert len(asked) == 1
    assert not list(networks.root.rglob("*.tmp"))


def test_a_box_that_is_drawn_becomes_the_region(monkeypatch):
    import streamlit as st

    monkeypatch.setattr(st, "session_state", {"chart": {"selection": {"box": [{"x": [60.4, 9.6], "y": [-3.0, 41.2]}]}}})
    written = {}
    monkeypatch.setattr(st, "query_params", written)
    similar_region._take_drawn("chart", (50, 64))
    assert written == {"similar_region": "10_0_50_41"}
    st.session_state["chart"]["selection"]["box"] = []
    similar_region._take_drawn("chart", (50, 64))
    assert written == {"similar_region": "10_0_50_41"}


# -- a selection -------------------------------------------------------------------------------------------------------


@pytest.fixture
def select(monkeypatch):
    """Call it with the pairs that the Map's selection shall hold."""

    def selected(ids):
        monkeypatch.setattr(selection, "selected", lambda _: None if ids is None else pd.Index(ids))

    return selected


BY_SELECTION = {"similar_by": "A selection on the Map"}


@pytest.mark.parametrize(
    ("of", "sensors"), [("both sensors", ["rgb", "rgnir"]), ("RGB", ["rgb"]), ("RGNIR", ["rgnir"])]
)
def test_the_mean_of_a_selection_is_searched_with(fake, show, select, of, sensors):
    chosen = ["id_0001", "id_0004", "id_0010"]
    select(chosen)
    at = show("similar", **BY_SELECTION, similar_of=of)
    mean = sum(v / np.linalg.norm(v) for s in sensors for i, v in zip(*vectors_of(fake, s), strict=True) if i in chosen)
    for among in ("rgb", "rgnir"):
        assert results(at, among) == by_scikit_learn(fake, mean, among, 12, without=chosen)[0]
    assert f"Mean of **{3 * len(sensors)}** images of 3 selected pairs." in words(at)
    assert "twin" not in words(at)
    at.toggle(key="similar_without").set_value(False).run()
    assert results(at, "rgb") == by_scikit_learn(fake, mean, "rgb", 12)[0]


def test_a_selection_in_the_link_is_searched_with(fake, show):
    """A box round the whole map holds every pair; what is selected is worked out from the URL alone."""
    at = show("similar", **BY_SELECTION, selection="umap.embedding.2.0~box~0_0_65535_65535", similar_without="false")
    ids = fake.read_table("manifest")["pair_id"].unique()
    mean = sum(v / np.linalg.norm(v) for s in ("rgb", "rgnir") for v in vectors_of(fake, s)[1])
    assert f"Mean of **{2 * len(ids)}** images of {len(ids)} selected pairs." in words(at)
    assert results(at, "rgb") == by_scikit_learn(fake, mean, "rgb", 12)[0]


def test_a_selection_of_nothing_and_none_are_told(fake, show, select):
    select(None)
    assert "Nothing is selected: draw a lasso or a box on the Map" in words(show("similar", **BY_SELECTION))
    select([])
    assert "No image is inside the selection and fits its filters" in words(show("similar", **BY_SELECTION))


def test_all_pairs_selected_and_left_out_leave_nothing(fake, show, select):
    select(fake.read_table("manifest")["pair_id"].unique())
    at = show("similar", **BY_SELECTION)
    assert "There is no other RGB image with an embedding." in words(at)
    assert "0 were searched" in words(at)


def test_images_that_cancel_each_other_out_have_no_mean(fake, show, select):
    frame = fake.read_table("embeddings")
    ones = np.ones(16, dtype=np.float32)
    frame["embedding"] = [ones if sensor == "rgb" else -ones for sensor in frame["sensor"]]
    fake.write_table("embeddings", frame)
    select([PAIR])
    assert "These images have no common direction" in words(show("similar", **BY_SELECTION))


# -- what it lacks, and what is bad ------------------------------------------------------------------------------------


def test_without_embeddings_the_command_is_named(fake, show):
    fake.remove("embeddings.parquet")
    assert "rice-ssl embed" in words(show("similar"))


def test_without_projections_there_is_one_space(fake, show):
    frame = fake.read_table("embeddings")
    frame["projection"] = None
    fake.write_table("embeddings", frame)
    at = show("similar", pair=PAIR)
    assert "similar_space" not in {group.key for group in at.button_group}
    assert len(results(at)) == 12


def test_one_sensor_has_no_twin_and_no_choice(fake, show):
    for name in ("manifest", "predictions", "embeddings", "prototypes", "thumbnails", "map"):
        frame = fake.read_table(name)
        fake.write_table(name, frame[(frame["sensor"] == "rgb") | frame["sensor"].isna()])
    fake.update_info(sensors=fake.info()["sensors"][:1])
    at = show("similar", pair=PAIR)
    assert len(results(at)) == 12
    assert "twin" not in words(at)
    assert "similar_among" not in {group.key for group in at.button_group}


def test_a_single_pair_finds_its_twin_alone(fake, show):
    for name in ("manifest", "predictions", "embeddings", "prototypes", "thumbnails"):
        frame = fake.read_table(name)
        fake.write_table(name, frame[frame["pair_id"] == PAIR])
    at = show("similar", pair=PAIR)
    assert "There is no other RGB image with an embedding." in words(at)
    assert results(at, "rgnir") == [PAIR]
    assert "The twin is number **1** of 1" in words(at)


def test_a_pair_without_the_sensor_says_so(fake, show):
    for name in ("manifest", "embeddings", "thumbnails"):
        frame = fake.read_table(name)
        fake.write_table(name, frame[(frame["pair_id"] != PAIR) | (frame["sensor"] != "rgnir")])
    at = show("similar", pair=PAIR, similar_sensor="RGNIR")
    assert "id_0005 has no RGNIR image with an embedding: choose another sensor or pair." in words(at)
    at = show("similar", pair=PAIR)
    assert "The twin has no embedding here." in words(at)
    assert len(results(at, "rgnir")) == 12


def test_an_embedding_that_is_not_finite_is_told_and_never_found(fake, show):
    frame = fake.read_table("embeddings")
    row = frame.index[(frame["pair_id"] == PAIR) & (frame["sensor"] == "rgb")][0]
    frame.at[row, "embedding"] = np.full(16, np.nan, dtype=np.float32)
    fake.write_table("embeddings", frame)
    at = show("similar", pair=PAIR)
    assert "The embedding of the RGB image of id_0005 holds values that are not finite" in words(at)
    assert results(at) == []
    at = show("similar", pair="id_0000", similar_count="48")
    assert PAIR not in results(at, "rgb")
    assert "22 were searched" in words(at)
    assert PAIR in results(at, "rgnir")


def test_what_a_link_names_in_vain_is_told(fake, show):
    at = show("similar", pair="../../etc", similar_sensor="x", similar_by="y", similar_among="z", similar_count="7")
    text = words(at)
    assert "names by 'y', pair '../../etc'" in text or "pair '../../etc'" in text
    for said in ("sensor 'x'", "by 'y'", "among 'z'", "count '7'"):
        assert said in text
    assert "#### Nearest to the RGB image of id_0000" in text


def test_without_labels_predictions_and_thumbnails_it_is_shown(fake, show):
    without_labels(fake)
    for name in ("predictions.parquet", "thumbnails/images.parquet"):
        fake.remove(name)
    at = show("similar", pair=PAIR)
    text = words(at)
    assert "Their labels" not in text
    assert "None" not in text
    assert "rice-ssl embed" in text


# -- many images -------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path, use_run, monkeypatch):
    """A run that has too many images to compare them all, with an index of its RGB images."""
    store = write_fake_run(tmp_path / "many", pairs=200)
    monkeypatch.setattr(neighbours, "EXACT_AT_MOST", 100)
    path = store.root / "index" / "embedding.rgb.faiss"
    path.parent.mkdir()
    build_index(vectors_of(store, "rgb")[1].astype(np.float32), seed=0).write(path)
    store.note_hash("index/embedding.rgb.faiss")
    store.write_document("map", {"maps": [], "similar": {"rgb": {"images": 200, "exact": False, "recall": 0.987}}})
    use_run(store.root)
    return store


def test_many_images_are_searched_by_the_index(many, show):
    at = show("similar", pair=PAIR)
    text = words(at)
    assert "199 were searched, by an index: it finds 98.7% of the ten nearest, as measured." in text
    assert "200 were searched, every one of them compared. This run has no index of them." in text
    assert f"rice-ssl map {many.root}" in text
    found = neighbours.of_image(key(many), PAIR, "rgb", "rgb", 12)
    ids, vectors = vectors_of(many, "rgb")
    query = vectors[ids.index(PAIR)]
    assert len(set(found.pair_ids) & set(by_scikit_learn(many, query, "rgb", 12, without=[PAIR])[0])) >= 10
    for pair_id, cosine in zip(found.pair_ids, found.cosines, strict=True):
        other = vectors[ids.index(pair_id)]
        assert cosine == pytest.approx(other @ query / np.linalg.norm(other) / np.linalg.norm(query), abs=1e-6)
    assert results(at) == found.pair_ids
    assert PAIR not in found.pair_ids


def test_more_left_out_than_an_index_may_find_in_vain_is_compared_one_by_one(many, monkeypatch):
    monkeypatch.setattr(neighbours, "_MOST_LEFT_OUT", 3)
    query, left_out = np.random.default_rng(2).normal(size=16), ["id_0001", "id_0002", "id_0003", "id_0004"]
    found = neighbours.of_vector(key(many), query, "rgb", 48, without=left_out)
    assert found.exact
    assert found.pair_ids == by_scikit_learn(many, query, "rgb", 48, without=left_out)[0]
    assert not neighbours.of_vector(key(many), query, "rgb", 48, without=left_out[:3]).exact
    assert neighbours.of_vector(key(many), np.ones(8), "rgb", 6, "projection").exact  # the index is of embeddings


def test_an_index_that_is_damaged_or_of_other_images_is_not_used(many, show):
    path = many.root / "index" / "embedding.rgb.faiss"
    whole = path.read_bytes()
    path.write_bytes(whole[:300])
    text = words(show("similar", pair=PAIR))
    assert "199 were searched, every one of them compared." in text
    assert "was changed after the run wrote it" in text
    path.write_bytes(whole)
    frame = many.read_table("embeddings")
    row = frame.index[(frame["pair_id"] == "id_0000") & (frame["sensor"] == "rgb")][0]
    frame.at[row, "embedding"] = np.full(16, np.nan, dtype=np.float32)
    many.write_table("embeddings", frame)
    assert "The run's index is of 200 other images." in words(show("similar", pair=PAIR))
    many.write_table("embeddings", frame[frame["pair_id"] != "id_0000"])
    assert "is of 200 vectors of 16 numbers, there are 199 of 16." in words(show("similar", pair=PAIR))
    assert len(results(show("similar", pair=PAIR))) == 12


def test_what_map_json_does_not_note_is_not_claimed(many, show):
    many.write_document("map", {"maps": [], "similar": {"rgb": None}})
    assert "by an index: how many it misses was not measured." in words(show("similar", pair=PAIR))
