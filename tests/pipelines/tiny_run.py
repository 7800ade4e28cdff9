"""A run that takes seconds: its settings, its files, and the command line."""

import contextlib
import io
import os
import subprocess
import sys
import warnings
from pathlib import Path
from unittest import mock

from pipelines.main import main

ROOT = Path(__file__).parent.parent.parent
STAGES = [
    "import", "pretrain", "finetune", "cross-validate", "embed", "map", "evaluate", "channels", "attribution",
    "dynamics", "submit", "card",
]  # fmt: skip
FILES = {
    "run.json",
    "manifest.parquet",
    "findings.parquet",
    "events.jsonl",
    "metrics.parquet",
    "weights/swav.safetensors",
    "weights/classifier.safetensors",
    "predictions.parquet",
    "embeddings.parquet",
    "prototypes.parquet",
    "cams/index.parquet",
    "cams/cams.npy",
    "thumbnails/images.parquet",
    "map.parquet",
    "map.json",
    "neighbourhoods.parquet",
    "report.json",
    "dynamics.json",
    "submission.csv",
    "cross_validation.parquet",
    "channels.parquet",
    "channels.json",
    "attribution.json",
    "attribution/index.parquet",
    "attribution/trust.parquet",
    "attribution/localisation.parquet",
    "attribution/agreement.parquet",
    "attribution/bands.parquet",
    *(
        f"attribution/{method}.{layer}.npy"
        for method in ("grad_cam", "grad_cam_plus_plus", "layer_cam")
        for layer in ("layer3", "layer4")
    ),
    "attribution/integrated_gradients.input.npy",
    "attribution/occlusion.input.npy",
    "attribution/prototype.npy",
    "attribution/similarity.npy",
    "card.md",
    "card.html",
}


def settings(folder: Path, **changes):
    return {
        "name": "tiny",
        "run": str(folder / "run"),
        "seed": 3,
        "data": {
            "root": str(folder / "images"),
            "test_labels": str(folder / "images" / "test_labels.csv"),
            "image_size": [32, 40],
            "simulate": {"pairs": 24, "test_fraction": 0.25, "seed": 5},
        },
        "encoder": {"name": "resnet10t", "options": {"channels": [8, 8, 8, 16]}, "pooling": "concat"},
        "pretrain": {
            "epochs": 4,
            "batch_size": 6,
            "global_size": 32,
            "local_size": 16,
            "local_crops": 1,
            "hidden": 16,
            "projection": 8,
            "prototypes": 6,
            "queue_length": 12,
            "log_every": 1,
            "checkpoint_every": 1,
        },
        "finetune": {"epochs": 2, "batch_size": 6, "log_every": 1, "checkpoint_every": 1},
        "cross_validation": {"views": 2},
        "map": {"methods": ["pca"], "prototype_clusters": 2},
        "evaluate": {"bootstrap": 100},
        "attribution": {
            "pairs": 4,
            "steps": 2,
            "road_images": 1,
            "randomised_images": 2,
            "integration_steps": 2,
            "bootstrap": 100,
        },
        "dynamics": {"bootstrap": 100},
        **changes,
    }


def rice_ssl(*arguments, check=True, cwd=None):
    """Do a command, in this process: in one of its own, loading PyTorch takes longer than most of them."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        contextlib.chdir(cwd or "."),
        warnings.catch_warnings(),
        mock.patch.object(sys, "argv", ["rice-ssl", *map(str, arguments)]),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    assert not check or code == 0, err.getvalue()[-3000:]
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def begun(*arguments, **options):
    """The same in a process of its own, to be killed, or to find a run locked."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipelines.main", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, **options)


def files_of(folder: Path) -> set[str]:
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return {f for f in found if not f.startswith(("cache/", "checkpoints/"))}
