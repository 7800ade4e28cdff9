import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from pipelines.audit import run_audit
from pipelines.run import bring_in
from rice_ssl.artifacts import RunStore
from rice_ssl.data.simulate import SimulationConfig, simulate_dataset
from rice_ssl.run_config import config_to_dict, parse_config
from tests.audit.planted import plant
from tests.pipelines.tiny_run import files_of, rice_ssl

MADE = {"run.json", "manifest.parquet", "findings.parquet", "quality.parquet", "registration.parquet", "audit.parquet"}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """24 simulated pairs, of which two each are copied, exchanged and labelled wrongly; and what the command said."""
    where = tmp_path_factory.mktemp("audit")
    simulate_dataset(where / "clean", SimulationConfig(24, 0.2, 7), workers=1, progress=False)
    truth = plant(where / "clean", where / "images", seed=1)
    config = {"name": "planted", "run": str(where / "run"), "data": {"root": str(where / "images")}}
    parsed = parse_config(config, "test")
    (where / "run.yaml").write_text(yaml.safe_dump(config))
    store = RunStore(parsed.run)
    bring_in(store, parsed, progress=False)
    said = run_audit(store, parsed, findings_csv=where / "found.csv", progress=False)
    return where, truth, json.loads(json.dumps(dataclasses.asdict(said)))


def test_an_audit_writes_its_tables(planted):
    where, _, said = planted
    assert files_of(where / "run") == MADE | {"audit.json"}
    store = RunStore(where / "run")
    assert len(store.read_table("quality")) == 52
    assert said["pairs"] == 26
    assert said["counts"] == store.read_document("audit")["counts"]
    assert said["findings"] == len(store.read_table("audit")) == len(pd.read_csv(where / "found.csv"))


def test_planted_copies_are_found_in_both_sensors_and_nothing_else(planted):
    where, truth, _ = planted
    found = RunStore(where / "run").read_table("audit").query("kind == 'duplicate'")
    both = {frozenset(ids) for ids in zip(found["pair_id"], found["other_pair_id"], strict=True)}
    assert both == {frozenset(ids) for ids in truth.duplicates.items()}
    assert found["sensor"].value_counts().to_dict() == {"rgb": 2, "rgnir": 2}
    assert all(" across " in detail or "kept on one side" in detail for detail in found["detail"])


def test_exchanged_images_are_found_and_the_right_partner_is_named(planted):
    where, truth, _ = planted
    store = RunStore(where / "run")
    found = store.read_table("audit").query("kind == 'wrong_pair'")
    assert dict(zip(found["pair_id"], found["other_pair_id"], strict=True)) == truth.swapped
    assert store.read_document("audit")["wrong_pairs"]["source"] == "images"


def test_a_second_call_finds_the_same_and_strict_exits_with_2(planted):
    where, _, said = planted
    before = RunStore(where / "run").read_table("audit")
    again = rice_ssl("audit", where / "run", "--json", "--no-progress", "--strict", check=False)
    assert again.returncode == 2
    assert json.loads(again.stdout) == said
    pd.testing.assert_frame_equal(RunStore(where / "run").read_table("audit"), before)


