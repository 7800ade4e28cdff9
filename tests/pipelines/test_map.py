"""``rice-ssl map`` on runs whose embeddings are made up: the exact files, what is in them, what is missing."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from pipelines import map as maps_module
from pipelines import neighbourhoods as neighbourhoods_module
from pipelines.map import run_map
from pipelines.stages import STAGES, fingerprints, is_current, run_stage
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.embeddings.map2d import cluster_prototypes, fit_map
from rice_ssl.embeddings.neighbourhoods import neighbourhoods
from rice_ssl.embeddings.neighbours import unit_rows
from rice_ssl.embeddings.similar import SimilarIndex
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evaluation.map_quality import map_quality
from rice_ssl.run_config import config_to_dict, parse_config
from tests.fakes import SENSORS
from tests.pipelines.tiny_run import files_of, rice_ssl, settings

KEYS = ["method", "space", "dimensions", "seed"]


class Made:
    """A run with embeddings of so many pairs, 12 numbers each, and projections of 6 beside 9 prototypes."""

    def __init__(self, root, pairs=40, sensors=2, prototypes=9, classifier=True, order=None, **changes):
        self.config = parse_config({**settings(root), **changes}, "test")
        self.store = store = RunStore(root / "run")
        store.create(
            {
                "config": config_to_dict(self.config),
                "sensors": SENSORS[:sensors],
                "classes": ["a", "b"],
                "data_root": "x",
            }
        )
        rng = np.random.default_rng(0)
        centre = rng.normal(size=(4, 12))[np.arange(pairs) % 4]
        images = [(f"p{k:04d}", s) for k in range(pairs) for s in ("rgb", "rgnir")[:sensors]]
        values = np.repeat(centre, sensors, axis=0) + 0.4 * rng.normal(size=(len(images), 12))
        self.embedding = values.astype(np.float32)
        self.projection = unit_rows(values[:, :6])
        self.prototypes = unit_rows(rng.normal(size=(prototypes, 6))) if prototypes else None
        self.keys = pd.DataFrame(images, columns=["pair_id", "sensor"])
        rows = self.keys.assign(split="train", label="a", fold=0, group="", path="", width=1, height=1, sha256="0")
        store.write_table("manifest", rows)
        self.write()
        if classifier:
            three = pd.concat([self.keys, self.keys.assign(sensor="both").iloc[::sensors]], ignore_index=True)
            self.logits = rng.normal(size=(len(three), 2)).astype(np.float32)
            store.write_table(
                "predictions",
                three.assign(logits=list(self.logits), probabilities=list(self.logits), prediction="a", label="a",
                             split="train", fold=0),
            )  # fmt: skip
        if prototypes:
            store.weights_path("swav").parent.mkdir()
            save_file({"prototypes.weight": self.prototypes}, store.weights_path("swav"))

    def write(self):
        """Write the embeddings, as they are now."""
        scores = [None] * len(self.keys) if self.prototypes is None else list(self.projection @ self.prototypes.T)
        projection = [None] * len(self.keys) if self.prototypes is None else list(self.projection)
        self.store.write_table(
            "embeddings",
            self.keys.assign(embedding=list(self.embedding), projection=projection, prototype_logits=scores),
        )

    def map(self, **changes):
        content = config_to_dict(self.config)
        config = parse_config({**content, "map": {**content["map"], **changes}}, "test")
        summary = run_map(self.store, config, progress=False)
        return summary, self.store.read_table("map"), self.store.read_document("map")

    def twins(self):
        return self.embedding[::2], self.embedding[1::2]


ALL = {
    "methods": ["umap", "tsne", "pca"],
    "spaces": ["projection", "logits"],
    "perplexity": 5.0,
    "prototype_clusters": 3,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Every kind of map, of 80 images."""
    run = Made(tmp_path_factory.mktemp("whole"))
    before = files_of(run.store.root)
    return run, before, *run.map(**ALL)


def one(table, method, space, dimensions=2, seed=3):
    wanted = (method, space, dimensions, seed)
    return table[(table[KEYS] == list(wanted)).all(axis=1)]


