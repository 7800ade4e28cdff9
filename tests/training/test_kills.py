"""Twenty SIGKILLs at random moments: each is resumed from, and the end is that of a training that nobody disturbed."""

import multiprocessing
import random
import time

import pandas as pd
import torch

from rice_ssl.artifacts import RunStore
from rice_ssl.training.checkpoint import load_checkpoint
from tests.training.test_pretrain import begin, metrics, weights

KILLS = 20
SETTINGS = {"epochs": 60, "checkpoint_every": 4, "knn_every": 7, "queue": "per-view", "keep": "best", "accumulate": 1}
"""180 steps; every checkpoint writes network, optimiser, queue and log anew."""


def train(folder, ready=None):
    """In a process of its own: begin or take up a training, and finish it."""
    torch.set_num_threads(1)
    training = begin(folder, **SETTINGS)
    if ready is not None:
        ready.set()
    training.run(show=False)


def test_twenty_kills_change_nothing(tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.test_pretrain"])
    ready = context.Event()
    whole = context.Process(target=train, args=(tmp_path / "whole", ready))
    whole.start()
    assert ready.wait(120)
    began = time.perf_counter()
    whole.join(120)
    assert whole.exitcode == 0
    work = time.perf_counter() - began

    rng, folder, steps, in_training = random.Random(0), tmp_path / "killed", [], 0
    startup = 0.0
    for number in range(KILLS):
        ready = context.Event()
        process = context.Process(target=train, args=(folder, ready))
        started = time.perf_counter()
        process.start()
        if number % 5 == 4:  # every fifth is killed anywhere, also while it starts; the others while they train
            time.sleep(rng.uniform(0, 1.5 * startup))
        else:
            assert ready.wait(120)
            startup = time.perf_counter() - started
            time.sleep(rng.uniform(0, 1.5 * work / KILLS))
        in_training += ready.is_set()
        process.kill()
        process.join()
        assert process.exitcode in {-9, 0}
        state = load_checkpoint(folder / "checkpoints" / "pretrain")
        for path in (folder / "checkpoints" / "pretrain").glob("*.pt"):
            torch.load(path, map_location="cpu", weights_only=True)  # none is ever unreadable
        steps.append(0 if state is None else state["progress"]["step"])
    assert steps == sorted(steps)
    assert len(set(steps)) >= 6  # most kills came between two checkpoints that differ
    assert in_training >= 12

    last = context.Process(target=train, args=(folder,))
    last.start()
    last.join(120)
    assert last.exitcode == 0
    pd.testing.assert_frame_equal(metrics(folder), metrics(tmp_path / "whole"), check_exact=True)
    one, other = weights(tmp_path / "whole"), weights(folder)
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key
    kept = [[e for e in RunStore(f).events() if e["kind"] != "resume"] for f in (folder, tmp_path / "whole")]
    assert kept[0] == kept[1]
    assert [p.name for p in folder.rglob("*.part")] == []
