"""What is read of leaves: figures as the run has them, hashes of the files themselves, and what lacks."""

import hashlib
from datetime import UTC, datetime

import numpy as np
import pytest

from rice_ssl import __version__
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evidence.leaf import MOST_LEAVES, FileHash
from rice_ssl.evidence.read import read_leaves
from rice_ssl.evidence.words import BETTER, LIKE_CENTRE, LIKE_RANDOM, NOT_MEASURED
from tests.fake_attribution import write_attribution
from tests.fakes import CLASSES, write_fake_run


@pytest.fixture
def store(tmp_path):
    return write_fake_run(tmp_path / "run")


@pytest.fixture
def explained(store):
    write_attribution(store)
    return store


def add_weights(store, content=b"numbers", name="classifier"):
    path = store.weights_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    store.note_hash(f"weights/{name}.safetensors")
    return hashlib.sha256(content).hexdigest()


def of(store, *ids):
    return read_leaves(store, ids).leaves


def test_predictions_are_the_tables(store):
    (leaf,) = of(store, "id_0000")
    table = store.read_table("predictions").set_index(["pair_id", "sensor"])
    assert [image.sensor for image in leaf.images] == ["rgb", "rgnir"]
    for image in leaf.images:
        row = table.loc[("id_0000", image.sensor)]
        assert image.prediction == row["prediction"]
        assert image.probabilities == tuple(float(value) for value in row["probabilities"])
    assert leaf.prediction == table.loc[("id_0000", "both"), "prediction"]
    assert leaf.probabilities == tuple(float(value) for value in table.loc[("id_0000", "both"), "probabilities"])
    assert (leaf.label, leaf.split, leaf.agree) == ("blast", "train", False)


def test_divergence_is_jensen_shannon_in_bits(store):
    (leaf,) = of(store, "id_0000")
    p, q = (np.array(image.probabilities) for image in leaf.images)
    middle = (p + q) / 2
    by_hand = sum(0.5 * side[k] * np.log2(side[k] / middle[k]) for side in (p, q) for k in range(3))
    assert leaf.divergence == pytest.approx(by_hand, abs=1e-9)


def test_hashes_and_facts_are_the_files(store):
    own = add_weights(store)
    made = datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
    found = read_leaves(store, ["id_0003"], made)
    manifest = store.root / "manifest.parquet"
    assert found.run.manifest == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert found.run.weights == (FileHash("weights/classifier.safetensors", own, "the file is that one"),)
    assert [image.sha256 for image in found.leaves[0].images] == [f"{6:064x}", f"{7:064x}"]
    assert [image.file for image in found.leaves[0].images] == ["Images/id_0003.jpg", "Images/id_0003_rgn.jpg"]
    assert (found.run.name, found.run.simulated, found.run.version) == ("fake", True, __version__)
    assert found.run.made == "2026-11-28T04:00:00+00:00"


def test_weights_that_changed_or_are_gone_are_told(store):
    add_weights(store)
    own = add_weights(store, b"others", "swav")
    store.weights_path("classifier").write_bytes(b"not those")
    store.weights_path("swav").unlink()
    classifier, swav = read_leaves(store, ["id_0003"]).run.weights
    assert classifier.state == "the file was CHANGED since"
    assert (swav.sha256, swav.state) == (own, "the file is not here")


def test_borrowed_weights_are_those_of_the_run_they_come_from(store, tmp_path):
    source = write_fake_run(tmp_path / "source", pairs=8)
    own = add_weights(source, b"lent")
    store.update_info(weights_from="source", weights_run=str(source.root))
    run = read_leaves(store, ["id_0003"]).run
    assert run.weights_of == "source"
    assert [one.sha256 for one in run.weights] == [own]
    store.update_info(weights_run=str(tmp_path / "nowhere"))
    run = read_leaves(store, ["id_0003"]).run
    assert run.weights == ()
    assert any(f"{tmp_path}/nowhere, which is not there" in sentence for sentence in run.missing)


