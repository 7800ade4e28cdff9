"""The ZIP of evidence: a table of figures that are the run's, pictures, and what each column is."""

import csv
import hashlib
import io
import re
import zipfile

import numpy as np
import pytest
from PIL import Image

from rice_ssl.attribution.overlay import colour_bar, overlay
from rice_ssl.evidence.archive import error_zip, to_zip
from rice_ssl.evidence.read import read_leaves
from tests.evidence.hostile import FORMULA, PAIR, SCRIPT, write_hostile_run
from tests.fake_attribution import write_attribution
from tests.fakes import write_fake_run


@pytest.fixture
def store(tmp_path):
    found = write_fake_run(tmp_path / "run")
    write_attribution(found)
    return found


def opened(content):
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


def rows_of(files):
    return list(csv.DictReader(io.StringIO(files["evidence.csv"].decode())))


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_files(store):
    files = opened(to_zip(read_leaves(store, ["id_0003", "id_0000"])))
    assert set(files) == {
        "README.txt", "evidence.csv", "colour-bar.png",
        "001-id_0003-rgb-picture.png", "001-id_0003-rgb-map.png",
        "001-id_0003-rgnir-picture.png", "001-id_0003-rgnir-map.png",
        "002-id_0000-rgb-picture.png", "002-id_0000-rgb-map.png",
        "002-id_0000-rgnir-picture.png", "002-id_0000-rgnir-map.png",
    }  # fmt: skip


def test_the_table_is_the_run(store):
    evidence = read_leaves(store, ["id_0003", "id_0000"])
    rows = rows_of(opened(to_zip(evidence)))
    assert [(row["pair_id"], row["sensor"]) for row in rows] == [
        ("id_0003", "rgb"), ("id_0003", "rgnir"), ("id_0000", "rgb"), ("id_0000", "rgnir"),
    ]  # fmt: skip
    table = store.read_table("predictions").set_index(["pair_id", "sensor"])
    for row in rows:
        own, joint = table.loc[(row["pair_id"], row["sensor"])], table.loc[(row["pair_id"], "both")]
        assert (row["label"], row["split"], row["prediction"]) == (own["label"], own["split"], own["prediction"])
        assert row["joint_prediction"] == joint["prediction"]
        for k, name in enumerate(evidence.run.classes):
            assert float(row[f"probability.{name}"]) == pytest.approx(own["probabilities"][k], abs=1e-6)
            assert float(row[f"joint_probability.{name}"]) == pytest.approx(joint["probabilities"][k], abs=1e-6)
    first, second, other = rows[0], rows[1], rows[2]
    assert (first["map"], first["map_trust"]) == ("grad_cam.layer4", "no better than random")
    assert second["map_trust"] == "better than random maps"
    assert [second[f"grad_cam.layer4.{name}"] for name in ("deletion", "insertion", "score", "p_random", "road")] == [
        "0.2", "0.6", "0.4", "0.05", "0.2",
    ]  # fmt: skip
    assert second["agreement.grad_cam.layer4.overlap"] == "0.5"
    assert second["agreement.grad_cam.layer4.registered"] == "yes"
    assert (second["band.near infrared"], second["band.blue"]) == ("0.5", "")
    assert (other["map_trust"], other["grad_cam.layer4.score"], other["sensors_agree"]) == ("not measured", "", "no")
    assert float(other["divergence"]) == pytest.approx(evidence.leaves[1].divergence, abs=1e-6)
    assert float(first["map_scale"]) == pytest.approx(evidence.leaves[0].scale, abs=1e-5)
    assert first["nearest_1"] == evidence.leaves[0].images[0].nearest[0][0]
    assert float(first["nearest_1_cosine"]) == pytest.approx(evidence.leaves[0].images[0].nearest[0][2], abs=1e-5)
    assert (first["image_sha256"], second["image_sha256"]) == (f"{6:064x}", f"{7:064x}")
    assert (first["manifest_sha256"], first["simulated"]) == (evidence.run.manifest, "yes")


def test_weights_are_in_the_table(store):
    path = store.weights_path("classifier")
    path.parent.mkdir()
    path.write_bytes(b"numbers")
    store.note_hash("weights/classifier.safetensors")
    sha256 = hashlib.sha256(b"numbers").hexdigest()
    row = rows_of(opened(to_zip(read_leaves(store, ["id_0003"]))))[0]
    assert row["weights_sha256"] == f"weights/classifier.safetensors={sha256}"


def test_pictures_are_exact(store):
    evidence = read_leaves(store, ["id_0003"])
    files = opened(to_zip(evidence))
    (leaf,) = evidence.leaves
    for image, row in zip(leaf.images, rows_of(files), strict=True):
        below = pixels(image.jpeg)
        np.testing.assert_array_equal(pixels(files[row["picture_file"]]), below)
        laid = overlay(below, image.cam, opacity=0.6, scale=leaf.scale)
        if image.sensor == "rgb":  # no better than random
            laid = np.asarray(Image.fromarray(laid).convert("L").convert("RGB"))
        np.testing.assert_array_equal(pixels(files[row["map_file"]]), laid)
    np.testing.assert_array_equal(pixels(files["colour-bar.png"]), colour_bar())


def test_the_readme_names_every_column(store):
    files = opened(to_zip(read_leaves(store, ["id_0003"])))
    told = files["README.txt"].decode()
    names = next(csv.reader(io.StringIO(files["evidence.csv"].decode())))
    described = told.split("Columns of evidence.csv\n")[1].splitlines()
    assert [line.split(": ")[0] for line in described] == names
    assert "simulated, not photographed" in told


def test_the_same_evidence_gives_the_same_bytes(store):
    evidence = read_leaves(store, ["id_0003"])
    assert to_zip(evidence) == to_zip(evidence)


def test_no_name_is_a_path_and_no_cell_a_formula(tmp_path):
    store = write_hostile_run(tmp_path / "run")
    files = opened(to_zip(read_leaves(store, [PAIR, FORMULA])))
    assert all(re.fullmatch(r"(\d{3}-)?[A-Za-z0-9_-]+\.(png|csv|txt)", name) for name in files)
    rows = rows_of(files)
    assert (rows[0]["pair_id"], rows[2]["pair_id"]) == (PAIR, f"'{FORMULA}")
    assert rows[0]["run"] == SCRIPT
    assert set(files) >= {row[name] for row in rows for name in ("picture_file", "map_file")}


def test_without_maps_and_pictures(tmp_path):
    store = write_fake_run(tmp_path / "run")
    store.remove("thumbnails/images.parquet", "cams/index.parquet", "predictions.parquet")
    files = opened(to_zip(read_leaves(store, ["id_0003"])))
    assert set(files) == {"README.txt", "evidence.csv"}
    row = rows_of(files)[0]
    assert (row["picture_file"], row["map_file"], row["prediction"], row["probability.blast"]) == ("", "", "", "")
    assert b"What is not here: This run has no predictions.parquet" in files["README.txt"]


def test_an_error_is_told_in_the_archive():
    assert opened(error_zip("There is no run.")) == {"README.txt": b"There is no run.\n"}
