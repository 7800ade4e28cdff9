"""What makes a stage due again, and what does not; on copies of the tiny run."""

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipelines.embed import run_embed
from pipelines.import_images import run_import_zindi
from pipelines.map import run_map
from pipelines.prepare import begin_with_weights
from pipelines.run import run_all, run_one
from rice_ssl.artifacts import RunStore, sha256_file
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.run_config import config_of_run, parse_config
from tests.pipelines.tiny_run import STAGES, begun, rice_ssl, settings


@pytest.fixture
def copy(folder, first, tmp_path):
    """Images and run of the tiny run under another folder, and what can be done to them."""

    class Copy:
        root = tmp_path
        store = RunStore(tmp_path / "run")
        config = settings(tmp_path)

        def run(self, max_minutes=None, **changes):
            self.config = {**self.config, **changes}
            return run_all(self.parsed(), progress=False, max_minutes=max_minutes)

        def one(self, stage, max_minutes=None, **changes):
            config = parse_config({**self.config, **changes}, "test")
            return run_one(self.store, config, stage, progress=False, max_minutes=max_minutes)

        def parsed(self):
            return parse_config(self.config, "test")

        def embed(self, run, *, manifest=None, weights=None):
            if manifest is None and weights is None:
                return run_one(RunStore(run), config_of_run(RunStore(run)), "embed", progress=False)
            store, config = begin_with_weights(run, manifest, RunStore(weights))
            return run_embed(store, config, weights=RunStore(weights), progress=False)

        def manifest(self):
            run_import_zindi(self.root / "images", self.root / "manifest", progress=False)
            return self.root / "manifest"

    shutil.copytree(folder / "images", tmp_path / "images")
    shutil.copytree(folder / "run", tmp_path / "run")
    return Copy()


def sections(copy, name, **changes):
    return {name: {**copy.config[name], **changes}}


def test_a_copy_of_images_and_run_needs_the_import_alone(copy):
    assert copy.run().done == ("import", "card")  # the card names where the images are
    assert copy.run().done == ()


def test_a_corrected_label_of_the_same_length_is_seen(copy):
    copy.run()
    path = copy.root / "images" / "Train.csv"
    lines = path.read_text().splitlines()
    pair = next(line.split(",")[0].removesuffix(".jpg") for line in lines[1:] if line.endswith("blast"))
    path.write_text("\n".join(line.replace("blast", "brown") if pair in line else line for line in lines) + "\n")
    assert {"import", "finetune", "embed", "evaluate"} <= set(copy.run().done)
    manifest = copy.store.read_table("manifest").set_index("pair_id")
    assert set(manifest.loc[pair, "label"]) == {"brown"}


def test_labels_of_test_pairs_cost_no_training(copy):
    copy.config["data"] = {**copy.config["data"], "test_labels": None}
    assert not {"pretrain", "finetune", "dynamics"} & set(copy.run().done)
    report = copy.store.read_document("report")["splits"]
    assert report["test"]["sensors"] == {}
    elsewhere = copy.root / "answers.csv"
    shutil.copy(copy.root / "images" / "test_labels.csv", elsewhere)
    copy.config["data"] = {**copy.config["data"], "test_labels": str(elsewhere)}
    assert not {"pretrain", "finetune"} & set(copy.run().done)
    assert copy.store.read_document("report")["splits"]["test"]["sensors"]["rgb"]["n"] > 0
    pairs = pd.read_csv(elsewhere)
    elsewhere.write_text(pairs.assign(label="healthy").to_csv(index=False))
    assert "evaluate" in copy.run().done  # the table lies outside the data folder, and its size may be the same
    counts = copy.store.read_document("report")["splits"]["test"]["sensors"]["rgb"]["confusion"]
    assert [sum(row) for row in counts] == [0, 0, len(pairs)]


def test_evaluate_takes_the_labels_of_the_manifest(copy):
    copy.run()
    manifest = copy.store.read_table("manifest")
    copy.store.write_table("manifest", manifest.assign(label="blast"))
    copy.one("evaluate")
    counts = copy.store.read_document("report")["splits"]["val"]["sensors"]["rgb"]["confusion"]
    assert [sum(row) > 0 for row in counts] == [True, False, False]


