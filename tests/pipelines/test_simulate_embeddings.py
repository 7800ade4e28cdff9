"""A run directory of simulated embeddings: its files, what lies in them, and that its numbers are not arbitrary."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image
from scipy.special import softmax
from typer.testing import CliRunner

import pipelines.simulate_embeddings as module
from pipelines.main import app, main
from pipelines.simulate_embeddings import simulate_embeddings
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.data.simulate import embeddings
from rice_ssl.data.simulate.embeddings import EmbeddingsConfig, SimulatedEmbeddings, assigned
from rice_ssl.errors import InputError
from rice_ssl.run_config import config_of_run

PAIRS = 300
TABLES_MADE = ("embeddings", "manifest", "map", "predictions", "prototypes", "quality")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "run"
    simulate_embeddings(PAIRS, folder, dimensions=32, prototypes=40, seed=3, progress=False)
    return RunStore(folder)


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_files_are_these(store):
    assert files(store.root) == {
        "run.json", "findings.parquet", "map.json", "thumbnails/images/part-00000.parquet",
        *(f"{name}/part-0000{0}.parquet" for name in TABLES_MADE),
        "predictions/part-00001.parquet",  # of the pairs
        *(f"map/part-0000{k}.parquet" for k in range(1, 6)),
    }  # fmt: skip
    info = store.info()
    assert info["simulated"] is True
    assert info["simulated_embeddings"] == {"pairs": PAIRS, "dimensions": 32, "prototypes": 40, "seed": 3}
    assert set(info["hashes"]) == files(store.root) - {"run.json"}
    assert config_of_run(store).pretrain.prototypes == 40


def test_every_table_holds_its_columns_of_every_image(store):
    for name in (*TABLES_MADE, "thumbnails", "findings"):
        assert set(TABLES[name].columns) <= set(store.read_table(name).columns), name
    keys = store.read_table("manifest", ["pair_id", "sensor"])
    assert len(keys) == 2 * PAIRS
    assert keys["pair_id"].is_monotonic_increasing
    assert keys["sensor"].tolist() == ["rgb", "rgnir"] * PAIRS
    for name in ("embeddings", "prototypes", "quality", "thumbnails"):
        assert store.read_table(name, ["pair_id", "sensor"]).equals(keys), name


def test_test_pairs_have_no_label_and_no_fold_and_the_first_fold_is_for_validation(store):
    manifest = store.read_table("manifest")
    test = manifest["split"] == "test"
    assert 0.15 < test.mean() < 0.35
    assert manifest.loc[test, "label"].isna().all()
    assert (manifest.loc[test, "fold"] == -1).all()
    assert manifest.loc[~test, "label"].isin(["blast", "brown", "healthy"]).all()
    assert ((manifest["fold"] == 0) == (manifest["split"] == "val")).all()
    assert (manifest.groupby("pair_id")[["split", "fold"]].nunique() == 1).all(axis=None)


def test_predictions_are_the_soft_max_of_their_logits_images_first_then_pairs(store):
    frame = store.read_table("predictions")
    logits, probabilities = (store.read_vectors("predictions", name) for name in ("logits", "probabilities"))
    assert frame["sensor"].tolist() == ["rgb", "rgnir"] * PAIRS + ["both"] * PAIRS
    np.testing.assert_allclose(probabilities, softmax(logits.astype(np.float64), axis=1), atol=1e-6)
    names = np.array(["blast", "brown", "healthy"])
    assert frame["prediction"].tolist() == names[probabilities.argmax(axis=1)].tolist()
    np.testing.assert_allclose(logits[2 * PAIRS :], 1.5 * logits[: 2 * PAIRS].reshape(PAIRS, 2, 3).mean(1), atol=1e-5)
    labelled = frame["label"].notna()
    assert 0.7 < (frame["prediction"] == frame["label"])[labelled].mean() < 0.99


def test_prototypes_are_those_of_the_logits(store):
    frame, logits = store.read_table("prototypes"), store.read_vectors("embeddings", "prototype_logits")
    p = softmax(logits.astype(np.float64) / 0.1, axis=1)
    order = np.argsort(-p, axis=1)
    assert frame["prototype"].tolist() == order[:, 0].tolist()
    assert frame["second"].tolist() == order[:, 1].tolist()
    np.testing.assert_allclose(frame["confidence"], p.max(axis=1), atol=1e-5)
    np.testing.assert_allclose(frame["entropy"], -(p * np.log(p)).sum(axis=1), atol=1e-4)
    projections = store.read_vectors("embeddings", "projection")
    np.testing.assert_allclose(np.linalg.norm(projections, axis=1), 1, atol=1e-5)
    assert np.abs(logits).max() <= 1 + 1e-5


def test_assigned_of_a_hand_computed_case():
    logits = np.array([[0.1 * np.log(6), 0.1 * np.log(3), 0.0], [0.0, 0.0, 0.1 * np.log(2)]], dtype=np.float32)
    found = assigned(logits)  # probabilities 6/10, 3/10, 1/10 and 1/4, 1/4, 1/2
    assert found.prototype.tolist() == [0, 2]
    assert found.second.tolist() == [1, 0]
    np.testing.assert_allclose(found.confidence, [0.6, 0.5], atol=1e-6)
    np.testing.assert_allclose(found.entropy, [0.89794572, 1.5 * np.log(2)], atol=1e-6)


def test_neighbours_mean_something(store):
    vectors = store.read_vectors("embeddings", "embedding").reshape(PAIRS, 2, -1)
    unit = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    across = unit[:, 0] @ unit[:, 1].T
    rank = (across > np.diag(across)[:, None]).sum(axis=1)
    assert (rank == 0).mean() > 0.8  # the twin is nearest to its own pair
    assert (rank > 5).mean() > 0.005  # but for those that went astray
    within = unit[:, 0] @ unit[:, 0].T
    np.fill_diagonal(within, -2)
    labels = store.read_table("predictions", ["prediction"])["prediction"].to_numpy()[: 2 * PAIRS : 2]
    assert (labels[within.argmax(axis=1)] == labels).mean() > 0.8  # classes hold together


def test_maps_are_told_and_laid_out_as_they_say(store):
    maps, told = store.read_table("map"), store.read_document("map")
    keys = [("umap", "embedding", 2, 3), ("umap", "embedding", 2, 4), ("pca", "embedding", 2, 3)]
    keys += [("pca", "embedding", 3, 3), ("umap", "projection", 2, 3)]
    names = ("method", "space", "dimensions", "seed")
    assert [tuple(one[name] for name in names) for one in told["maps"]] == keys
    assert all(one["images"] == one["fitted"] == 2 * PAIRS and one["quality"] is None for one in told["maps"])
    assert told["neighbourhoods"] is None
    assert "Simulated" in told["notes"][0]
    images = maps[maps["kind"] == "image"]
    assert list(images.groupby(list(names), sort=False).size().items()) == [(key, 2 * PAIRS) for key in keys]
    assert (images["z"].notna() == (images["dimensions"] == 3)).all()
    assert maps[["x", "y"]].notna().all(axis=None)
    stars = maps[maps["kind"] == "prototype"]
    assert stars["prototype"].tolist() == list(range(40))
    assert stars["cluster"].between(0, 23).all()
    assert stars["pair_id"].isna().all()


def test_pca_is_linear_in_the_embeddings(store):
    maps, vectors = store.read_table("map"), store.read_vectors("embeddings", "embedding").astype(np.float64)
    linear = maps[(maps["method"] == "pca") & (maps["dimensions"] == 3)][["x", "y", "z"]].to_numpy()
    design = np.column_stack([vectors, np.ones(len(vectors))])
    fitted = design @ np.linalg.lstsq(design, linear, rcond=None)[0]
    np.testing.assert_allclose(fitted, linear, atol=1e-5)
    flat = maps[(maps["method"] == "pca") & (maps["dimensions"] == 2)][["x", "y"]].to_numpy()
    np.testing.assert_array_equal(flat, linear[:, :2])


def test_thumbnails_are_pictures_that_come_again(store):
    frame = store.read_table("thumbnails")
    distinct = set(frame["jpeg"])
    assert 100 < len(distinct) <= 288
    picture = Image.open(io.BytesIO(frame["jpeg"][0]))
    assert (picture.width, picture.height) == (frame["width"][0], frame["height"][0]) == (100, 80)
    red, _, blue = np.asarray(picture.convert("RGB"), dtype=float).mean(axis=(0, 1))
    other = np.asarray(Image.open(io.BytesIO(frame["jpeg"][1])).convert("RGB"), dtype=float).mean(axis=(0, 1))
    assert other[0] > red + 20  # leaves are red to the second camera
    assert blue < 128


def table_bytes(folder):
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files(folder) - {"run.json"}}


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path):
    made = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        simulate_embeddings(20, tmp_path / name, dimensions=8, prototypes=5, seed=seed, progress=False)
        made[name] = table_bytes(tmp_path / name)
    assert made["a"] == made["b"]
    differ = {name for name in made["a"] if made["a"][name] != made["c"][name]}
    assert {"embeddings/part-00000.parquet", "map/part-00000.parquet", "quality/part-00000.parquet"} <= differ


def test_a_pair_does_not_depend_on_how_many_are_drawn(monkeypatch):
    monkeypatch.setattr(embeddings, "PAIRS_IN_PART", 7)
    few, many = (list(SimulatedEmbeddings(EmbeddingsConfig(n, 16, 6, 2)).parts()) for n in (10, 23))
    assert [len(part.label) for part in few] == [7, 3]
    assert [part.first for part in many] == [0, 7, 14, 21]
    for own, other in zip(few, many, strict=False):
        for name in ("label", "split", "fold", "cluster", "embedding", "projection", "prototype_logits", "logits"):
            np.testing.assert_allclose(getattr(own, name), getattr(other, name)[: len(own.label)], atol=1e-6)


def test_in_many_parts_it_is_the_same_run(tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "PAIRS_IN_PART", 7)
    simulate_embeddings(20, tmp_path / "a", dimensions=8, prototypes=5, progress=False)
    monkeypatch.setattr(module, "_IMAGES_IN_PART", 12)
    simulate_embeddings(20, tmp_path / "b", dimensions=8, prototypes=5, progress=False)
    first, second = (RunStore(tmp_path / name) for name in "ab")
    assert len(second.files("manifest")) == 4
    assert len(second.files("embeddings")) == 3
    for name in ("manifest", "map", "prototypes", "thumbnails"):
        assert first.read_table(name).equals(second.read_table(name)), name
    for column in ("logits", "probabilities"):
        both = [one.read_vectors("predictions", column) for one in (first, second)]
        np.testing.assert_array_equal(*both)


def test_beyond_what_was_asked_for_only_embeddings_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FULL_AT_MOST", 39)
    summary = simulate_embeddings(20, tmp_path / "a", dimensions=8, prototypes=5, progress=False)
    assert not summary.full
    assert "--full" in summary.text()
    lean = RunStore(tmp_path / "a")
    assert lean.read_vectors("embeddings", "projection") is None
    assert lean.read_vectors("embeddings", "prototype_logits") is None
    assert lean.read_vectors("embeddings", "embedding").shape == (40, 8)
    assert len(lean.read_table("prototypes")) == 40
    simulate_embeddings(20, tmp_path / "b", dimensions=8, prototypes=5, full=True, progress=False)
    assert RunStore(tmp_path / "b").read_vectors("embeddings", "prototype_logits").shape == (40, 5)


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_maps", fail)
    with pytest.raises(KeyboardInterrupt):
        simulate_embeddings(5, tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_refused_and_an_empty_one_used(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    folder.mkdir()
    arguments = ["rice-ssl", "simulate-embeddings", "5", "--out", str(folder), "--no-progress"]
    monkeypatch.setattr("sys.argv", [*arguments, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    said = json.loads(capsys.readouterr().out)
    assert (said["pairs"], said["run"], said["full"]) == (5, folder.as_posix(), True)
    before = table_bytes(folder)
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"rice-ssl: {folder} is there already and not empty: name another folder with --out.\n"
    )
    assert table_bytes(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("setting", "value"), [("pairs", 0), ("dimensions", 3), ("prototypes", 1), ("seed", -1), ("pairs", 10**8)]
)
def test_a_setting_out_of_range_is_named(tmp_path, setting, value):
    settings = {"pairs": 5, **{setting: value}}
    with pytest.raises(InputError, match=f"{setting} is {value}; give a whole number from"):
        simulate_embeddings(settings.pop("pairs"), tmp_path / "run", **settings, progress=False)


def test_the_command_is_listed():
    assert "simulate-embeddings" in CliRunner().invoke(app, ["--help"]).output


def test_one_pair_is_a_run_too(tmp_path):
    simulate_embeddings(1, tmp_path / "run", dimensions=4, prototypes=2, progress=False)
    assert RunStore(tmp_path / "run").read_vectors("embeddings", "embedding").shape == (2, 4)
