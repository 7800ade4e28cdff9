"""``rice-ssl ablate`` on 24 drawn pairs: two views, random weights, two seeds."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
import yaml

from pipelines.ablate import Cell, baseline_of, cell_config, plan_conditions, run_ablate
from pipelines.configuration import read_ablation_config
from rice_ssl.artifacts import RunStore, read_ablation
from rice_ssl.errors import ArtifactError, InputError
from tests.pipelines.tiny_run import rice_ssl, settings


def write_yaml(folder, **changes):
    tiny = settings(folder)
    content = {
        "name": "tiny views",
        "out": str(folder / "out"),
        "grid": {"pretrain.views": ["rgb-only", "paired-augmented"]},
        "seeds": [0, 1],
        "bootstrap": 100,
        "settings": {key: tiny[key] for key in ("data", "encoder", "pretrain")},
        **changes,
    }
    path = folder / "ablation.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def cell_of(config, number, seed=0):
    condition = plan_conditions(config)[number]
    return Cell(condition, seed, cell_config(config, condition, seed))


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablate")
    path = write_yaml(folder)
    first = json.loads(rice_ssl("ablate", path, "--json", "--no-progress", "--max-minutes", "0", check=False).stdout)
    return folder, path, first, rice_ssl("ablate", path, "--no-progress")


def test_stopped_it_says_so_and_the_same_command_goes_on(done):
    _, _, first, second = done
    assert (first["finished"], first["cells"], first["planned"]) == (False, 1, 6)  # random weights need no training
    assert second.stdout.startswith("6 of 6 networks\n")
    assert "Linear probe, RGB" in second.stdout
    assert "paired-augmented" in second.stdout


def test_it_writes_exactly_these_files(done):
    folder = done[0] / "out"
    conditions = plan_conditions(read_ablation_config(done[1]))
    assert [condition.title for condition in conditions] == ["random weights", "rgb-only", "paired-augmented"]
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    kept = {name for name in found if "cache/" not in name and "checkpoints/" not in name}
    common = {"run.json", "manifest.parquet", "findings.parquet", "pairs.parquet"}
    trained = {"metrics.parquet", "events.jsonl", "weights/swav.safetensors"}
    expected = {"ablation.json", "ablation.csv"}
    for condition in conditions:
        for seed in (0, 1):
            files = common if condition.random else common | trained
            expected |= {f"cells/{condition.folder}/seed-{seed}/{name}" for name in files}
    assert kept == expected
    assert len([name for name in found if name.startswith("cache/") and name.endswith(".npy")]) == 1  # decoded once


def test_the_results_are_of_every_condition_and_seed(done):
    content = read_ablation(done[0] / "out")
    assert (content["planned"], content["seeds"], content["baseline"]) == (6, [0, 1], "rgb-only")
    assert content["simulated"] is True
    assert {(e["condition"], e["seed"]) for e in content["cells"]} == {
        (title, seed) for title in ("random weights", "rgb-only", "paired-augmented") for seed in (0, 1)
    }
    names = [measure["name"] for measure in content["measures"]]
    assert names[:4] == ["probe_rgb", "probe_rgnir", "knn_rgb", "knn_rgnir"]
    for entry in content["figures"]:
        assert entry["low"] <= entry["value"] <= entry["high"]
        assert entry["seeds"] == 2
    assert {e["condition"] for e in content["differences"]} == {"random weights", "paired-augmented"}
    table = pd.read_csv(done[0] / "out" / "ablation.csv")
    assert len(table) == len(content["figures"])


def test_a_cell_s_figures_are_those_of_its_own_weights(done):
    """Retrieval and probe of one cell computed anew by hand from its embeddings."""
    from sklearn.metrics.pairwise import cosine_similarity

    folder, path, _, _ = done
    config = read_ablation_config(path)
    condition = plan_conditions(config)[2]
    run = cell_config(config, condition, 1)
    store = RunStore(folder / "out" / "cells" / condition.folder / "seed-1")
    pairs = pd.read_parquet(store.root / "pairs.parquet")
    from pipelines.run import run_one

    run_one(store, run, "embed", progress=False)
    keys = store.read_table("embeddings", ["pair_id", "sensor"])
    vectors = store.read_vectors("embeddings", "embedding")
    manifest = store.read_table("manifest")
    val = list(dict.fromkeys(manifest[manifest["split"] == "val"]["pair_id"]))
    sides = []
    for sensor in ("rgb", "rgnir"):
        rows = keys[keys["sensor"] == sensor].reset_index().set_index("pair_id")["index"]
        sides.append(vectors[rows.loc[val].to_numpy()])
    similarity = cosine_similarity(*sides)
    hits = [(m.argmax(axis=1) == np.arange(len(val))).astype(float) for m in (similarity, similarity.T)]
    assert pairs.loc[val, "recall_1"].tolist() == ((hits[0] + hits[1]) / 2).tolist()
    assigned = store.read_vectors("embeddings", "prototype_logits").argmax(axis=1)
    rows = keys[keys["sensor"] == "rgnir"].reset_index().set_index("pair_id")["index"]
    assert pairs.loc[val, "prototype_rgnir"].tolist() == assigned[rows.loc[val]].tolist()
    assert set(pairs.loc[val, "knn_rgb"]) <= {0.0, 1.0}
    assert pairs["probe_rgb"].notna().sum() == len(val)


def test_what_is_done_is_not_done_again(done, monkeypatch):
    import pipelines.ablate as module

    def forbidden(*given, **more):
        raise AssertionError("judged again")

    monkeypatch.setattr(module, "judge_pairs", forbidden)
    assert run_ablate(read_ablation_config(done[1]), progress=False).finished


def test_a_cell_that_another_process_is_at_is_passed_over(done):
    config = read_ablation_config(done[1])
    condition = plan_conditions(config)[1]
    store = RunStore(done[0] / "out" / "cells" / condition.folder / "seed-0")
    kept = store.info()["stages"]
    store.update_info(stages={name: stage for name, stage in kept.items() if name != "ablate"})
    with store.locked():
        summary = run_ablate(config, progress=False)
    assert (summary.cells, summary.elsewhere, summary.finished) == (5, 1, True)
    assert "1 are another process' work" in summary.text()
    assert len(read_ablation(done[0] / "out")["cells"]) == 5 * 9
    store.update_info(stages=kept)  # as that process leaves it when it is done
    assert run_ablate(config, progress=False).finished
    assert len(read_ablation(done[0] / "out")["cells"]) == 6 * 9


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grid": {"pretrain.views": ["rgb-only", "stereo"]}}, "Condition 'stereo' .* pretrain.views is 'stereo'"),
        ({"grid": {"pretrain.view": ["paired"]}}, "pretrain.view is not a setting"),
        ({"grid": {"pretrain.lr.x": [1]}}, "grid.pretrain.lr.x .* is no setting"),
        ({"grid": {"pretrain.views": []}}, "grid.pretrain.views has no values"),
        ({"seeds": [1, 1]}, r"seeds are \[1, 1\]; name one or more, each once"),
        ({"baseline": {"pretrain.views": "mixed"}}, "baseline.pretrain.views is 'mixed', which is not in the grid"),
        ({"grids": {}}, "grids is not a setting"),
        ({"grid": {"seed": [5, 6]}}, "settings or grid hold 'seed', which the ablation gives each network"),
        ({"settings": {"data": {"root": "x"}, "run": "y"}}, "settings or grid hold 'run'"),
        ({"grid": {"pretrain.lr": [0.1, 0.1]}}, r"grid.pretrain.lr is \[0.1, 0.1\], with a value that is there twice"),
        ({"grid": {"data.root": [datetime.date(2024, 1, 1)]}}, "data.root in settings or grid holds more than text"),
        ({"grid": {"encoder.options": [{1: 2}]}}, "encoder.options in settings or grid holds more than text"),
        ({"settings": {"data": None}}, "settings.data of ablation 'tiny views' is None: give a mapping"),
        ({"settings": {"data": "images"}}, "settings.data of ablation 'tiny views' is 'images'"),
    ],
)
def test_a_wrong_grid_is_refused_before_anything_is_computed(tmp_path, changes, says):
    path = write_yaml(tmp_path, **{"settings": {"data": {"root": "x"}, "pretrain": {"lr": 0.1}}, **changes})
    with pytest.raises(InputError, match=says):
        run_ablate(read_ablation_config(path), progress=False)
    assert not (tmp_path / "out").exists()


def test_conditions_are_called_by_what_varies(tmp_path):
    grid = {"pretrain.views": ["paired"], "pretrain.queue_start": [0.25, 1.0], "pretrain.lr": [0.1]}
    config = read_ablation_config(write_yaml(tmp_path, grid=grid, random=False))
    assert [c.title for c in plan_conditions(config)] == ["queue_start 0.25", "queue_start 1.0"]
    assert baseline_of(config) == "queue_start 0.25"
    both = {"pretrain.views": ["paired", "mixed"], "pretrain.queue_start": [0.25, 1.0]}
    config = read_ablation_config(write_yaml(tmp_path, grid=both, baseline={"pretrain.queue_start": 1.0}))
    assert plan_conditions(config)[1].title == "paired, queue_start 0.25"
    assert baseline_of(config) == "paired, queue_start 1.0"
    assert len({condition.folder for condition in plan_conditions(config)}) == 5


def test_a_network_that_cannot_be_had_does_not_keep_the_others_from_being_done(tmp_path):
    """A queue that starts beyond the end is only found with the data; exit code 2, and the others are there."""
    grid = {"pretrain.queue_start": ["step 5", "epoch 50"]}
    path = write_yaml(tmp_path, grid=grid, seeds=[0])
    done = rice_ssl("ablate", path, "--json", "--no-progress", check=False)
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert (found["cells"], found["planned"], found["finished"]) == (2, 3, True)
    assert found["failures"][0].startswith(
        "epoch 50, seed 0: pretrain.queue_start is 'epoch 50', but the training ends"
    )
    assert [row["condition"] for row in found["table"]] == ["random weights", "step 5"]


def test_networks_judged_on_other_pairs_are_not_compared(done):
    config = read_ablation_config(done[1])
    condition = plan_conditions(config)[2]
    store = RunStore(done[0] / "out" / "cells" / condition.folder / "seed-1")
    table = pd.read_parquet(store.root / "pairs.parquet")
    table.iloc[1:].to_parquet(store.root / "pairs.parquet")
    store.note_hash("pairs.parquet")
    with pytest.raises(ArtifactError, match="was judged on other pairs than the first network"):
        run_ablate(config, progress=False)
    table.to_parquet(store.root / "pairs.parquet")
    store.note_hash("pairs.parquet")


def test_images_that_changed_are_judged_anew(done):
    """A corrected label makes every network due again; without the images what was found is still shown."""
    folder, path, _, _ = done
    config = read_ablation_config(path)
    cells = [cell_of(config, number) for number in range(3)]
    assert all(cell.pairs(config) is not None for cell in cells)
    table = folder / "images" / "Train.csv"
    before = table.read_bytes()
    first, rest = before.split(b"\n", 2)[1:]
    label = b"brown" if b"blast" in first else b"blast"
    table.write_bytes(b"\n".join([before.split(b"\n", 1)[0], first.split(b",")[0] + b"," + label, rest]))
    assert all(cell.pairs(config) is None for cell in cells)
    table.write_bytes(before)
    (folder / "images").rename(folder / "away")
    try:
        assert all(cell.pairs(config) is not None for cell in cells)
    finally:
        (folder / "away").rename(folder / "images")
