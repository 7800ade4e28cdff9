"""Cross-validation of unusual data: few pairs, a missing sensor, one class, fifty of them, other names."""

import json

import numpy as np
import pytest
import yaml

from pipelines.evaluate import run_evaluate
from pipelines.run import bring_in, run_one
from pipelines.stages import fingerprints
from rice_ssl.artifacts import RunStore
from rice_ssl.errors import InputError
from rice_ssl.evaluation.calibration import cross_fitted, scaled
from rice_ssl.run_config import parse_config
from tests.data.fake_images import picture
from tests.pipelines.tiny_run import rice_ssl


def content(where, folds=2, **finetune):
    return {
        "name": "odd",
        "run": str(where / "run"),
        "data": {
            "root": str(where / "images"),
            "layout": "folder",
            "labels": str(where / "labels.csv"),
            "image_size": [32, 32],
            "folds": folds,
        },
        "encoder": {"name": "resnet10t", "options": {"channels": [8, 8, 8, 8]}},
        "finetune": {"start": "random", "epochs": 1, "batch_size": 4, "keep": "last", "accelerator": "cpu", **finetune},
        "cross_validation": {"views": 1},
        "evaluate": {"bootstrap": 100},
    }


def make(where, labels, *, suffixes=("", "_rgn"), without=(), **settings):
    """A picture of each sensor for each label, and the run imported; ``without`` names files that are not there."""
    (where / "images").mkdir(parents=True)
    rows = ["pair_id,label"]
    for number, label in enumerate(labels):
        rows.append(f"p{number:03},{label}")
        for place, suffix in enumerate(suffixes):
            if f"p{number:03}{suffix}" not in without:
                picture(1000 * place + number).save(where / "images" / f"p{number:03}{suffix}.jpg", quality=95)
    (where / "labels.csv").write_text("\n".join(rows) + "\n")
    config = parse_config(content(where, **settings), "the test")
    store = RunStore(where / "run")
    with store.locked():
        bring_in(store, config, progress=False)
    return store, config


def validate(store, config):
    run_one(store, config, "cross-validate", progress=False)
    return store.read_table("cross_validation")


def test_five_pairs_in_all(tmp_path):
    store, config = make(tmp_path, ["a", "b", "a", "b", "a"])
    table = validate(store, config)
    assert sorted(table["sensor"].unique()) == ["both", "rgb", "rgnir"]
    assert (table.groupby("sensor")["pair_id"].nunique() == 5).all()
    report = run_evaluate(store, config).report
    assert report["splits"]["oof"]["sensors"]["both"]["n"] == 5
    json.dumps(report, allow_nan=False)


def test_a_class_that_the_other_folds_lack(tmp_path):
    """Class c has one pair: the network of its fold never saw that class, and still gives it a probability."""
    table = validate(*make(tmp_path, ["a", "b"] * 4 + ["c"]))
    odd = table[table["label"] == "c"]
    assert len(odd) == 3
    assert all(len(values) == 3 and np.isclose(sum(values), 1) for values in odd["probabilities"])


def test_one_class_is_refused_in_a_sentence(tmp_path):
    store, config = make(tmp_path, ["a"] * 6)
    with pytest.raises(InputError, match=r"one class only \(a\): a classifier needs two"):
        validate(store, config)
    assert not store.has("cross_validation")


def test_fifty_classes_of_other_names(tmp_path):
    names = [f"Sorte {number:02} (ä)" for number in range(50)]
    table = validate(*make(tmp_path, names * 2, batch_size=16))
    assert set(table["prediction"]) <= set(names)
    assert all(len(values) == 50 for values in table["logits"])
    assert table[table["sensor"] == "both"]["label"].value_counts().tolist() == [2] * 50


@pytest.mark.parametrize("sensors", ["shared", "fused", "rgb"])
def test_a_sensor_missing_for_all_pairs(tmp_path, sensors):
    labels = ["a", "b"] * 4
    gone = [f"p{number:03}_rgn" for number in range(len(labels))]
    table = validate(*make(tmp_path, labels, without=gone, sensors=sensors))
    assert "rgnir" not in set(table["sensor"])
    assert (table.groupby("sensor")["pair_id"].nunique() == 8).all()


def test_without_any_image_of_the_sensor_asked_for_it_says_so(tmp_path):
    gone = [f"p{number:03}_rgn" for number in range(6)]
    store, config = make(tmp_path, ["a", "b"] * 3, without=gone, sensors="rgnir")
    with pytest.raises(InputError, match="images are of rgb|No labelled training pair has an image of rgnir"):
        validate(store, config)