def test_a_noted_name_is_no_path_out_of_the_run(store, tmp_path):
    (tmp_path / "secret.safetensors").write_bytes(b"secret")
    store.update_info(hashes={"weights/../../secret.safetensors": {"sha256": "0" * 64, "bytes": 6}})
    assert read_leaves(store, ["id_0003"]).run.weights == ()


def test_nearest_leaves_are_those_of_a_slow_loop(store):
    (leaf,) = of(store, "id_0005")
    table = store.read_table("embeddings")
    labels = store.read_table("manifest").groupby("pair_id")["label"].first()
    for image in leaf.images:
        own = table[table["sensor"] == image.sensor].set_index("pair_id")["embedding"]
        query, found = own["id_0005"], []
        for other, value in own.items():
            if other != "id_0005":
                cosine = np.dot(query, value) / np.linalg.norm(query) / np.linalg.norm(value)
                found.append((other, labels[other], cosine))
        expected = sorted(found, key=lambda one: -one[2])[:5]
        assert [one[:2] for one in image.nearest] == [one[:2] for one in expected]
        assert [one[2] for one in image.nearest] == pytest.approx([one[2] for one in expected], abs=1e-5)
    first, second = (
        table[(table["pair_id"] == "id_0005") & (table["sensor"] == name)]["embedding"].iloc[0]
        for name in ("rgb", "rgnir")
    )
    cosine = np.dot(first, second) / np.linalg.norm(first) / np.linalg.norm(second)
    assert leaf.cosine == pytest.approx(cosine, abs=1e-5)


def test_the_map_is_the_predicted_class_on_one_scale(store, explained):
    found = read_leaves(explained, ["id_0003"])
    assert found.drawn.name == "grad_cam.layer4"
    index = store.read_table("attribution").set_index(["pair_id", "sensor"])["row"]
    maps = np.load(store.root / "attribution" / "grad_cam.layer4.npy")
    (leaf,) = found.leaves
    for image in leaf.images:
        own = maps[index["id_0003", image.sensor], CLASSES.index(image.prediction)]
        np.testing.assert_array_equal(image.cam, own.astype(np.float32))
    assert leaf.scale == max(float(image.cam.max()) for image in leaf.images)


def test_without_attribution_the_map_is_that_of_embed(store):
    found = read_leaves(store, ["id_0000"])
    index, maps = store.read_cams()
    rows = index.set_index(["pair_id", "sensor"])["row"]
    assert found.drawn.text == "Grad-CAM, last layer"
    for image in found.leaves[0].images:
        own = maps[rows["id_0000", image.sensor], CLASSES.index(image.prediction)]
        np.testing.assert_array_equal(image.cam, own.astype(np.float32))
        assert image.verdict(found.drawn) == NOT_MEASURED
    assert any("rice-ssl attribution" in sentence for sentence in found.run.missing)


def test_verdicts(explained):
    found = read_leaves(explained, ["id_0003", "id_0000"])
    kinds = {kind.method: kind for kind in found.kinds}
    assert set(kinds) == {"grad_cam", "grad_cam_plus_plus", "layer_cam", "integrated_gradients", "occlusion"}
    rgb, rgnir = found.leaves[0].images
    assert rgb.verdict(kinds["grad_cam"]) == LIKE_RANDOM
    assert rgnir.verdict(kinds["grad_cam"]) == BETTER
    assert rgnir.verdict(kinds["layer_cam"]) == LIKE_CENTRE
    assert found.leaves[1].images[0].verdict(kinds["grad_cam"]) == NOT_MEASURED
    assert rgb.bands == {"red": 0.2, "green": 0.3, "blue": 0.5}
    assert found.leaves[0].agreement["grad_cam.layer4"]["overlap"] == 0.5


def test_trust_in_another_class_map_is_not_this_ones(explained):
    trust = explained.read_table("trust")
    trust["class_name"] = "another"
    explained.write_table("trust", trust)
    found = read_leaves(explained, ["id_0003"])
    assert {image.verdict(kind) for image in found.leaves[0].images for kind in found.kinds} == {NOT_MEASURED}


