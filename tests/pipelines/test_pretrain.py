"""``rice-ssl pretrain`` on 16 drawn pairs: exact files, summary, stop and resume."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipelines.pretrain import run_pretrain
from rice_ssl.artifacts import TABLES, RunStore, sha256_file
from rice_ssl.run_config import parse_config
from rice_ssl.sensors import RGB, RGNIR

TIMING = ["images_per_second", "data_wait"]


def begin(folder, name, missing=(), **changes):
    """A run directory of 16 pairs of 24x24 px, 12 to train on; ``missing`` images have a row, and no file."""
    store, images = RunStore(folder / name), folder / "images"
    images.mkdir(exist_ok=True)
    rng, rows = np.random.default_rng(0), []
    for pair in range(16):
        for sensor in (RGB, RGNIR):
            path = images / sensor.pattern.format(id=f"id_{pair}")
            Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
            split = "train" if pair < 12 else "val"
            rows.append((f"id_{pair}", sensor.name, path.name, None, split, 0, "", 24, 24, sha256_file(path)))
            if (pair, sensor.name) in missing:
                path.unlink()
    table = pd.DataFrame(rows, columns=list(TABLES["manifest"].columns))
    sensors = [asdict(sensor) for sensor in (RGB, RGNIR)]
    store.create({"data_root": str(images), "sensors": sensors, "classes": ["a", "b"]})
    store.write_table("manifest", table)
    pretrain = {
        "epochs": 2,
        "batch_size": 4,
        "global_size": 24,
        "local_size": 16,
        "local_crops": 1,
        "hidden": 8,
        "projection": 4,
        "prototypes": 6,
        "queue_length": 4,
        "log_every": 1,
        "accelerator": "cpu",
        **changes,
    }
    content = {
        "name": name,
        "run": str(store.root),
        "data": {"root": str(images), "image_size": [24, 24]},
        "encoder": {"name": "resnet10t", "options": {"channels": [8, 8, 8, 8]}},
        "pretrain": pretrain,
    }
    return store, parse_config(content, "test")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pretrain")
    store, config = begin(folder, "whole")
    return folder, store, run_pretrain(store, config, progress=False)


def table(store):
    metrics = store.read_table("metrics")
    return metrics[~metrics["name"].isin(TIMING)].reset_index(drop=True)


def test_it_adds_exactly_these_files(whole):
    _, store, _ = whole
    files = {p.relative_to(store.root).as_posix() for p in store.root.rglob("*") if p.is_file()}
    assert {f for f in files if not f.startswith("cache/")} == {
        "run.json",
        "manifest.parquet",
        "metrics.parquet",
        "events.jsonl",
        "weights/swav.safetensors",
        "checkpoints/pretrain/last.pt",
    }
    assert "weights/swav.safetensors" in store.info()["hashes"]


def test_summary_is_plain_and_readable(whole):
    _, store, summary = whole
    assert (summary.step, summary.steps, summary.finished) == (6, 6, True)
    losses = table(store).query("split == 'train' and name == 'loss'")["value"].tolist()
    assert (summary.first_loss, summary.last_loss) == (losses[0], losses[-1])
    assert summary.text().startswith("done; views paired-augmented; loss ")
    assert f"validation {summary.val_loss:.3f} nats" in summary.text()


def test_stopped_by_the_clock_it_says_so_and_resumes_to_the_same_metrics(whole):
    folder, store, _ = whole
    other, config = begin(folder, "stopped")
    stopped = run_pretrain(other, config, progress=False, max_minutes=0)
    assert (stopped.step, stopped.finished) == (1, False)
    assert "stopped at step 1 of 6, the same command resumes" in stopped.text()
    assert not other.weights_path("swav").exists()
    assert run_pretrain(other, config, progress=False).finished
    pd.testing.assert_frame_equal(table(other), table(store), check_exact=True)
    assert [e["kind"] for e in other.events() if e["kind"] == "resume"] == ["resume"]


def test_images_that_cannot_be_read_do_not_stop_it(tmp_path):
    """A pair without its RGNIR file is trained on with RGB; a pair without any file is left out."""
    missing = [(0, "rgnir"), (1, "rgb"), (1, "rgnir")]
    store, config = begin(tmp_path, "run", missing, batch_size=11, queue_length=0)
    summary = run_pretrain(store, config, progress=False)
    assert (summary.finished, summary.steps) == (True, 2)  # 11 pairs are left: one step an epoch