@pytest.mark.parametrize("sensors", ["shared", "fused"])
def test_a_sensor_missing_for_some_pairs(tmp_path, sensors):
    table = validate(*make(tmp_path, ["a", "b"] * 5, without=["p000_rgn", "p003", "p004_rgn"], sensors=sensors))
    judged = table.groupby("sensor")["pair_id"].apply(set)
    assert "p003" not in judged["rgb"]
    assert not {"p000", "p004"} & judged["rgnir"]
    assert len(judged["both"]) == 10
    alone = table[table["pair_id"] == "p003"].set_index("sensor")["logits"]
    np.testing.assert_allclose(alone["both"], alone["rgnir"], rtol=1e-5, atol=1e-6)


def test_the_probabilities_are_those_of_the_other_folds_temperature(tmp_path):
    store, config = make(tmp_path, ["a", "b"] * 5, folds=3)
    table = validate(store, config)
    own = table[table["sensor"] == "both"]
    logits = np.stack(own["logits"].to_list()).astype(float)
    labels = own["label"].map({"a": 0, "b": 1}).to_numpy(dtype=int)
    expected, temperature = cross_fitted(logits, labels, own["fold"].to_numpy(dtype=int))
    np.testing.assert_allclose(np.stack(own["probabilities"].to_list()), expected, rtol=1e-5)
    assert store.info()["temperatures"]["both"] == pytest.approx(temperature, rel=1e-4)
    assert not np.allclose(expected, scaled(logits, temperature))


def test_without_the_section_the_remedy_is_named(tmp_path):
    (tmp_path / "images").mkdir()
    picture(1).save(tmp_path / "images" / "p.jpg")
    bare = content(tmp_path)
    bare["data"]["labels"] = None
    del bare["cross_validation"]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(bare))
    done = rice_ssl("cross-validate", tmp_path / "run.yaml", "--no-progress", check=False)
    assert done.returncode == 2
    assert "has no section cross_validation: add it" in done.stderr
    assert "Traceback" not in done.stderr


def test_channels_are_asked_of_pairs_that_a_network_had_not_seen(tmp_path):
    where = content(tmp_path)
    store, config = make(tmp_path, ["a", "b"] * 4)
    where["cross_validation"] = {"views": 1, "channels": True}
    config = parse_config(where, "the test")
    validate(store, config)
    table = store.read_table("channels")
    assert set(table["split"]) == {"oof"}
    assert table.groupby(["sensor", "band", "replacement"])["pair_id"].nunique().tolist() == [8] * 18
    before = store.read_table("cross_validation").query("sensor == 'rgb'").set_index("pair_id")["prediction"]
    asked = table[(table["sensor"] == "rgb") & (table["band"] == "red") & (table["replacement"] == "mean")]
    assert asked.set_index("pair_id")["original"].to_dict() == before.to_dict()


def test_channels_that_are_no_longer_asked_for_are_forgotten(tmp_path):
    store, config = make(tmp_path, ["a", "b"] * 4)
    asked = {**content(tmp_path), "cross_validation": {"views": 1, "channels": True}}
    validate(store, parse_config(asked, "the test"))
    assert store.has("channels")
    validate(store, config)
    assert not store.has("channels")


def test_test_labels_that_come_later_retrain_nothing(tmp_path):
    store, config = make(tmp_path, ["a", "b"] * 4)
    table = store.read_table("manifest")
    held = table["pair_id"].isin(["p006", "p007"])
    hidden = table.assign(
        split=table["split"].where(~held, "test"), fold=table["fold"].where(~held, -1), label=table["label"].mask(held)
    )
    store.write_table("manifest", hidden)
    before = fingerprints(store, config)
    store.write_table("manifest", hidden.assign(label=table["label"]))
    after = fingerprints(store, config)
    assert after["cross-validate"] == before["cross-validate"]
    assert after["evaluate"] != before["evaluate"]


def test_pretraining_settings_matter_where_its_weights_are_the_start(tmp_path):
    store, config = make(tmp_path, ["a", "b"] * 4)
    other = parse_config({**content(tmp_path), "pretrain": {"epochs": 3}}, "the test")
    assert fingerprints(store, config)["cross-validate"] == fingerprints(store, other)["cross-validate"]
    both = [
        parse_config({**content(tmp_path, start="swav"), "pretrain": {"epochs": epochs}}, "the test")
        for epochs in (2, 3)
    ]
    first, second = (fingerprints(store, one) for one in both)
    assert first["cross-validate"] != second["cross-validate"]
    assert first["finetune"] != second["finetune"]
