"""The whole, tiny: from simulated images to every artifact of a run, then skipped, resumed and redone as needed."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import yaml

from tests.pipelines.tiny_run import FILES, ROOT, STAGES, begun, files_of, rice_ssl, settings


def test_every_stage_is_done_and_every_file_is_there(folder, first):
    assert first["done"] == STAGES
    assert files_of(folder / "run") == FILES


def test_submission_has_a_row_for_every_test_pair(folder, first):
    submission = pd.read_csv(folder / "run" / "submission.csv")
    sample = pd.read_csv(folder / "images" / "SampleSubmission.csv")
    assert list(submission.columns) == list(sample.columns)
    assert submission["Image_id"].tolist() == sample["Image_id"].tolist()
    assert submission.drop(columns="Image_id").sum(axis=1).round(6).eq(1.0).all()


def test_both_sensors_of_a_pair_are_on_one_side(folder, first):
    manifest = pd.read_parquet(folder / "run" / "manifest.parquet")
    assert (manifest.groupby("pair_id")["split"].nunique() == 1).all()
    assert (manifest.groupby("pair_id")["sensor"].nunique() == 2).all()


def test_a_second_run_finds_everything_up_to_date(folder, first):
    again = json.loads(rice_ssl("run", folder / "run.yaml", "--json", "--no-progress").stdout)
    assert again["done"] == []
    assert again["up_to_date"] == STAGES


def test_what_needs_no_network_does_not_load_pytorch(folder, first, tmp_path):
    """A map by PCA, a report, a card, and a run that has it all: loading it would take them longer than their work."""
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(settings(folder, run=str(tmp_path / "run"))))
    code = "import sys; from pipelines.main import app; app(standalone_mode=False); sys.exit('torch' in sys.modules)"
    for command, target in (("map", "run"), ("evaluate", "run"), ("card", "run"), ("run", "run.yaml")):
        arguments = [sys.executable, "-c", code, command, tmp_path / target]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.returncode, "Run " in done.stdout) == (0, command == "run"), done.stderr


def test_a_changed_setting_redoes_that_stage_alone(folder, first, tmp_path):
    shutil.copytree(folder / "run", tmp_path / "run")
    changed = settings(folder, evaluate={"bootstrap": 150}, run=str(tmp_path / "run"))
    (tmp_path / "changed.yaml").write_text(yaml.safe_dump(changed))
    again = json.loads(rice_ssl("run", tmp_path / "changed.yaml", "--json", "--no-progress").stdout)
    assert again["done"] == ["evaluate", "channels", "card"]
    assert json.loads((tmp_path / "run" / "report.json").read_text())["bootstrap"] == 150


def test_a_killed_run_resumes_to_the_same_figures(folder, first, tmp_path):
    content = settings(tmp_path)
    content["data"] = settings(folder)["data"]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = begun("run", tmp_path / "run.yaml", "--no-progress", **quiet)
    started = time.monotonic()
    checkpoints = tmp_path / "run" / "checkpoints" / "pretrain"
    while process.poll() is None and time.monotonic() - started < 120:
        if checkpoints.is_dir() and any(p.suffix == ".pt" for p in checkpoints.iterdir()):
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    process.wait(30)
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"
    rice_ssl("run", tmp_path / "run.yaml", "--no-progress")
    for file in ("predictions.parquet", "embeddings.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(folder / "run" / file), pd.read_parquet(tmp_path / "run" / file))
    timing = ["images_per_second", "data_wait"]
    read = [pd.read_parquet(f / "run" / "metrics.parquet") for f in (folder, tmp_path)]
    kept = [
        m[~m["name"].isin(timing)].sort_values(["stage", "step", "split", "name"]).reset_index(drop=True) for m in read
    ]
    pd.testing.assert_frame_equal(*kept)


def test_other_images_are_embedded_with_the_weights_of_a_run(folder, first, tmp_path):
    manifest, run = tmp_path / "manifest", tmp_path / "other"
    patterns = ["--sensor", "rgb={id}.jpg", "--sensor", "rgnir={id}_rgn.jpg"]
    rice_ssl("import", "folder", folder / "images" / "Images", *patterns, "--out", manifest, "--no-progress")
    rice_ssl("embed", run, "--manifest", manifest, "--weights", folder / "run", "--no-progress")
    other = pd.read_parquet(run / "predictions.parquet").set_index(["pair_id", "sensor"])["prediction"]
    own = pd.read_parquet(folder / "run" / "predictions.parquet").set_index(["pair_id", "sensor"])["prediction"]
    assert other.sort_index().equals(own.sort_index())
    trained = pd.read_parquet(folder / "run" / "manifest.parquet").groupby("pair_id")["split"].first()
    assert pd.read_parquet(run / "manifest.parquet").groupby("pair_id")["split"].first().equals(trained)
    info = json.loads((run / "run.json").read_text())
    assert info["classes"] == ["blast", "brown", "healthy"]


def test_images_that_the_weights_never_saw_are_test_pairs(folder, first, tmp_path):
    """They have labels here, so that there is something to judge; none of them was trained on."""
    rice_ssl("simulate", tmp_path / "more", "--pairs", 12, "--seed", 77, "--no-progress")
    rice_ssl("import", "zindi", tmp_path / "more", "--out", tmp_path / "manifest", "--no-progress")
    rice_ssl("embed", tmp_path / "run", "--manifest", tmp_path / "manifest", "--weights", folder / "run")
    assert set(pd.read_parquet(tmp_path / "run" / "manifest.parquet")["split"]) == {"test"}
    report = json.loads(rice_ssl("evaluate", tmp_path / "run", "--json").stdout)["report"]
    labelled = pd.read_csv(tmp_path / "more" / "Train.csv")["Image_id"].str.contains("_rgn").sum()
    assert report["splits"]["test"]["sensors"]["rgb"]["n"] == labelled


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml cannot be read"),
        (["embed", "nowhere"], "neither a run directory nor a YAML file"),
        (["import", "zindi", "nowhere"], "nowhere"),
        (["import", "folder", ".", "--sensor", "rgb"], "lacks '='"),
        (["import", "folder", ".", "--sensor", "both={id}.jpg"], "reserved"),
        (["dynamics", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, message, tmp_path):
    done = rice_ssl(*arguments, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_process_of_its_own_ends_the_same_way(tmp_path):
    process = begun("embed", "nowhere", cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    said = "rice-ssl: nowhere is neither a run directory nor a YAML file. Give one of the two.\n"
    assert (process.returncode, out, err) == (2, "", said)


def test_a_classifier_may_start_from_another_run_s_swav_weights(folder, first, tmp_path):
    """Its own pretraining is left out, its log is its own, and done again it computes nothing."""
    content = settings(folder, run=str(tmp_path / "run"), cross_validation=None)
    content["finetune"] = {**content["finetune"], "swav_run": str(folder / "run")}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    told = json.loads(rice_ssl("run", tmp_path / "run.yaml", "--json", "--no-progress").stdout)
    assert set(told["skipped"]) == {"pretrain", "dynamics", "cross-validate", "assignments"}
    assert set(pd.read_parquet(tmp_path / "run" / "metrics.parquet")["stage"]) == {"finetune"}
    again = json.loads(rice_ssl("run", tmp_path / "run.yaml", "--json", "--no-progress").stdout)
    assert again["done"] == []
