"""A run whose networks have random weights, embedded by the pipeline: made in seconds, without training."""

from __future__ import annotations

from pathlib import Path

import torch

from pipelines.embed import run_embed
from pipelines.prepare import begin_run, import_data
from rice_ssl.artifacts import RunStore
from rice_ssl.models.classifier import build_classifier
from rice_ssl.models.weights import save_weights
from rice_ssl.run_config import parse_config
from rice_ssl.training.pretrain import build_swav
from tests.data.fake_images import write_zindi

SIZE = (32, 40)


def settings(folder: Path, **changes) -> dict:
    return {
        "name": "upload",
        "run": str(folder / "run"),
        "seed": 0,
        "data": {"root": str(folder / "images"), "image_size": list(SIZE)},
        "encoder": {"name": "resnet10t", "options": {"channels": [8, 8, 8, 16]}, "pooling": "avg"},
        "pretrain": {"hidden": 16, "projection": 8, "prototypes": 6, "batch_size": 4, "global_size": 32},
        **changes,
    }


def write_network_run(
    folder: Path, *, pairs: int = 60, weights: tuple[str, ...] = ("swav", "classifier"), **changes
) -> RunStore:
    """Images under ``folder / "images"`` and a run of them under ``folder / "run"``.

    Args:
        folder: for both.
        pairs: labelled; four more have no label.
        weights: networks that there are.
        changes: of the settings.
    """
    if not (folder / "images").is_dir():
        write_zindi(folder / "images", train=pairs)
    config = parse_config(settings(folder, **changes), "test")
    store = RunStore(Path(config.run))
    manifest = import_data(config.data, progress=False)
    begin_run(store, config, manifest)
    torch.manual_seed(0)
    networks = {
        "swav": lambda: build_swav(config.encoder, config.pretrain),
        "classifier": lambda: build_classifier(
            config.encoder, config.finetune, len(manifest.classes), [sensor.name for sensor in manifest.sensors]
        ),
    }
    for name in weights:
        path = store.weights_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        network = networks[name]()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):  # as if it had seen data
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 2)
        save_weights(network, path)
        store.note_hash(f"weights/{name}.safetensors")
    if weights:
        run_embed(store, config, progress=False)
    return store