def test_settings_that_change_no_number_cost_no_training(copy):
    copy.run()
    changed = sections(copy, "pretrain", log_every=2, checkpoint_every=7, accelerator="cpu")
    assert copy.run(**changed).done == ()


@pytest.mark.parametrize(
    ("file", "due"),
    [
        ("predictions.parquet", "embed"),
        ("cams/cams.npy", "embed"),
        ("findings.parquet", "import"),
        ("manifest.parquet", "import"),
        ("submission.csv", "submit"),
    ],
)
@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_a_missing_or_damaged_file_is_made_anew(file, due, how, copy):
    copy.run()
    path = copy.store.root / file
    whole = path.read_bytes()
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(whole[: len(whole) // 2])
    assert copy.run().done == (due,)
    assert path.read_bytes() == whole
    assert "pair_scale" in copy.store.info()


def test_a_damaged_log_is_trained_anew(copy):
    copy.run()
    whole = copy.store.read_table("metrics")
    (copy.store.root / "metrics.parquet").write_bytes(b"PAR1 nonsense")
    assert {"pretrain", "finetune"} <= set(copy.run().done)
    again = copy.store.read_table("metrics")
    columns = ["stage", "step", "split", "name"]
    assert again[columns].values.tolist() == whole[columns].values.tolist()


@pytest.mark.parametrize("content", ["{broken", '{"schema_version": 0}'])
def test_an_unreadable_run_is_begun_anew(content, copy):
    (copy.store.root / "run.json").write_text(content)
    assert copy.run().done == tuple(STAGES)


def test_a_run_of_a_newer_version_is_left_alone(copy):
    path = copy.store.root / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="Update rice_ssl"):
        copy.run()
    assert path.read_bytes() == before


def test_single_commands_count_for_the_run(copy):
    shutil.rmtree(copy.store.root)
    assert not copy.one("pretrain", max_minutes=0).finished
    assert copy.one("pretrain").finished
    assert [e["step"] for e in copy.store.events() if e["kind"] == "resume"] == [1]
    assert copy.run().up_to_date == ("import", "pretrain")


def test_a_single_command_with_other_settings_is_not_taken_for_the_run(copy):
    copy.run()
    copy.one("evaluate", evaluate={"bootstrap": 150, "confidence": 0.6})
    assert copy.store.read_document("report")["bootstrap"] == 150
    assert copy.run().done == ("evaluate",)
    assert copy.store.read_document("report")["bootstrap"] == 100


def test_data_without_test_pairs_has_no_submission(copy):
    (copy.root / "images" / "Test.csv").unlink()
    copy.config["data"] = {**copy.config["data"], "simulate": None, "test_labels": None}
    told = copy.run()
    assert told.finished
    assert told.skipped["submit"] == "there is no test pair"
    assert set(told.skipped) == {"assignments", "submit"}
    assert not (copy.store.root / "submission.csv").exists()
    assert copy.run().done == ()


def test_labels_that_went_take_the_classifier_with_them(copy):
    path = copy.root / "images" / "Train.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *(line.split(",")[0] + "," for line in lines[1:])]) + "\n")
    told = copy.run(data={**copy.config["data"], "simulate": None})
    assert told.skipped["finetune"] == "no training pair is labelled"
    gone = ("weights/classifier.safetensors", "predictions.parquet", "cams/cams.npy", "report.json", "submission.csv")
    assert not any((copy.store.root / file).exists() for file in gone)
    assert (copy.store.root / "embeddings.parquet").is_file()


def test_a_run_inside_its_data_folder_resumes(copy):
    shutil.rmtree(copy.store.root)
    copy.config["run"] = str(copy.root / "images" / "run")
    store = RunStore(copy.root / "images" / "run")
    for step in (1, 2):
        assert not copy.run(max_minutes=0).finished
        assert [e["step"] for e in store.events() if e["kind"] == "resume"] == list(range(1, step))


def test_two_processes_do_not_write_to_one_run(copy):
    (copy.root / "run.yaml").write_text(yaml.safe_dump(copy.config))
    with copy.store.locked():
        process = begun("run", copy.root / "run.yaml", stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "Another process is at work on" in err


def test_a_trained_run_is_not_embedded_over(copy, folder):
    before = (copy.store.root / "predictions.parquet").read_bytes()
    with pytest.raises(InputError, match="is a run with weights of its own"):
        copy.embed(copy.store.root, manifest=copy.manifest(), weights=folder / "run")
    done = rice_ssl("embed", copy.store.root, "--weights", folder / "run", check=False)
    assert done.returncode == 2
    assert "is a run with weights of its own" in done.stderr
    assert (copy.store.root / "predictions.parquet").read_bytes() == before


def test_a_run_with_anothers_weights_finds_them_again(copy, tmp_path):
    run = tmp_path / "other"
    copy.embed(run, manifest=copy.manifest(), weights=copy.store.root)
    info = RunStore(run).info()
    assert (info["weights_from"], info["weights_simulated"]) == ("tiny", True)
    whole = RunStore(run).read_table("predictions")
    (run / "predictions.parquet").unlink()
    copy.embed(run)
    pd.testing.assert_frame_equal(RunStore(run).read_table("predictions"), whole)
    run_map(RunStore(run), config_of_run(RunStore(run)), progress=False)
    assert (RunStore(run).read_table("map")["kind"] == "prototype").any()
    (copy.store.root / "weights" / "classifier.safetensors").unlink()
    copy.embed(run)
    assert not (run / "predictions.parquet").exists()  # what the weights no longer give must not be taken for theirs
    (copy.store.root / "run.json").unlink()
    with pytest.raises(ArtifactError, match=f"rice-ssl embed {run} --weights RUN"):
        copy.embed(run)


def test_a_classifier_alone_can_be_embedded(copy):
    (copy.store.root / "weights" / "swav.safetensors").unlink()
    copy.embed(copy.store.root)
    assert copy.store.read_vectors("embeddings", "prototype_logits") is None
    assert copy.store.read_vectors("embeddings", "embedding").shape == (48, 32)
    assert not (copy.store.root / "prototypes.parquet").exists()


def test_a_half_done_embed_of_other_images_is_not_taken_up(copy, monkeypatch):
    """The first image is the same, and so is the number of images: only the others tell the two apart."""
    monkeypatch.setattr("pipelines.embed.shutil.rmtree", lambda *a, **k: None)  # as if killed before it was removed
    copy.embed(copy.store.root)
    before = copy.store.read_vectors("embeddings", "embedding")
    manifest = copy.store.read_table("manifest")
    for path in manifest["path"][1:]:
        shutil.copy(copy.root / "images" / manifest["path"][0], copy.root / "images" / path)
    hashes = [sha256_file(copy.root / "images" / path) for path in manifest["path"]]
    copy.store.write_table("manifest", manifest.assign(sha256=hashes))
    copy.store.update_info(data_root=str(copy.root / "images"))
    copy.embed(copy.store.root)
    after = copy.store.read_vectors("embeddings", "embedding")
    assert (after[0] == before[0]).all()
    assert (after[1::2] != before[1::2]).any(axis=1).all()


def test_weights_that_were_changed_are_refused(copy):
    path = copy.store.root / "weights" / "classifier.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="was changed after the run wrote it"):
        copy.embed(copy.store.root)


def test_a_run_json_without_a_field_names_it(copy):
    path = copy.store.root / "run.json"
    content = json.loads(path.read_text())
    del content["sensors"]
    path.write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match="run.json lacks 'sensors'"):
        copy.embed(copy.store.root)


def test_an_output_that_cannot_be_written_is_one_sentence(copy):
    (copy.root / "file").write_text("")
    done = rice_ssl("submit", copy.store.root, "--out", copy.root / "file" / "x.csv", check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(Path(copy.root / "file")) in done.stderr