def test_exactly_these_files_are_written(whole):
    run, before, summary, _, _ = whole
    assert files_of(run.store.root) - before == {"map.parquet", "map.json", "neighbourhoods.parquet"}
    assert summary.images == 80
    assert summary.pairs == 40
    assert summary.text().endswith("neighbourhoods of 40 pairs; " + "; ".join(summary.notes))


def test_every_map_that_was_asked_for_is_there(whole):
    run, _, summary, table, document = whole
    spaces = ["projection", "logits"]
    of_a_space = [
        ("umap", 2, 3),
        ("tsne", 2, 3),
        ("pca", 2, 3),
        ("umap", 2, 4),
        ("tsne", 2, 4),
        ("umap", 3, 3),
        ("pca", 3, 3),
    ]
    wanted = [(method, space, dimensions, seed) for space in spaces for method, dimensions, seed in of_a_space]
    assert list(table[KEYS].drop_duplicates().itertuples(index=False, name=None)) == wanted
    assert [tuple(entry[name] for name in KEYS) for entry in document["maps"]] == wanted
    assert set(table.columns) == set(TABLES["map"].columns)
    for key in wanted:
        images = one(table, *key).query("kind == 'image'").reset_index(drop=True)
        pd.testing.assert_frame_equal(images[["pair_id", "sensor"]], run.keys, check_dtype=False)
        assert images["z"].isna().all() == (key[2] == 2)
        assert images["fitted"].all()
        assert (images[["prototype", "cluster"]] == -1).all(axis=None)
    assert summary.maps[:6] == (
        "umap of projection", "tsne of projection", "pca of projection", "umap of projection, seed 4",
        "tsne of projection, seed 4", "umap of projection in 3-D",
    )  # fmt: skip


def test_places_are_those_of_the_library_and_seeds_differ(whole):
    run, _, _, table, _ = whole
    pca = one(table, "pca", "logits", 3)[["x", "y", "z"]].to_numpy()
    np.testing.assert_allclose(pca, fit_map(run.logits[:80], "pca", seed=3, dimensions=3), atol=1e-5)
    for method in ("umap", "tsne"):
        first, second = (one(table, method, "logits", 2, seed)[["x", "y"]].to_numpy() for seed in (3, 4))
        assert not np.allclose(first, second, atol=0.5)
    tsne = one(table, "tsne", "logits")[["x", "y"]].to_numpy()
    single = run.logits[:80]  # those of the pair are no image
    np.testing.assert_allclose(
        tsne, fit_map(single, "tsne", seed=3, perplexity=5.0, metric="euclidean"), atol=1e-4, rtol=1e-4
    )


def test_prototypes_lie_on_the_maps_of_projections_alone(whole):
    run, _, _, table, _ = whole
    own = table[table["kind"] == "prototype"]
    assert set(own["space"]) == {"projection"}
    assert len(own) == 7 * 9
    found = one(own, "pca", "projection")
    assert found["prototype"].tolist() == list(range(9))
    assert found["cluster"].tolist() == cluster_prototypes(run.prototypes, 3).tolist()
    assert found["pair_id"].isna().all()
    assert found["fitted"].all()
    joint = fit_map(np.concatenate([run.projection, run.prototypes]), "pca", seed=3)
    np.testing.assert_allclose(found[["x", "y"]], joint[80:], atol=1e-5)


def test_what_each_map_is_worth_is_measured(whole):
    run, _, _, table, document = whole
    spaces = {"projection": run.projection, "logits": run.logits[:80]}
    for entry in document["maps"]:
        assert (entry["images"], entry["fitted"], entry["quality"]["images"]) == (80, 80, 80)
        axes = ["x", "y", "z"][: entry["dimensions"]]
        places = one(table, *(entry[name] for name in KEYS)).query("kind == 'image'")[axes].to_numpy()
        metric = "euclidean" if entry["space"] == "logits" else "cosine"
        measured = map_quality(spaces[entry["space"]], places, metric=metric)
        for name in ("trustworthiness", "continuity", "shared", "neighbours"):
            assert entry["quality"][name] == pytest.approx(getattr(measured, name))
    assert document["notes"] == ["a further seed's tsne map starts from random places, the first from PCA"]


