"""The dynamics command on a run and on CSV logs."""

import dataclasses
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.dynamics import analyse_log, run_dynamics
from pipelines.main import app
from rice_ssl.config import DataConfig, RunConfig
from rice_ssl.errors import ArtifactError, InputError
from tests.fakes import QUEUE_STEP, write_fake_run

DIGITISED = Path(__file__).parents[3] / "shared" / "seed" / "mwalimu-128_loss_digitised.csv"
RECIPE = (
    "queue_start_pct: 0.5\nepochs: 600\nsteps_per_epoch: 83\nbatch_size: 32\nqueue_length: 2048\nprototypes: 3000\n"
)
CONFIG = RunConfig(name="fake", run="fake", data=DataConfig(root="nowhere"))
needs_curve = pytest.mark.skipif(
    not DIGITISED.is_file(), reason="the digitised curve lies in ../shared, which is not here"
)


def test_a_run_gets_its_dynamics(tmp_path):
    store = write_fake_run(tmp_path / "run")
    (store.root / "dynamics.json").unlink()
    summary = run_dynamics(store, CONFIG, progress=False)
    assert summary.verdict == "schedule artefact"
    assert [(drop["split"], drop["step"]) for drop in summary.drops] == [("train", QUEUE_STEP), ("val", QUEUE_STEP)]
    assert [drop["size"] for drop in summary.drops] == pytest.approx([1, 1], abs=0.02)
    assert [event["kind"] for event in summary.drops[0]["events"]] == ["queue_start"]
    assert store.read_document("dynamics") == json.loads(json.dumps(dataclasses.asdict(summary)))
    assert summary.text().startswith("The loss dropped where the schedule switched something")
    assert "dynamics.json" in store.info()["hashes"]


def test_a_run_without_a_log_says_so(tmp_path):
    store = write_fake_run(tmp_path / "run")
    (store.root / "metrics.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"no metrics\.parquet\. Make it with `rice-ssl pretrain"):
        run_dynamics(store, CONFIG, progress=False)


@needs_curve
def test_the_published_curve_with_its_recipe(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    found = analyse_log(DIGITISED, recipe=recipe)
    assert found.verdict == "schedule artefact"
    assert {drop["split"] for drop in found.drops} == {"train", "val"}
    for drop in found.drops:
        assert drop["step"] == pytest.approx(24_900, abs=150)
        assert [(event["kind"], event["step"]) for event in drop["events"]] == [("queue_start", 24_900)]
        assert drop["p_chance"] < 0.1
    assert any("from 4.54 to 0.37 nats" in sentence for sentence in found.evidence)


@needs_curve
def test_the_published_curve_without_its_recipe():
    found = analyse_log(DIGITISED)
    assert found.verdict == "undecided"
    assert len(found.drops) == 2
    assert "queue_start_pct" in found.missing[0]


@pytest.mark.parametrize(
    ("content", "says"),
    [("queue_start_pct: [", "is not YAML"), ("- 1", "must hold settings"), ("lr: 1", "none of the settings")],
)
def test_a_broken_recipe_gives_one_sentence(tmp_path, content, says):
    log, recipe = tmp_path / "log.csv", tmp_path / "recipe.yaml"
    log.write_text("step,loss\n1,2\n2,1\n")
    recipe.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        analyse_log(log, recipe=recipe)
    assert "\n" not in str(caught.value)


def test_a_short_log_is_too_short(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("step,loss\n1,2\n2,1\n")
    found = analyse_log(log)
    assert (found.verdict, found.drops) == ("too short", [])
    assert found.text().startswith("The log is too short to be searched for drops. (verdict: too short)")


def test_what_a_recipe_lacks_is_a_note(tmp_path):
    log, recipe = tmp_path / "log.csv", tmp_path / "recipe.yaml"
    log.write_text("step,loss\n1,2\n2,1\n")
    recipe.write_text("queue_start_pct: 0.5\nepochs: 10\n")
    assert analyse_log(log, recipe=recipe).notes[-1] == (
        "Not placed in this log of steps: queue start. Give steps_per_epoch too."
    )


def test_the_command_takes_columns_metric_and_recipe(tmp_path):
    log, recipe = tmp_path / "log.csv", tmp_path / "recipe.yaml"
    fall = [3 - (k >= 50) + 0.001 * (k % 7) for k in range(100)]
    log.write_text("t,a,b,sim_loss\n" + "\n".join(f"{k},{v},{v + 1},{2 * v}" for k, v in enumerate(fall)))
    recipe.write_text("events: [{kind: queue_start, step: 50}]\n")
    named = ["--step-column", "t", "--train-column", "a", "--val-column", "b", "--recipe", str(recipe), "--json"]
    shown = CliRunner().invoke(app, ["dynamics", str(log), *named])
    assert shown.exit_code == 0, shown.output
    found = json.loads(shown.stdout)
    assert (found["metric"], found["verdict"]) == ("loss", "schedule artefact")
    assert [(drop["split"], drop["step"]) for drop in found["drops"]] == [("train", 50), ("val", 50)]
    shown = CliRunner().invoke(app, ["dynamics", str(log), "--step-column", "t", "--metric", "sim_loss", "--json"])
    assert json.loads(shown.stdout)["metric"] == "sim_loss"


def test_a_run_refuses_what_holds_for_csv_logs(tmp_path):
    store = write_fake_run(tmp_path / "run")
    before = (store.root / "dynamics.json").read_bytes()
    options = ["--recipe", "recipe.yaml", "--metric", "kl"]
    shown = CliRunner().invoke(app, ["dynamics", str(store.root), *options])
    assert isinstance(shown.exception, InputError)
    assert str(shown.exception) == (
        f"--recipe and --metric cannot be used with the run {store.root}, whose own log and events are analysed: "
        "leave them out, or name a CSV log."
    )
    assert (store.root / "dynamics.json").read_bytes() == before


def test_a_run_with_another_s_weights_names_the_run_of_the_log(tmp_path):
    store = write_fake_run(tmp_path / "run")
    (store.root / "metrics.parquet").unlink()
    store.update_info(weights_from="demo", weights_run="assets/demo")
    with pytest.raises(
        ArtifactError, match=r"those of the run demo\. Analyse that one: `rice-ssl dynamics assets/demo`"
    ):
        run_dynamics(store, CONFIG, progress=False)
