"""The dynamics command on a run and on CSV logs."""

import dataclasses
import json
from pathlib import Path

import pytest

from pipelines.dynamics import analyse_log, run_dynamics
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
        assert drop["p_chance"] < 0.02
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


def test_a_short_log_is_undecided(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("step,loss\n1,2\n2,1\n")
    assert analyse_log(log).verdict == "undecided"
