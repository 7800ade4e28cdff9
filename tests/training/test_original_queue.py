"""The original's "saddle point" on a small scale: the loss falls where its queue is switched on, and moves with it."""

import numpy as np
import pytest
import torch

from rice_ssl.artifacts import RunStore
from rice_ssl.config import EncoderConfig, PretrainConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.dynamics.run_log import analyse_run_log
from rice_ssl.sensors import RGB
from rice_ssl.training.batches import LabelledRows, Pictures
from rice_ssl.training.pretrain import PretrainData, Pretraining

STEPS = 160
SETTINGS = {
    "views": "rgb-only",
    "epochs": 40,
    "batch_size": 16,
    "global_size": 32,
    "local_crops": 0,
    "global_scale": (0.6, 1.0),
    "rotation": 0.0,
    "jitter": 0.1,
    "blur": 0.0,
    "hidden": 32,
    "projection": 32,
    "prototypes": 1024,
    "epsilon": 0.02,
    "queue": "original",
    "queue_length": 512,
    "lr": 2e-3,
    "log_every": 1,
    "checkpoint_every": 1000,
    "accelerator": "cpu",
}
"""Far fewer images in a batch than prototypes, as in the original: codes of 16 leave most of 1,024 prototypes out."""


def patches():
    """64 patches of 32 px, each a pattern of its own."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (64, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2)
    images = (0.8 * base + rng.integers(0, 50, base.shape)).astype(np.uint8)
    rows = np.arange(64)[:, None]
    pictures = Pictures(ImageCache(images, {}), ["rgb"] * 64, (RGB,), torch.device("cpu"))
    train, nobody = (LabelledRows(rows[:count], np.full(count, -1)) for count in (64, 0))
    return PretrainData(pictures, train, nobody, ("rgb",), (32, 32))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run for each share of the steps after which the queue is used."""
    found = {}
    for start in (0.25, 0.5, 0.75):
        store = RunStore(tmp_path_factory.mktemp("original") / "run")
        store.create({"name": "original"})
        config = PretrainConfig(queue_start=start, **SETTINGS)
        encoder = EncoderConfig("resnet10t", {"channels": [8, 8, 16, 16]})
        assert Pretraining(store, patches(), encoder, config, seed=0).run(show=False).steps == STEPS
        found[start] = store
    return found


def curves(store):
    table = store.read_table("metrics")
    return table[table["split"] == "train"].pivot_table(index="step", columns="name", values="value")


@pytest.mark.parametrize("start", [0.25, 0.5, 0.75])
def test_the_entropy_of_the_codes_drops_at_the_switch_wherever_that_is(runs, start):
    store, step = runs[start], int(start * STEPS)
    assert [e["step"] for e in store.events() if e["kind"] == "queue_start"] == [step]
    found = analyse_run_log(
        store.read_table("metrics"), store.events(), stage="pretrain", metric="code_entropy", bootstrap=100
    )
    largest = max(found.drops, key=lambda one: one.drop.size)
    assert abs(largest.drop.step - step) <= 2
    assert [event.kind for event in largest.events] == ["queue_start"]
    assert largest.drop.size > 0.5


@pytest.mark.parametrize("start", [0.25, 0.5, 0.75])
def test_the_loss_falls_by_the_switch_and_the_reference_loss_does_not(runs, start):
    """Of the same batches with the same weights: the loss with the queue lies below the one without from the start."""
    found, step = curves(runs[start]), int(start * STEPS)
    before, after = found.loc[step - 10 : step - 1], found.loc[step : step + 9]
    assert found["reference_loss"].first_valid_index() == step
    by_switch = float((after["loss"] - after["reference_loss"]).mean())
    learned = float(after["reference_loss"].mean() - before["loss"].mean())
    assert by_switch < -0.15
    assert by_switch < 1.5 * -abs(learned)  # most of what the loss did there is the switch
    assert float(after["code_entropy"].mean() - before["code_entropy"].mean()) < -0.5
