"""Which prototype each image had at every kept checkpoint: a tiny pretraining that keeps some."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from pipelines.assignments import run_assignments, sampled_rows
from pipelines.stages import STAGES, fingerprints, is_current, left_out
from rice_ssl.artifacts import RunStore
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evaluation.prototype_history import usage_history
from rice_ssl.run_config import config_of_run, parse_config
from rice_ssl.training.kept import kept_checkpoints
from rice_ssl.training.run_pictures import run_pictures
from tests.pipelines.tiny_run import FILES, files_of, rice_ssl, settings


def with_history(folder, **embed):
    content = settings(folder, embed=embed)
    content["pretrain"]["keep_checkpoints"] = 2
    return content


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run that was pretrained, with three kept checkpoints at least, and embedded; nothing else."""
    folder = tmp_path_factory.mktemp("history")
    (folder / "run.yaml").write_text(yaml.safe_dump(with_history(folder)))
    rice_ssl("pretrain", folder / "run.yaml", "--no-progress")
    rice_ssl("embed", folder / "run", "--no-progress")
    return folder


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained / "run", tmp_path / "run")
    return RunStore(tmp_path / "run")


def test_the_command_writes_one_table_of_every_checkpoint(trained, run):
    before = files_of(run.root)
    summary = json.loads(rice_ssl("assignments", run.root, "--json", "--no-progress").stdout)
    assert files_of(run.root) == before | {"assignments.parquet"}
    kept = list(kept_checkpoints(run.root / "checkpoints" / "pretrain"))
    table, manifest = run.read_table("assignments"), run.read_table("manifest")
    assert summary == {"checkpoints": len(kept), "images": len(manifest), "prototypes": 6, "unusable": 0}
    assert len(kept) >= 3
    assert sorted(table["step"].unique()) == kept
    for _, part in table.groupby("step"):
        keys = part[["pair_id", "sensor"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(keys, manifest[["pair_id", "sensor"]])
    steps = run.read_table("metrics").query("stage == 'pretrain' and split == 'train'")
    per_epoch = steps.loc[steps["epoch"] == 1, "step"].iloc[0]
    assert (table["epoch"] - table["step"] / per_epoch).abs().max() < 1e-9
    assert table["confidence"].between(1 / 6, 1).all()
    assert not (run.root / "cache" / "assignments").exists()
    # the last checkpoint is the network that the run was embedded with; its weights were rounded to float16 when kept
    last = table[table["step"] == kept[-1]].set_index(["pair_id", "sensor"])
    final = run.read_table("prototypes").set_index(["pair_id", "sensor"]).loc[last.index]
    assert (last["prototype"] == final["prototype"]).mean() > 0.9
    assert last["confidence"].to_numpy() == pytest.approx(final["confidence"].to_numpy(), abs=0.02)
    assert usage_history(table, 6, ["rgb", "rgnir"]).images.sum(axis=1).tolist() == [len(manifest)] * len(kept)


def test_a_call_cut_short_resumes_by_checkpoint(run, monkeypatch):
    config = config_of_run(run)
    run_assignments(run, config, progress=False)
    whole = run.read_table("assignments")
    run.remove("assignments.parquet")
    import pipelines.assignments as module

    calls, real = [], module._assign

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(module, "_assign", failing)
    with pytest.raises(KeyboardInterrupt):
        run_assignments(run, config, progress=False)
    assert not run.has("assignments")
    parts = list((run.root / "cache" / "assignments").glob("*/*.npz"))
    assert [part.name[:8] for part in parts] == [f"{min(whole['step']):08d}"]
    run_assignments(run, config, progress=False)
    count = whole["step"].nunique()
    assert len(calls) == 2 + count - 1  # the first checkpoint was not embedded again
    pd.testing.assert_frame_equal(run.read_table("assignments"), whole)


def test_another_checkpoint_of_the_same_step_is_not_taken_for_the_former(run, monkeypatch):
    config = config_of_run(run)
    paths = kept_checkpoints(run.root / "checkpoints" / "pretrain")
    first, last = list(paths)[0], list(paths)[-1]
    run_assignments(run, config, progress=False)
    before = run.read_table("assignments").set_index(["step", "pair_id", "sensor"])["prototype"]
    shutil.copy(paths[last], paths[first])
    run_assignments(run, config, progress=False)
    after = run.read_table("assignments").set_index(["step", "pair_id", "sensor"])["prototype"]
    assert after[first].tolist() == before[last].tolist() != before[first].tolist()


def test_the_sample_is_of_whole_pairs_and_seeded(run):
    config = config_of_run(run)
    pictures, table, sensors = run_pictures(run, config, torch.device("cpu"), progress=False)
    rows = sampled_rows(table, sensors, pictures, 11, 3)
    assert len(rows) == 10
    assert table.iloc[rows].groupby("pair_id").size().tolist() == [2] * 5
    assert rows.tolist() == sorted(rows)
    assert np.array_equal(rows, sampled_rows(table, sensors, pictures, 11, 3))
    assert not np.array_equal(rows, sampled_rows(table, sensors, pictures, 11, 4))
    assert set(rows) <= set(sampled_rows(table, sensors, pictures, 20, 3))  # a larger sample holds the smaller one
    assert len(sampled_rows(table, sensors, pictures, 1, 3)) == 2  # one pair in any case


def test_without_checkpoints_the_remedy_is_named(run):
    shutil.rmtree(run.root / "checkpoints" / "pretrain" / "kept")
    with pytest.raises(ArtifactError, match="Train it anew with pretrain.keep_checkpoints"):
        run_assignments(run, config_of_run(run), progress=False)


def test_none_asked_for_is_refused(trained, run):
    config = parse_config({**with_history(trained, history_images=0), "run": str(run.root)}, "test")
    with pytest.raises(InputError, match="embed.history_images is 0"):
        run_assignments(run, config, progress=False)


def test_a_checkpoint_of_another_network_is_refused(run):
    path = next(iter(kept_checkpoints(run.root / "checkpoints" / "pretrain").values()))
    torch.save({"network": {"x": torch.zeros(1)}}, path)
    with pytest.raises(ArtifactError, match="is not of this run's network"):
        run_assignments(run, config_of_run(run), progress=False)


def test_a_network_without_finite_numbers_is_counted_and_left_out(run):
    paths = kept_checkpoints(run.root / "checkpoints" / "pretrain")
    first, path = next(iter(paths.items()))
    state = torch.load(path, weights_only=True)
    state["network"]["prototypes.weight"].fill_(float("nan"))
    torch.save(state, path)
    summary = run_assignments(run, config_of_run(run), progress=False)
    assert summary.unusable == summary.images
    assert "were not finite and are left out" in summary.text()
    assert first not in set(run.read_table("assignments")["step"])


def test_when_the_stage_is_left_out_and_why(trained, run):
    def why(**embed):
        config = parse_config({**with_history(trained, **embed), "run": str(run.root)}, "test")
        return left_out(run, config).get("assignments")

    assert why() is None
    assert why(history_images=0) == "embed.history_images is 0"
    kept = run.root / "checkpoints" / "pretrain" / "kept"
    kept.rename(run.root / "elsewhere")
    assert why() == "the pretraining that was done kept no checkpoints (pretrain.keep_checkpoints)"
    (run.root / "elsewhere").rename(kept)
    none = settings(trained, run=str(run.root))
    assert left_out(run, parse_config(none, "test")).get("assignments") is None  # they were kept all the same
    none["pretrain"]["epochs"] = 5  # another training, which keeps none
    assert left_out(run, parse_config(none, "test"))["assignments"] == "pretrain.keep_checkpoints is 0"
    none["finetune"]["swav_run"] = str(run.root)
    assert left_out(run, parse_config(none, "test"))["assignments"].startswith("the SwAV weights are those of")


def test_a_history_outlives_its_checkpoints(trained, run):
    config = parse_config({**with_history(trained), "run": str(run.root)}, "test")
    run_assignments(run, config, progress=False)
    run.finish_stage("assignments", fingerprints(run, config)["assignments"])
    shutil.rmtree(run.root / "checkpoints" / "pretrain" / "kept")
    assert "assignments" not in left_out(run, config)


def test_the_number_of_images_makes_nothing_else_due(trained, run):
    configs = [parse_config({**with_history(trained, **embed), "run": str(run.root)}, "test")
               for embed in ({}, {"history_images": 8}, {"thumbnail": 64})]  # fmt: skip
    own, fewer, smaller = (fingerprints(run, config) for config in configs)
    assert {name for name in own if own[name] != fewer[name]} == {"assignments"}
    assert own["assignments"] == smaller["assignments"]
    assert own["embed"] != smaller["embed"]
    assert is_current(run, "embed", fewer["embed"], STAGES["embed"].outputs)


def test_a_whole_run_makes_it_after_embed(folder, first, tmp_path):
    """The tiny run keeps no checkpoints, and says so; one that does has one file more."""
    assert first["skipped"] == {"assignments": "pretrain.keep_checkpoints is 0"}
    content = with_history(tmp_path)
    content["data"] = settings(folder)["data"]
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(content))
    whole = json.loads(rice_ssl("run", tmp_path / "run.yaml", "--json", "--no-progress").stdout)
    assert whole["done"][4:7] == ["embed", "assignments", "map"]
    assert files_of(tmp_path / "run") >= (FILES | {"assignments.parquet"})
    again = json.loads(rice_ssl("run", tmp_path / "run.yaml", "--json", "--no-progress").stdout)
    assert (again["done"], "assignments" in again["up_to_date"]) == ([], True)
