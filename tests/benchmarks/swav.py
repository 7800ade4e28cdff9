"""``make benchmark-swav``: our pretraining step beside its floor and lightly's documented SwAV loop, in one run.

Same encoder (timm's resnet10t), crops (2 of 96 px, 4 of 64 px), batch of 32 and images (512 JPEG files of 160 px) for
all. Each contender runs in a process of its own, in turns, so that a slow minute of the machine hits all of them.

- floor: forward and backward of the bare encoder on ready-made crops, nothing else.
- ours: the whole loop of :class:`rice_ssl.training.pretrain.Pretraining`, crops, loss, queue, optimiser and log.
- lightly: the loop of its SwAV tutorial, images read and cut by its transform in a DataLoader with two workers.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image, ImageFilter
from torch import nn

ENCODER, CHANNELS = "resnet10t", 512
BATCH, IMAGES, SIDE, PROTOTYPES, QUEUE = 32, 512, 160, 64, 128
GLOBAL, LOCAL, LOCAL_CROPS = 96, 64, 4
WARM = 3
"""Steps before the clock starts."""


def write_images(folder: Path) -> None:
    """Blurred noise as JPEG files."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(IMAGES):
        noise = Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8))
        noise.filter(ImageFilter.GaussianBlur(3)).save(folder / f"{number:04d}.jpg", quality=90)


def network() -> nn.Module:
    """The bare encoder, pooled to an embedding of 512."""
    torch.manual_seed(0)
    return timm.create_model(ENCODER, pretrained=False, num_classes=0).to(memory_format=torch.channels_last)


def floor(folder: Path, steps: int) -> dict[str, float]:
    """Forward and backward of the bare encoder."""
    encoder = network().train()
    crops = [torch.randn(2 * BATCH, 3, GLOBAL, GLOBAL), torch.randn(LOCAL_CROPS * BATCH, 3, LOCAL, LOCAL)]
    times = []
    for _ in range(WARM + steps):
        begun = time.perf_counter()
        encoder.zero_grad()
        torch.cat([encoder(batch) for batch in crops]).mean().backward()
        times.append(time.perf_counter() - begun)
    return {"step": statistics.median(times[WARM:]), "wait": 0.0}


def ours(folder: Path, steps: int) -> dict[str, float]:
    """Our loop as ``rice-ssl pretrain`` runs it."""
    from rice_ssl.artifacts import RunStore
    from rice_ssl.config import EncoderConfig, PretrainConfig
    from rice_ssl.data.loading import ImageCache
    from rice_ssl.sensors import RGB
    from rice_ssl.training.batches import LabelledRows, Pictures
    from rice_ssl.training.pretrain import PretrainData, Pretraining

    files = sorted(folder.glob("*.jpg"))
    images = np.stack([np.asarray(Image.open(file)) for file in files])  # decoded once, as the image cache has them
    pictures = Pictures(ImageCache(images, {}), ["rgb"] * len(files), (RGB,), torch.device("cpu"))
    rows = np.arange(len(files))[:, None]
    nobody = LabelledRows(rows[:0], np.zeros(0, dtype=np.int64))
    config = PretrainConfig(
        views="rgb-only",
        epochs=1000,
        batch_size=BATCH,
        global_size=GLOBAL,
        local_size=LOCAL,
        local_crops=LOCAL_CROPS // 2,
        prototypes=PROTOTYPES,
        queue_length=QUEUE,
        queue_start=0.0,
        checkpoint_every=10**6,
        accelerator="cpu",
    )
    encoder = EncoderConfig(ENCODER, {}, "avg")
    with tempfile.TemporaryDirectory() as run:
        data = PretrainData(pictures, LabelledRows(rows, np.full(len(files), -1)), nobody, ("rgb",), (SIDE, SIDE))
        training = Pretraining(RunStore(Path(run)), data, encoder, config, seed=0)
        ahead = training._ahead()
        times, before = [], 0.0
        for number in range(WARM + steps):
            if number == WARM:
                before = training._waited
            begun = time.perf_counter()
            training._step(ahead)
            times.append(time.perf_counter() - begun)
        ahead.close()
    kept = times[WARM:]
    return {"step": statistics.median(kept), "wait": (training._waited - before) / sum(kept)}