def test_neighbourhoods_are_those_of_the_library(whole):
    run, _, _, _, document = whole
    wanted = neighbourhoods(*run.twins(), 10, seed=3)
    table = run.store.read_table("neighbourhoods")
    assert table["pair_id"].tolist() == run.keys["pair_id"][::2].tolist()
    np.testing.assert_allclose(table["overlap"], wanted.overlap)
    assert table["first_rank"].tolist() == wanted.first_rank.tolist()
    assert table["second_rank"].tolist() == wanted.second_rank.tolist()
    assert document["neighbourhoods"] == {
        "neighbours": 10, "pairs": 40, "expected": wanted.expected, "exact": True, "recall": None,
    }  # fmt: skip
    assert document["similar"] == dict.fromkeys(("rgb", "rgnir"), {"images": 40, "exact": True, "recall": None})
    assert table["overlap"].mean() > 2 * wanted.expected  # the sensors see the same plants


def test_the_command_says_the_same_and_the_stage_is_then_current(tmp_path):
    run = Made(tmp_path)
    stage = STAGES["map"]
    wanted = fingerprints(run.store, run.config)["map"]
    run_stage(run.store, run.config, stage, wanted, progress=False)
    assert is_current(run.store, "map", wanted, stage.outputs)
    for name in ("map.json", "neighbourhoods.parquet"):
        kept = (run.store.root / name).read_bytes()
        (run.store.root / name).unlink()
        assert not is_current(run.store, "map", wanted, stage.outputs)
        (run.store.root / name).write_bytes(kept)
    assert is_current(run.store, "map", wanted, stage.outputs)
    told = json.loads(rice_ssl("map", run.store.root, "--json", "--no-progress").stdout)
    assert told["maps"] == [f"pca of {space}{more}" for space in run.config.map.spaces for more in ("", " in 3-D")]
    assert (told["images"], told["pairs"]) == (80, 40)


def test_of_many_images_a_seeded_sample_is_fitted_and_prototypes_always(tmp_path):
    run = Made(tmp_path, pairs=60)
    changes = {**ALL, "methods": ["umap", "pca"], "spaces": ["projection"], "dimensions": [2], "fit_at_most": 50}
    summary, table, document = run.map(**changes)
    for entry in document["maps"]:
        images = one(table, *(entry[name] for name in KEYS)).query("kind == 'image'")
        rows = np.flatnonzero(images["fitted"])
        assert (entry["images"], entry["fitted"]) == (120, len(rows))
        if entry["method"] == "pca":
            assert len(rows) == 120
            continue
        drawn = np.sort(np.random.default_rng(entry["seed"]).choice(120, 50, replace=False))
        np.testing.assert_array_equal(rows, drawn)
        alone = fit_map(run.projection[drawn], "umap", seed=entry["seed"], landmarks=run.prototypes)
        np.testing.assert_allclose(images[["x", "y"]].to_numpy()[rows], alone[:50], atol=1e-4)
        prototypes = one(table, "umap", "projection", seed=entry["seed"]).query("kind == 'prototype'")
        np.testing.assert_allclose(prototypes[["x", "y"]], alone[50:], atol=1e-4)
        assert prototypes["fitted"].all()
    assert summary.notes[0] == (
        "umap and tsne maps are fitted on 50 of 120 images, drawn with the map's seed; the others are laid into them"
    )
    again = run.map(**changes)[1]
    pd.testing.assert_frame_equal(again, table)


def test_many_rows_are_written_in_parts_a_map_each(tmp_path, monkeypatch):
    run = Made(tmp_path)
    whole = run.map()[1]
    monkeypatch.setattr(maps_module, "_TOGETHER", 100)
    _, table, _ = run.map()
    pd.testing.assert_frame_equal(table, whole)
    assert not (run.store.root / "map.parquet").exists()
    assert len(run.store.files("map")) == 8
    stage, wanted = STAGES["map"], fingerprints(run.store, run.config)["map"]
    run.store.finish_stage("map", wanted)
    assert is_current(run.store, "map", wanted, stage.outputs)
    run.store.files("map")[3].unlink()
    assert not is_current(run.store, "map", wanted, stage.outputs)