def folder_of(where, pairs, sensors, labels=None):
    """Noise pictures in the layout ``folder``; gives the run's configuration."""
    images = where / "images"
    images.mkdir()
    for k in range(pairs):
        for number, end in enumerate(sensors.values()):
            values = np.random.default_rng([k, number]).integers(0, 256, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(values).resize((96, 72), Image.Resampling.BICUBIC).save(images / end.format(id=f"p{k}"))
    data = {"root": str(images), "layout": "folder", "sensors": sensors}
    if labels is not None:
        rows = [f"p{k},{label}" for k, label in enumerate(labels)]
        (where / "labels.csv").write_text("\n".join(["pair_id,label", *rows]) + "\n")
        data["labels"] = str(where / "labels.csv")
    return parse_config({"name": "few", "run": str(where / "run"), "data": data}, "test")


def audited(config):
    store = RunStore(config.run)
    if not store.exists:
        bring_in(store, config, progress=False)
    run_audit(store, config, progress=False)
    return store, store.read_document("audit")


def test_one_sensor_skips_pairs_with_a_sentence(tmp_path):
    store, told = audited(folder_of(tmp_path, 12, {"rgb": "{id}.png"}, ["a", "b"] * 6))
    assert "No pair has images of two sensors (sensors: rgb)" in told["registration"]["note"]
    assert len(store.read_table("registration")) == 0
    assert told["labels"]["source"] is None  # labels of noise: nobody agrees with enough of them
    assert "simple features agrees with" in told["labels"]["note"]
    assert len(store.read_table("quality")) == 12


@pytest.mark.parametrize(
    ("labels", "why"), [(None, "0 labelled pairs of 0 classes"), (["a"] * 5, "5 labelled pairs of 1 classes")]
)
def test_few_pairs_no_labels_or_one_class_work_and_say_why_not(tmp_path, labels, why):
    store, told = audited(folder_of(tmp_path, 5, {"one": "{id}.png", "two": "{id}_2.png"}, labels))
    assert why in told["labels"]["note"]
    assert told["wrong_pairs"]["source"] == "none"
    assert "So wrong pairs could not be told" in told["wrong_pairs"]["note"]
    assert len(store.read_table("registration")) == 5
    assert "edges of grey values" in told["registration"]["note"]


def test_a_file_that_went_missing_is_told_and_the_rest_is_audited(tmp_path):
    config = folder_of(tmp_path, 5, {"rgb": "{id}.png", "rgnir": "{id}_rgn.png"})
    store, _ = audited(config)
    (tmp_path / "images" / "p3.png").unlink()
    shutil.rmtree(tmp_path / "run" / "cache")
    store, told = audited(config)
    assert len(told["unreadable"]) == 1
    assert told["unreadable"][0].startswith("p3 (rgb):")
    assert set(store.read_table("registration")["pair_id"]) == {"p0", "p1", "p2", "p4"}


def test_labels_are_judged_by_the_cross_validation_where_there_is_one(tmp_path):
    config = folder_of(tmp_path, 12, {"rgb": "{id}.png"}, ["a", "b"] * 6)
    store, _ = audited(config)
    labels = store.read_table("manifest").set_index("pair_id")["label"]
    right = np.array(
        [[0.999, 0.001] if (label == "a") != (pair == "p4") else [0.001, 0.999] for pair, label in labels.items()]
    )
    rows = {
        "pair_id": labels.index,
        "sensor": "rgb",
        "logits": list(np.log(right)),
        "probabilities": list(right),
        "prediction": [config.name] * 12,
        "confidence": right.max(axis=1),
        "label": labels.to_numpy(),
        "split": "oof",
        "fold": 0,
    }
    store.write_table("cross_validation", pd.DataFrame(rows))
    store, told = audited(config)
    assert told["labels"]["source"] == "cross-validation"
    assert told["labels"]["joint"] == [[5, 1], [0, 6]]
    found = store.read_table("audit").query("kind == 'label'")
    assert found["pair_id"].tolist() == ["p4"]
    assert "is labelled a" in found["detail"].iloc[0]


def test_the_command_imports_first_and_refuses_a_run_that_is_locked(tmp_path):
    config = folder_of(tmp_path, 5, {"rgb": "{id}.png"})
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(config_to_dict(config)))
    said = json.loads(rice_ssl("audit", tmp_path / "run.yaml", "--json", "--no-progress").stdout)
    assert (said["pairs"], said["images"]) == (5, 5)
    assert files_of(tmp_path / "run") == MADE | {"audit.json"}
    with RunStore(config.run).locked():
        refused = rice_ssl("audit", tmp_path / "run", "--no-progress", check=False)
    assert refused.returncode == 2
    assert "Another process is at work" in refused.stderr