def lightly(folder: Path, steps: int) -> dict[str, float]:
    """The loop of lightly's SwAV tutorial, with a queue, on the same encoder."""
    from lightly.data import LightlyDataset
    from lightly.loss import SwaVLoss
    from lightly.loss.memory_bank import MemoryBankModule
    from lightly.models.modules import SwaVProjectionHead, SwaVPrototypes
    from lightly.transforms.swav_transform import SwaVTransform

    transform = SwaVTransform(crop_sizes=(GLOBAL, LOCAL), crop_counts=(2, LOCAL_CROPS))
    loader = torch.utils.data.DataLoader(
        LightlyDataset(str(folder), transform=transform), batch_size=BATCH, shuffle=True, drop_last=True, num_workers=2
    )
    encoder = network().train()
    head, prototypes = SwaVProjectionHead(CHANNELS, CHANNELS, 128), SwaVPrototypes(128, PROTOTYPES, 0)
    queues = nn.ModuleList([MemoryBankModule(size=(QUEUE, 128)) for _ in range(2)])
    criterion = SwaVLoss()
    modules = nn.ModuleList([encoder, head, prototypes])
    optimizer = torch.optim.Adam(modules.parameters(), lr=0.001)
    times, waits, done = [], [], 0
    while done < WARM + steps:
        begun = time.perf_counter()
        for views, _, _ in loader:
            waits.append(time.perf_counter() - begun)
            prototypes.normalize()
            features = [nn.functional.normalize(head(encoder(view).flatten(start_dim=1)), dim=1) for view in views]
            high, low = features[:2], features[2:]
            with torch.no_grad():
                kept = [queue(view.detach(), update=True)[1] for queue, view in zip(queues, high, strict=True)]
                queued = [prototypes(bank.permute(1, 0).clone().detach()) for bank in kept]
            loss = criterion([prototypes(f) for f in high], [prototypes(f) for f in low], queued)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            times.append(time.perf_counter() - begun)
            done += 1
            if done == WARM + steps:
                break
            begun = time.perf_counter()
    kept_times = times[WARM:]
    return {"step": statistics.median(kept_times), "wait": sum(waits[WARM:]) / sum(kept_times)}


CONTENDERS = {"floor": floor, "ours": ours, "lightly": lightly}


def main() -> None:
    """Run the contenders in turns and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=CONTENDERS)
    parser.add_argument("--images", type=Path)
    given = parser.parse_args()
    if given.only:
        found = CONTENDERS[given.only](given.images, given.steps)
        found["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "images")
        told: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(given.rounds):
            for name in CONTENDERS:
                command = [sys.executable, "-m", "tests.benchmarks.swav", "--only", name]
                command += ["--images", f"{folder}/images", "--steps", str(given.steps)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                told[name].append(json.loads(done.stdout.splitlines()[-1]))
    base = statistics.median(one["step"] for one in told["floor"])
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; median of {given.rounds} rounds")
    print(f"{'':10}{'ms a step':>11}{'images/s':>10}{'x floor':>9}{'waiting':>9}{'peak GiB':>10}   ms, by round")
    for name, rounds in told.items():
        step, wait, memory = (statistics.median(one[key] for one in rounds) for key in ("step", "wait", "memory"))
        figures = f"{1000 * step:11.0f}{BATCH / step:10.0f}{step / base:9.2f}{100 * wait:8.1f}%{memory:10.2f}"
        each = ", ".join(f"{1000 * one['step']:.0f}" for one in rounds)
        print(f"{name:10}{figures}   {each}")


if __name__ == "__main__":
    main()
