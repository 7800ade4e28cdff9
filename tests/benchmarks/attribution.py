"""``make benchmark-attribution``: our one pass beside the raw forward pass, captum and pytorch-grad-cam, in one run.

Same encoder (timm's resnet34d), images (noise of 128 px) and batch (32) for all, on the CPU with 2 threads. Each
contender has a process of its own, and they take turns batch by batch in random order, so that a slow moment of the
machine hits all of them alike; a contender's share of the raw speed is the median over turns of the two batches' ratio.
The same of the cores' time (x raw, CPU) depends less on what else the machine does.

- raw: timm's forward pass to 3 logits, nothing else.
- ours: logits, embedding and Grad-CAM of all 3 classes (:func:`rice_ssl.embeddings.extract.embed_batch`).
- ours, SwAV: projection and prototype logits, too, from the one pass, where SwAV's encoder is the classifier's.
- ours, 3 methods: logits, and Grad-CAM, Grad-CAM++ and LayerCAM of all 3 classes.
- ours, 2 layers: the same of layer3 and layer4.
- captum: its LayerGradCam of one class, and a forward pass for logits and embedding.
- pytorch-grad-cam: GradCAM of one class, as its README has it, without logits and embedding; and, like ours, of all 3
  classes, for which it is called 3 times. It is no dependency: it is installed into a folder of its own, which is
  removed again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import timm
import torch

ENCODER, CLASSES, BATCH, SIDE, THREADS = "resnet34d", 3, 32, 128, 2
WARM = 1
"""Batches before the first turn, besides the one that waits for the start."""
PACKAGES = ("grad-cam==1.5.7", "ttach==0.0.3", "opencv-python-headless")
"""What pytorch-grad-cam needs beside what is installed."""
Contender = Callable[[torch.Tensor], object]


def raw() -> Contender:
    """Forward pass of timm's classifier."""
    network = timm.create_model(ENCODER, pretrained=False, num_classes=CLASSES).eval()
    return torch.no_grad()(network)


def _classifier():
    from rice_ssl.config import EncoderConfig
    from rice_ssl.models.classifier import Classifier
    from rice_ssl.models.encoder import Encoder

    return Classifier(Encoder(EncoderConfig(ENCODER, {}, "avg")), CLASSES).eval()


def ours() -> Contender:
    """What ``rice-ssl embed`` does of a classifier."""
    from rice_ssl.embeddings.extract import Networks, embed_batch

    networks = Networks(classifier=_classifier())
    return lambda images: embed_batch(images, networks)


def ours_swav() -> Contender:
    """The same with SwAV's head and prototypes on the same encoder."""
    from rice_ssl.embeddings.extract import Networks, embed_batch
    from rice_ssl.models.swav import SwAV

    classifier = _classifier()
    swav = SwAV(classifier.encoder, hidden=512, projection=128, prototypes=512).eval()
    return lambda images: embed_batch(images, Networks(swav, classifier))


def ours_layers(*layers: str) -> Contender:
    """CAMs by three methods of some layers."""
    from rice_ssl.attribution.grad_cam import CAM_METHODS
    from rice_ssl.attribution.layers import layer_cams

    network = _classifier()
    methods = tuple(CAM_METHODS)
    return lambda images: layer_cams(network.encoder, images, network.classify, layers=layers, methods=methods)


def captum() -> Contender:
    """Captum's LayerGradCam of one class, which costs a forward pass of its own; another gives logits and embedding."""
    from captum.attr import LayerGradCam

    network = timm.create_model(ENCODER, pretrained=False, num_classes=CLASSES).eval()
    peer = LayerGradCam(network, network.layer4)

    def explain(images: torch.Tensor) -> object:
        cam = peer.attribute(images, target=0, relu_attributions=True)
        with torch.no_grad():
            embedding = network.global_pool(network.forward_features(images))
            return network.fc(embedding), embedding, cam

    return explain


def pytorch_grad_cam(classes: int) -> Contender:
    """GradCAM of one class, or of several one after the other, as its README has it, enlarged to the images' size."""
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    network = timm.create_model(ENCODER, pretrained=False, num_classes=CLASSES).eval()
    peer = GradCAM(model=network, target_layers=[network.layer4])
    targets = [[ClassifierOutputTarget(number)] * BATCH for number in range(classes)]
    return lambda images: [peer(input_tensor=images, targets=own) for own in targets]