def test_vectors_with_nan_are_left_out_and_counted(tmp_path):
    run = Made(tmp_path)
    run.embedding[[6, 9], 2] = np.nan  # the first image of pair 3, the second of pair 4
    run.write()
    summary, table, document = run.map(methods=["pca"], spaces=["embedding", "projection"])
    assert "the embedding of 2 images is not finite: they are left out" in summary.notes
    found = one(table, "pca", "embedding")
    assert len(found) == 78
    assert not ((found["pair_id"] == "p0003") & (found["sensor"] == "rgb")).any()
    assert len(one(table, "pca", "projection").query("kind == 'image'")) == 80
    assert document["similar"] == dict.fromkeys(("rgb", "rgnir"), {"images": 39, "exact": True, "recall": None})
    near = run.store.read_table("neighbourhoods")
    kept = [k for k in range(40) if k not in (3, 4)]
    assert near["pair_id"].tolist() == [f"p{k:04d}" for k in kept]
    wanted = neighbourhoods(*(side[kept] for side in run.twins()), 10, seed=3)
    np.testing.assert_allclose(near["overlap"], wanted.overlap)


def test_a_pair_without_one_image_and_another_order(tmp_path):
    """The second sensor's images come in another order, and one is missing."""
    run = Made(tmp_path)
    order = np.random.default_rng(1).permutation(80)
    order = order[order != 11]
    run.keys, run.embedding, run.projection = run.keys.iloc[order], run.embedding[order], run.projection[order]
    before = run.embedding.copy()
    run.write()
    run.map(spaces=["embedding"])
    near = run.store.read_table("neighbourhoods").set_index("pair_id")
    assert len(near) == 39
    assert "p0005" not in near.index
    place = {key: row for row, key in enumerate(run.keys.itertuples(index=False, name=None))}
    sides = [before[[place[pair, sensor] for pair in near.index]] for sensor in ("rgb", "rgnir")]
    wanted = neighbourhoods(*sides, 10, seed=3)
    np.testing.assert_allclose(near["overlap"], wanted.overlap)
    assert near["second_rank"].tolist() == wanted.second_rank.tolist()


def test_no_prototypes_and_no_classifier(tmp_path):
    run = Made(tmp_path, prototypes=0, classifier=False)
    summary, table, document = run.map()
    assert summary.maps == ("pca of embedding", "pca of embedding in 3-D")
    assert summary.notes == tuple(f"no {space} in this run" for space in ("projection", "logits", "prototype_logits"))
    assert set(table["kind"]) == {"image"}
    assert document["neighbourhoods"]["pairs"] == 40


def test_one_sensor(tmp_path):
    summary, table, document = Made(tmp_path, sensors=1).map()
    assert set(table["sensor"].dropna()) == {"rgb"}
    assert document["neighbourhoods"] is None
    assert document["similar"] == {"rgb": {"images": 40, "exact": True, "recall": None}}
    said = "fewer than two pairs have an embedding of both sensors, so no neighbourhoods are compared"
    assert document["notes"] == [said]
    assert summary.pairs == 0


def test_a_single_pair(tmp_path):
    run = Made(tmp_path, pairs=1)
    summary, table, document = run.map(**{**ALL, "spaces": ["embedding"]})
    assert summary.maps == ("pca of embedding", "pca of embedding in 3-D")
    assert "A umap map needs 5 images, there are 2: use pca, or more images." in summary.notes
    assert table["x"].tolist()[:2] == pytest.approx([table["x"][0], -table["x"][0]])
    assert document["maps"][0]["quality"] is None
    assert len(run.store.read_table("neighbourhoods")) == 0
    assert list(run.store.read_table("neighbourhoods").columns) == list(TABLES["neighbourhoods"].columns)


