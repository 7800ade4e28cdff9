"""Two processes under torchrun (gloo) against one: the same codes, queue, gradients, log, weights and embeddings."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from rice_ssl.artifacts import RunStore
from tests.pipelines.tiny_run import ROOT, rice_ssl, settings

TIMING = ["images_per_second", "data_wait"]
WITHOUT_BATCH_STATISTICS = {
    "encoder": {"name": "convnext_atto", "options": {"depths": [1, 1, 1, 1], "dims": [8, 8, 8, 16]}, "pooling": "avg"},
}


def torchrun(*arguments, processes=2, check=True):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False, timeout=240
    )
    assert not check or done.returncode == 0, done.stderr[-3000:]
    return done


CODES = """
import sys, torch
import torch.distributed as dist
from rice_ssl.config import PretrainConfig
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.swav.ranks import Ranks
from rice_ssl.training.objective import Objective, Outputs

def unit(*shape, seed):
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)

dist.init_process_group("gloo")
ranks = Ranks(dist.get_rank(), dist.get_world_size())
prototypes = unit(7, 5, seed=0).requires_grad_()
whole = [unit(6, 5, seed=1), unit(6, 5, seed=2)]
queue = ProjectionQueue(views=2, length=12, size=5, batch_size=6)
for seed in (3, 5):
    queue.push([ranks.gather(unit(6, 5, seed=seed + view)[ranks.part(6)]) for view in (0, 1)])
objective = Objective(PretrainConfig(epsilon=0.05), assigned=2, local=0, ranks=ranks)
own = [view[ranks.part(6)] for view in whole]
found = {"queue": queue.projections}
for name, given in (("without", None), ("with", queue)):
    logits = [view @ prototypes.T for view in own]
    result, codes = objective.loss(Outputs(own[0], own, logits), prototypes, given)
    (gradient,) = torch.autograd.grad(result.loss, prototypes)
    dist.all_reduce(gradient)
    found[name] = torch.stack([ranks.gather(code) for code in codes])
    found[name + "_loss"] = torch.tensor(ranks.mean(float(result.loss)))
    found[name + "_gradient"] = gradient / ranks.world
if ranks.leads:
    torch.save(found, sys.argv[1])
dist.destroy_process_group()
"""


def test_codes_loss_queue_and_gradient_are_those_of_one_process(tmp_path):
    script = tmp_path / "codes.py"
    script.write_text(CODES)
    found = []
    for processes in (1, 2):
        torchrun(script, tmp_path / f"{processes}.pt", processes=processes)
        found.append(torch.load(tmp_path / f"{processes}.pt", weights_only=True))
    one, two = found
    assert set(one) == set(two)
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-5, msg=name)
    assert float((one["with"] - one["without"]).abs().max()) > 1e-3


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same run pretrained and embedded by one process and by two."""
    folder = tmp_path_factory.mktemp("two")
    stores = []
    for name in ("one", "two"):
        content = {**settings(folder, **WITHOUT_BATCH_STATISTICS), "run": str(folder / name)}
        content["pretrain"] |= {"head_norm": "layer", "checkpoint_every": 100, "sensor_dropout": 0.3, "local_size": 32}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
        stores.append(RunStore(folder / name))
    for stage in ("pretrain", "embed"):
        rice_ssl(stage, folder / "one.yaml", "--no-progress")
        torchrun("-m", "pipelines.main", stage, folder / "two.yaml", "--no-progress")
    return folder, *stores


def test_log_and_weights_are_those_of_one_process(runs):
    _, one, two = runs
    tables = []
    for store in (one, two):
        table = store.read_table("metrics")
        tables.append(table[~table["name"].isin(TIMING)].reset_index(drop=True))
    pd.testing.assert_frame_equal(tables[1].drop(columns="value"), tables[0].drop(columns="value"))
    np.testing.assert_allclose(tables[1]["value"], tables[0]["value"], rtol=1e-3, atol=1e-5)
    first = [table[(table["name"] == "loss") & (table["split"] == "train")]["value"].to_numpy() for table in tables]
    np.testing.assert_allclose(first[1], first[0], rtol=0, atol=1e-5)
    weights = [load_file(store.weights_path("swav")) for store in (one, two)]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key].float(), value.float(), rtol=0, atol=2e-3, msg=key)  # half on disk
    assert [event["kind"] for event in two.events()] == [event["kind"] for event in one.events()]


def test_embeddings_are_those_of_one_process_in_one_table(runs):
    _, one, two = runs
    keys = [store.read_table("embeddings", ["pair_id", "sensor"]) for store in (one, two)]
    pd.testing.assert_frame_equal(keys[1], keys[0])
    vectors = [store.read_vectors("embeddings", "projection") for store in (one, two)]
    np.testing.assert_allclose(vectors[1], vectors[0], rtol=0, atol=5e-3)  # of weights that differ by half's rounding


def test_what_one_process_does_is_refused_in_two(runs):
    folder, *_ = runs
    for command in (["run", folder / "two.yaml"], ["finetune", folder / "two.yaml"]):
        done = torchrun("-m", "pipelines.main", *command, check=False)
        assert done.returncode != 0
        assert f"`rice-ssl {command[0]}` is work for one process, and torchrun started 2" in done.stderr


def test_a_batch_that_they_cannot_share_is_refused(runs):
    folder, *_ = runs
    content = yaml.safe_load((folder / "two.yaml").read_text())
    content["run"] = str(folder / "uneven")
    content["pretrain"] |= {"batch_size": 5, "queue_length": 10}
    (folder / "uneven.yaml").write_text(yaml.safe_dump(content))
    done = torchrun("-m", "pipelines.main", "pretrain", folder / "uneven.yaml", check=False)
    assert done.returncode != 0
    assert "pretrain.batch_size is 5, which 2 processes cannot share evenly" in done.stderr
    assert "take 4" in done.stderr