@pytest.mark.parametrize("name", ["predictions", "embeddings", "thumbnails", "cams", "trust", "band_evidence"])
def test_a_table_that_is_not_there_is_told_and_left_out(explained, name):
    file = TABLES[name].file
    if name == "cams":  # of a run without attribution
        explained.remove("attribution.json", file)
    else:
        explained.remove(file)
    found = read_leaves(explained, ["id_0003"])
    assert any(f"no {file}" in sentence for sentence in found.run.missing)
    image = found.leaves[0].images[0]
    gone = {"predictions": image.prediction, "embeddings": image.nearest, "thumbnails": image.jpeg, "cams": image.cam,
            "trust": image.trust, "band_evidence": image.bands}  # fmt: skip
    assert gone[name] is None or len(gone[name]) == 0
    assert image.sha256 == f"{6:064x}"
    if name != "thumbnails":
        assert image.jpeg is not None


def test_cross_validation_stands_in_for_predictions(store):
    table = store.read_table("predictions")
    store.remove("predictions.parquet")
    store.write_table("cross_validation", table.assign(confidence=0.5, prediction="healthy", split="oof"))
    found = read_leaves(store, ["id_0000"])
    assert found.run.judged_by == "cross_validation"
    assert any("whose networks are not kept: no hash is of them" in sentence for sentence in found.run.missing)
    assert [image.prediction for image in found.leaves[0].images] == ["healthy", "healthy"]


def test_a_pair_of_one_image(store):
    for name in ("manifest", "predictions"):
        table = store.read_table(name)
        store.write_table(name, table[(table["pair_id"] != "id_0003") | (table["sensor"] != "rgnir")])
    (leaf,) = of(store, "id_0003")
    assert [image.sensor for image in leaf.images] == ["rgb"]
    assert (leaf.agree, leaf.divergence, leaf.cosine) == (None, None, None)


def test_a_picture_that_cannot_be_decoded_is_none(store):
    table = store.read_table("thumbnails")
    jpeg = table["jpeg"].iloc[0]
    table["jpeg"] = [jpeg[: len(jpeg) // 4], b"<svg onload=alert(1)>", *table["jpeg"].iloc[2:]]
    store.write_table("thumbnails", table)
    assert [image.jpeg for image in of(store, "id_0000")[0].images] == [None, None]


def test_maps_that_do_not_fit_the_classes_are_told(store):
    index, maps = store.read_cams()
    store.write_cams(index, np.array(maps[:, :2]))
    found = read_leaves(store, ["id_0000"])
    assert found.drawn is None
    assert any("do not fit the run's 3 classes" in sentence for sentence in found.run.missing)


def test_a_document_without_maps_is_told(explained):
    explained.write_document("attribution", {"maps": [{"method": "grad_cam"}]})
    found = read_leaves(explained, ["id_0003"])
    assert any("attribution.json names no maps" in sentence for sentence in found.run.missing)
    assert found.drawn.layer == "last"


def test_ids_are_checked(store):
    with pytest.raises(InputError, match=r"knows no pair 'nope', 'other': take ids"):
        read_leaves(store, ["id_0000", "other", "nope"])
    with pytest.raises(InputError, match="No leaf is named"):
        read_leaves(store, [])
    with pytest.raises(InputError, match="201 leaves are too many for one export: take at most 200"):
        read_leaves(store, [f"id_{number}" for number in range(MOST_LEAVES + 1)])
    assert [leaf.pair_id for leaf in of(store, "id_0002", "id_0001", "id_0002")] == ["id_0002", "id_0001"]


def test_no_run_is_no_evidence(tmp_path, store):
    with pytest.raises(ArtifactError, match="no run directory"):
        read_leaves(RunStore(tmp_path / "nowhere"), ["id_0000"])
    (store.root / "manifest.parquet").write_bytes(b"broken")
    with pytest.raises(ArtifactError, match="was changed after the run wrote it"):
        read_leaves(store, ["id_0000"])
