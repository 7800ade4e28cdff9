"""``rice-ssl channels`` on a tiny run that was trained."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from pipelines.channels import run_channels, write_channels
from rice_ssl.artifacts import RunStore
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evaluation.channel_summary import channel_summary
from rice_ssl.models.classifier import build_classifier
from rice_ssl.models.weights import save_weights
from rice_ssl.run_config import config_of_run
from tests.pipelines.tiny_run import files_of, rice_ssl

KEYS = ["pair_id", "sensor"]


def copied(folder, where):
    """A copy of the tiny run that was not asked yet."""
    shutil.copytree(folder / "run", where / "run")
    store = RunStore(where / "run")
    store.remove("channels.parquet", "channels.json")
    return store


@pytest.fixture(scope="module")
def asked(folder, first, tmp_path_factory):
    """A copy of the tiny run, asked once: the run, its files before, and what the command said."""
    run = copied(folder, tmp_path_factory.mktemp("channels")).root
    before = files_of(run)
    done = rice_ssl("channels", run, "--json", "--no-progress")
    return RunStore(run), before, json.loads(done.stdout)


def test_it_adds_exactly_a_table_and_a_document(asked):
    store, before, said = asked
    assert files_of(store.root) - before == {"channels.parquet", "channels.json"}
    assert not list(store.root.glob(".*.part"))
    document = store.read_document("channels")
    assert said["questions"] == document["questions"]
    assert set(store.info()["hashes"]) >= {"channels.parquet", "channels.json"}


def test_validation_and_test_pairs_are_asked_and_no_training_pair(asked):
    store, _, said = asked
    table, manifest = store.read_table("channels"), store.read_table("manifest")
    expected = manifest[manifest["split"] != "train"]
    assert set(table["pair_id"]) == set(expected["pair_id"])
    assert said["pairs"] == expected["pair_id"].nunique()
    assert table["split"].drop_duplicates().tolist() == ["val", "test"]
    labels = expected.groupby("pair_id")["label"].first()
    assert (table["label"] == table["pair_id"].map(labels)).all()
    groups = manifest.groupby("pair_id")["group"].first()
    lent = table[table["replacement"] == "other_pair"]
    assert (lent["donor"] != lent["pair_id"]).all()
    assert len(groups) == manifest["pair_id"].nunique()


def test_what_was_answered_before_are_the_runs_predictions(asked):
    store, _, _ = asked
    table = store.read_table("channels")
    predictions = store.read_table("predictions").set_index(KEYS)
    own = predictions.loc[pd.MultiIndex.from_frame(table[KEYS])]
    assert table["original"].tolist() == own["prediction"].tolist()
    np.testing.assert_allclose(table["original_confidence"], [max(p) for p in own["probabilities"]], atol=1e-5)
    joint = predictions.loc[[(pair, "both") for pair in table["pair_id"]]]
    assert table["joint_original"].tolist() == joint["prediction"].tolist()
    assert (table["flipped"] == (table["prediction"] != table["original"])).all()


def test_the_document_says_in_words_what_was_replaced_by_what(asked):
    store, _, _ = asked
    document = store.read_document("channels")
    assert set(document["replacements"]) == {"mean", "other_pair", "other_sensor"}
    assert document["replacements"]["mean"].endswith("its mean over the training pairs")
    words = {(one["sensor"], one["band"]): one["words"] for one in document["sources"]}
    assert words["rgnir", "near infrared"].endswith("is replaced by blue of RGB, which has no near infrared")
    assert len(words) == 6
    assert set(document["splits"]) == {"val", "test"}
    means = document["splits"]["val"]["means"]
    assert set(means["rgnir"]) == {"red", "green", "near infrared"}
    assert all(0 < value < 1 for own in means.values() for value in own.values())
    assert len(document["questions"]) == 2 * 2 * 3 * 3
    again = channel_summary(store.read_table("channels"), bootstrap=100, confidence=0.95, seed=3)
    assert json.loads(json.dumps(again)) == document["questions"]


def test_the_same_seed_gives_the_same_files(asked):
    store, _, _ = asked
    names = ("channels.parquet", "channels.json")
    former = [(store.root / name).read_bytes() for name in names]
    run_channels(store, config_of_run(store), progress=False)
    assert [(store.root / name).read_bytes() for name in names] == former


def test_rows_of_other_splits_stay(asked, tmp_path):
    source, _, _ = asked
    shutil.copytree(source.root, tmp_path / "run")
    store = RunStore(tmp_path / "run")
    config, table = config_of_run(store), store.read_table("channels")
    about = {"judged_by": "networks of folds", "mean_over": "the training pairs of each fold"}
    oof = table[table["split"] == "val"].assign(split="oof")
    found = write_channels(store, config, oof, about, splits=("oof",))
    assert list(dict.fromkeys(one["split"] for one in found)) == ["oof", "val", "test"]
    whole = store.read_table("channels")
    assert whole["split"].value_counts().to_dict() == {**table["split"].value_counts(), "oof": len(oof)}
    document = store.read_document("channels")
    assert document["splits"]["oof"] == about
    assert document["replacements"]["mean"].endswith("the training pairs or the training pairs of each fold")
    write_channels(store, config, oof.iloc[:9], about, splits=("oof",))
    assert (store.read_table("channels")["split"] == "oof").sum() == 9
    (store.root / "channels.json").write_text("{}")  # not what the run wrote: begun anew
    write_channels(store, config, oof, about, splits=("oof",))
    assert set(store.read_table("channels")["split"]) == {"oof"}


def test_pictures_that_cannot_be_decoded_are_left_out_and_told(folder, first, tmp_path):
    store = copied(folder, tmp_path)
    manifest = store.read_table("manifest")
    changed = manifest["split"].eq("test") & manifest["sensor"].eq("rgb")
    store.write_table("manifest", manifest.assign(sha256=manifest["sha256"].mask(changed, "0")))
    done = run_channels(store, config_of_run(store), progress=False)
    assert (done.pairs, done.faults) == (12, 8)
    assert done.text().startswith("12 pairs; 8 pictures could not be decoded; share of")
    assert store.read_document("channels")["splits"]["test"]["faults"] == 8
    table = store.read_table("channels")
    assert set(table.loc[table["split"] == "test", "sensor"]) == {"rgnir"}
    assert table.loc[table["split"] == "test", "joint_prediction"].isna().all()


def test_a_run_without_a_classifier_is_refused(folder, first, tmp_path):
    store = copied(folder, tmp_path)
    store.weights_path("classifier").unlink()
    with pytest.raises(ArtifactError, match=f"Make them with `rice-ssl finetune {store.root}`"):
        run_channels(store, config_of_run(store), progress=False)
    assert "channels.parquet" not in files_of(store.root)


def test_a_run_whose_pairs_were_all_trained_on_is_refused(folder, first, tmp_path):
    store = copied(folder, tmp_path)
    store.write_table("manifest", store.read_table("manifest").assign(split="train"))
    with pytest.raises(InputError, match="has no validation or test pair to ask about"):
        run_channels(store, config_of_run(store), progress=False)


def test_a_run_with_the_weights_of_another_takes_its_own_pairs_mean(folder, first, tmp_path):
    """A run of the test pairs alone."""
    store = copied(folder, tmp_path)
    store.weights_path("classifier").unlink()
    store.update_info(weights_run=str(folder / "run"))
    manifest = store.read_table("manifest")
    store.write_table("manifest", manifest[manifest["split"] == "test"].reset_index(drop=True))
    done = run_channels(store, config_of_run(store), progress=False)
    assert done.text().startswith("8 pairs; share of predictions that became another one")
    document = store.read_document("channels")
    assert set(document["splits"]) == {"test"}
    assert document["replacements"]["mean"].endswith("its mean over the judged pairs")
    store.update_info(weights_run=str(tmp_path / "gone"))
    with pytest.raises(ArtifactError, match=f"weights of the run {tmp_path / 'gone'}, which is not there: put it back"):
        run_channels(store, config_of_run(store), progress=False)


def with_sensors(store, sensors):
    """The run with another way of using its sensors noted, and its configuration."""
    config = store.info()["config"]
    store.update_info(config={**config, "finetune": {**config["finetune"], "sensors": sensors}})
    return config_of_run(store)


def test_a_classifier_of_one_sensor_is_asked_about_that_one_alone(folder, first, tmp_path):
    store = copied(folder, tmp_path)
    run_channels(store, with_sensors(store, "rgnir"), progress=False)
    table = store.read_table("channels")
    assert set(table["sensor"]) == {"rgnir"}
    assert set(table["replacement"]) == {"mean", "other_pair", "other_sensor"}
    assert table["joint_prediction"].isna().all()
    assert all(one["joint"] is None for one in store.read_document("channels")["questions"])


def test_a_fused_classifier_is_asked_too(folder, first, tmp_path):
    store = copied(folder, tmp_path)
    config = with_sensors(store, "fused")
    made = build_classifier(config.encoder, config.finetune, 3, ["rgb", "rgnir"])
    save_weights(made, store.weights_path("classifier"))
    store.note_hash("weights/classifier.safetensors")
    run_channels(store, config, progress=False)
    table = store.read_table("channels")
    assert set(table["sensor"]) == {"rgb", "rgnir"}
    assert table["joint_prediction"].notna().all()
    other = RunStore(tmp_path / "other")
    shutil.copytree(store.root, other.root)
    other.update_info(weights_run=str(store.root), sensors=other.info()["sensors"][::-1])
    with pytest.raises(ArtifactError, match="joins pictures of rgb, rgnir, and .* has rgnir, rgb: import the images"):
        run_channels(other, config_of_run(other), progress=False)