CONTENDERS: dict[str, Callable[[], Contender]] = {
    "raw": raw,
    "ours": ours,
    "ours, SwAV": ours_swav,
    "ours, 3 methods": lambda: ours_layers("layer4"),
    "ours, 2 layers": lambda: ours_layers("layer3", "layer4"),
    "captum": captum,
    "pytorch-grad-cam": lambda: pytorch_grad_cam(1),
    "its 3 classes": lambda: pytorch_grad_cam(CLASSES),
}
PEERS = {"pytorch-grad-cam", "its 3 classes"}
"""The contenders that need pytorch-grad-cam."""


def work(name: str) -> None:
    """Explain a batch for each line that comes in; tell its seconds, those of the cores, and the peak memory in GiB."""
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    explain, images = CONTENDERS[name](), torch.randn(BATCH, 3, SIDE, SIDE)
    for _ in range(WARM):
        explain(images)
    for _ in sys.stdin:
        begun, spent = time.perf_counter(), time.process_time()
        explain(images)
        seconds, spent = time.perf_counter() - begun, time.process_time() - spent
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps({"seconds": seconds, "cpu": spent, "memory": peak}), flush=True)


class Worker:
    """A contender's process."""

    def __init__(self, name: str, path: str) -> None:
        environment = {**os.environ, "PYTHONPATH": path, "OMP_WAIT_POLICY": "passive"}  # who waits burns no core
        command = [sys.executable, "-m", "tests.benchmarks.attribution", "--only", name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.turn()  # it has started, and is warm, before the next one starts

    def turn(self) -> dict[str, float]:
        """One batch."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def install(folder: str) -> bool:
    """Whether pytorch-grad-cam could be put into a folder."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        print(f"pytorch-grad-cam is left out, as it could not be installed: {said[0]}")
    return done.returncode == 0


def main() -> None:
    """Run the contenders in turns and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=21)
    parser.add_argument("--among", nargs="+", choices=CONTENDERS, default=[*CONTENDERS], help="raw and ours included")
    parser.add_argument("--only", choices=CONTENDERS)
    given = parser.parse_args()
    if given.only:
        work(given.only)
        return
    with tempfile.TemporaryDirectory() as folder:
        names = list(given.among)
        if PEERS & set(names) and not install(folder):
            names = [name for name in names if name not in PEERS]
        path = os.pathsep.join(part for part in (os.environ.get("PYTHONPATH"), folder) if part)
        workers = {name: Worker(name, path) for name in names}
        told = []
        for turn in range(given.turns):
            order = random.Random(turn).sample(names, len(names))  # who comes after whom makes a difference
            seen = {name: workers[name].turn() for name in order}
            told.append({name: seen[name] for name in names})
            each = ", ".join(f"{name} {1000 * one['seconds']:.0f}" for name, one in told[-1].items())
            print(f"ms a batch: {each}", file=sys.stderr, flush=True)
        for worker in workers.values():
            worker.close()
    print(f"{ENCODER}, {SIDE} px, batch {BATCH}, {THREADS} threads, torch {torch.__version__}; {given.turns} turns")
    print(f"{'':18}{'images/s':>10}{'x raw':>8}{'middle half':>14}{'x raw, CPU':>12}{'peak GiB':>10}")
    for name in names:
        share, low, high = quartiles([turn["raw"]["seconds"] / turn[name]["seconds"] for turn in told])
        cpu, _, _ = quartiles([turn["raw"]["cpu"] / turn[name]["cpu"] for turn in told])
        speed = statistics.median(BATCH / turn[name]["seconds"] for turn in told)
        memory = max(turn[name]["memory"] for turn in told)
        print(f"{name:18}{speed:10.1f}{share:8.2f}{low:8.2f}-{high:.2f} {cpu:12.2f}{memory:10.2f}")
    for peer in names:
        if peer in PEERS:
            ratio, low, high = quartiles([turn[peer]["seconds"] / turn["ours"]["seconds"] for turn in told])
            print(f"ours is {ratio:.2f} times as fast as {peer} (middle half of the turns {low:.2f}-{high:.2f})")


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """Median, first and third quartile."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, low, high


if __name__ == "__main__":
    main()
