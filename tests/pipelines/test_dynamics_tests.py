"""Tests on checkpoints by the command line: a tiny run that keeps them, taken up, and refused where it has none."""

import json
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
import yaml

from rice_ssl.artifacts import RunStore
from rice_ssl.training.kept import kept_checkpoints
from tests.pipelines.tiny_run import begun, rice_ssl, settings

OPTIONS = ("--step", "6", "--batches", "2", "--starts", "1", "--continue-steps", "4", "--no-progress")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A pretraining of 12 steps whose queue starts at step 6; checkpoints at 0, 4, 8, 12 and around the start."""
    folder = tmp_path_factory.mktemp("kept")
    content = settings(folder)
    content["pretrain"] |= {"epochs": 6, "keep_checkpoints": 3, "queue_start": 0.5, "warmup": 0.0}
    (folder / "run.yaml").write_text(yaml.safe_dump(content))
    rice_ssl("pretrain", folder / "run.yaml", "--no-progress")
    return RunStore(folder / "run")


@pytest.fixture(scope="module")
def document(run):
    said = json.loads(rice_ssl("dynamics", "test", run.root, *OPTIONS, "--json").stdout)
    found = run.read_document("dynamics_tests")
    assert said["document"] == found
    return found


def test_pretraining_keeps_checkpoints_at_equal_distances_and_around_the_switch(run):
    assert [(e["kind"], e["step"]) for e in run.events()] == [("queue_start", 6)]
    assert list(kept_checkpoints(run.root / "checkpoints" / "pretrain")) == [0, 4, 6, 8, 12]


def test_the_document_holds_every_test(document, run):
    assert document["event"]["kind"] == "queue_start"
    assert document["changes_objective"] is True
    assert document["steps"] == {"before": 6, "after": 8, "controls": [4, 12]}
    assert [entry["split"] for entry in document["objective"]] == ["val", "train"]
    assert [(e["step"], e["role"], e["objective"]) for e in document["curvature"]] == [
        (4, "control", "without"),
        (6, "before", "without"),
        (8, "after", "with"),
        (12, "control", "with"),
    ]
    assert document["continuations"]["steps"] == [6, 7, 8, 9]
    assert document["line"]["fraction"] == pytest.approx(np.linspace(0, 1, 11))
    assert document["verdict"]["word"] == "too short"  # of 12 steps; the tests are made at the step that is named
    assert document["log_hash"] == run.info()["hashes"]["metrics.parquet"]
    assert not (run.root / "cache" / "dynamics-tests.json").exists()


def test_the_continuation_with_the_event_is_the_run_itself(document, run):
    """The same crops, optimizer and queue: what was logged is what the continuation gives."""
    metrics = run.read_table("metrics")
    train = metrics[(metrics["split"] == "train") & (metrics["step"] >= 6) & (metrics["step"] < 10)]
    for name in ("loss", "reference_loss"):
        logged = train[train["name"] == name].sort_values("step")["value"].to_numpy()
        assert document["continuations"]["with"][name] == pytest.approx(logged, rel=1e-5)
    without = document["continuations"]["without"]
    assert without["loss"] == without["reference_loss"]


def test_the_frozen_objective_is_what_training_logged(document, run):
    """At step 6 the queue joins: the first batch's loss with it is the log's; the last row of val is without it."""
    metrics = run.read_table("metrics")
    val = metrics[(metrics["split"] == "val") & (metrics["name"] == "loss") & (metrics["step"] == 5)]["value"]
    by_split = {entry["split"]: entry for entry in document["objective"]}
    assert by_split["val"]["without"] == pytest.approx(float(val.iloc[0]), rel=1e-5)
    assert by_split["val"]["with"] != pytest.approx(by_split["val"]["without"], rel=1e-3)
    assert by_split["train"]["batches"] == 2


def test_the_line_starts_at_the_checkpoint_before(document):
    losses = {entry["step"]: entry["loss"] for entry in document["curvature"]}
    assert document["line"]["without"][0] == pytest.approx(losses[6], rel=1e-5)
    assert document["line"]["with"] != document["line"]["without"]


def test_stopped_between_two_tests_it_goes_on(run, document, tmp_path):
    copy = RunStore(shutil.copytree(run.root, tmp_path / "run"))
    (copy.root / "dynamics_tests.json").unlink()
    process = begun("dynamics", "test", copy.root, *OPTIONS, stdout=subprocess.PIPE)
    parts = copy.root / "cache" / "dynamics-tests.json"
    while process.poll() is None and not parts.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out
    assert "the same command goes on" in out
    made = json.loads(parts.read_text())["made"]
    made["objective val"]["batches"] = 99  # what was made before is taken as it is
    parts.write_text(json.dumps({"of": json.loads(parts.read_text())["of"], "made": made}))
    again = json.loads(rice_ssl("dynamics", "test", copy.root, *OPTIONS, "--json").stdout)["document"]
    assert again["objective"][0]["batches"] == 99
    assert again["line"] == document["line"]
    assert again["curvature"] == document["curvature"]


def test_a_run_without_kept_checkpoints_says_how_to_get_them(run, tmp_path):
    copy = RunStore(shutil.copytree(run.root, tmp_path / "run"))
    shutil.rmtree(copy.root / "checkpoints" / "pretrain" / "kept")
    done = rice_ssl("dynamics", "test", copy.root, *OPTIONS, check=False)
    assert done.returncode == 2
    assert "holds 0 kept checkpoints" in done.stderr
    assert "pretrain.keep_checkpoints" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_checkpoint_that_cannot_be_read_is_named(run, tmp_path):
    copy = RunStore(shutil.copytree(run.root, tmp_path / "run"))
    (copy.root / "dynamics_tests.json").unlink(missing_ok=True)
    broken = copy.root / "checkpoints" / "pretrain" / "kept" / "00000006.pt"
    broken.write_bytes(b"no checkpoint")
    done = rice_ssl("dynamics", "test", copy.root, *OPTIONS, check=False)
    assert done.returncode == 2
    assert f"{broken} cannot be read" in done.stderr
    assert not copy.has("dynamics_tests")


def test_a_log_without_a_drop_asks_for_a_step(run):
    done = rice_ssl("dynamics", "test", run.root, "--no-progress", check=False)
    assert done.returncode == 2
    assert "no drop to be tested: name a step" in done.stderr