def test_where_no_map_can_be_made_or_there_are_no_embeddings_it_is_said(tmp_path):
    run = Made(tmp_path, pairs=1)
    with pytest.raises(InputError, match="No map could be made: A umap map needs 5 images, there are 2"):
        run.map(methods=["umap"], spaces=["embedding"])
    run.embedding[:] = np.nan
    run.write()
    with pytest.raises(InputError, match="No map could be made: the embedding of 2 images is not finite"):
        run.map(spaces=["embedding"])
    run.store.remove("embeddings.parquet")
    with pytest.raises(ArtifactError, match="This run has no embeddings.parquet"):
        run.map(spaces=["embedding"])


def test_three_thousand_prototypes(tmp_path):
    run = Made(tmp_path, prototypes=3000)
    _, table, _ = run.map(spaces=["projection"], dimensions=[2], prototype_clusters=6)
    own = table[table["kind"] == "prototype"]
    assert (len(own), own["prototype"].nunique(), set(own["cluster"])) == (3000, 3000, set(range(6)))
    assert np.isfinite(own[["x", "y"]].to_numpy()).all()


def test_very_many_images_are_searched_by_index(tmp_path, monkeypatch):
    """As beyond 100,000 images a sensor: files of indexes, recall, and twins within 100 alone; later removed again."""
    monkeypatch.setattr(neighbourhoods_module, "EXACT_AT_MOST", 300)
    run = Made(tmp_path, pairs=400)
    changes = {"spaces": ["embedding"], "dimensions": [2]}
    _, _, document = run.map(**changes)
    index = {"index/embedding.rgb.faiss", "index/embedding.rgnir.faiss"}
    assert files_of(run.store.root) >= index
    assert index <= set(run.store.info()["hashes"])
    wanted = neighbourhoods(*run.twins(), 10, seed=3)
    noted, near = document["neighbourhoods"], run.store.read_table("neighbourhoods")
    assert (noted["exact"], noted["pairs"], noted["neighbours"]) == (False, 400, 10)
    assert noted["expected"] == pytest.approx(wanted.expected, abs=0.01)
    assert document["similar"]["rgb"]["exact"] is False
    assert noted["recall"] == min(document["similar"][name]["recall"] for name in ("rgb", "rgnir")) >= 0.95
    assert np.abs(near["overlap"] - wanted.overlap).mean() < 0.02
    known = near["first_rank"].notna()
    assert 0.5 < known.mean() < 1
    assert near["first_rank"].max() <= 100
    assert (near["first_rank"][known] == wanted.first_rank[known]).mean() > 0.9
    read = SimilarIndex.read(run.store.root / "index/embedding.rgb.faiss", "rice-ssl map RUN", shape=(400, 12))
    assert (read.search(run.twins()[0], 1)[0][:, 0] == np.arange(400)).mean() > 0.99
    wanted_now = fingerprints(run.store, run.config)["map"]
    run.store.finish_stage("map", wanted_now)
    (run.store.root / "index/embedding.rgb.faiss").unlink()
    assert not is_current(run.store, "map", wanted_now, STAGES["map"].outputs)
    monkeypatch.setattr(neighbourhoods_module, "EXACT_AT_MOST", 1000)
    run.map(**changes)
    assert not files_of(run.store.root) & index
    assert not index & set(run.store.info()["hashes"])


@pytest.mark.parametrize(("changes", "said"), [
    ({"methods": []}, r"methods are \[\]; name one or more, each once"),
    ({"spaces": ["logits", "logits"]}, "spaces are .'logits', 'logits'.; name one or more, each once"),
    ({"dimensions": [3]}, r"dimensions are \[3\]; three come beside two: give \[2\] or \[2, 3\]"),
    ({"fit_at_most": 49}, "map.fit_at_most"),
    ({"seeds": 0}, "map.seeds"),
])  # fmt: skip
def test_settings_out_of_range_are_said(tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        parse_config({**settings(tmp_path), "map": changes}, "test")
