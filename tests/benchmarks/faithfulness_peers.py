"""``python -m tests.benchmarks.faithfulness_peers``: our measures of trust beside Quantus' and pytorch-grad-cam's.

Both are installed into a temporary folder, without what they depend on and this environment has. The same network,
simulated leaves and maps go to all; the table gives the largest difference of each measure, and the exit status is 1
where one is larger than is allowed. Where definitions differ, what is the same is compared:

- Equal pixels: they are ordered by their place or removed all at once, ours in a drawn order. The maps here have none.
- Quantus' PixelFlipping removes numbers, not pixels, and its curve starts after the first step. It is given steps of
  whole pixels (a pixel's three numbers are equally relevant) and the area is taken with the whole picture in front. Its
  baseline is one number for all; pictures of their own are put in by a function that it calls.
- It has no insertion; that is the same from the baseline to the picture.
- pytorch-grad-cam's ROADCombined is half of ours; noise is drawn by each, so that it is compared without noise too.
- Quantus' PointingGame takes any of several highest pixels, ours their share. Its maps have the mask's size.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from rice_ssl.attribution.faithfulness import deletion_insertion, road
from rice_ssl.attribution.grad_cam import grad_cam
from rice_ssl.attribution.removal import blurred, inpainted
from rice_ssl.data.simulate.pair import draw_pair, plan_pair
from rice_ssl.evaluation.localisation import mass, pointing, rank

PEERS = ("grad-cam==1.5.7", "quantus==0.6.0")
NEEDED = ("opencv-python-headless", "scikit-image", "cachetools", "ttach", "lazy_loader", "imageio", "tifffile")
SIZE, LEAVES = (60, 80), 6
STEPS = 12
"""Quantus wants the numbers in a step to divide the pixels of a band: a multiple of 3 steps."""
FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
NOISE = 0.01
"""pytorch-grad-cam's, which its classes do not let one choose."""
Row = tuple[str, str, Any, float, float]
"""Measure, peer, our values, largest difference, difference that is allowed."""


def install(folder: str) -> None:
    """Put the peers into a folder, which comes after this environment in the search for modules."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, *PEERS, *NEEDED]
    subprocess.run(command, check=True)
    sys.path.append(folder)


class Toy(nn.Module):
    """A small network with random weights, and answers that are neither sure nor all alike."""

    def __init__(self) -> None:
        """Seeded."""
        super().__init__()
        torch.manual_seed(3)
        layers = [nn.Conv2d(3, 16, 5, 2, 2), nn.ReLU(), nn.Conv2d(16, 32, 5, 4, 2), nn.ReLU()]
        self.features, self.head = nn.Sequential(*layers), nn.Linear(32, 3)

    def classify(self, features: Tensor) -> Tensor:
        """Logits of a feature map."""
        logits: Tensor = 20 * self.head(features.mean(dim=(2, 3)))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Logits of pictures."""
        return self.classify(self.features(images))


def leaves() -> tuple[Tensor, Tensor]:
    """Simulated leaves with lesions, shape (N, 3, H, W), and their masks, shape (N, H, W)."""
    plans = [plan for plan in (plan_pair(0, index, 0.25) for index in range(60)) if plan.label != "healthy"]
    images, masks = [], []
    for number, plan in enumerate(plans[:LEAVES]):
        drawn = draw_pair(0, plan)[0][("rgb", "rgnir")[number % 2]]
        lesion = Image.fromarray(drawn.lesion.astype(np.uint8) * 255)
        small = [one.resize(SIZE[::-1], Image.Resampling.BOX) for one in (Image.fromarray(drawn.image), lesion)]
        images.append(torch.from_numpy(np.array(small[0], dtype=np.float32)).permute(2, 0, 1) / 64 - 2)
        masks.append(torch.from_numpy(np.array(small[1]) > 127))
    return torch.stack(images), torch.stack(masks)


def distinct(maps: Tensor) -> Tensor:
    """The order of each map's pixels as values in (0, 1], so that none are equal; equal ones in a drawn order."""
    flat = maps.flatten(2)
    drawn = torch.randperm(flat.shape[2], generator=torch.Generator().manual_seed(0))
    order = drawn[flat[..., drawn].argsort(dim=2, stable=True)]
    steps = torch.arange(1, flat.shape[2] + 1, dtype=torch.float32) / flat.shape[2]
    return torch.zeros_like(flat).scatter_(2, order, steps.expand_as(flat)).view(maps.shape)


def largest(ours: Any, theirs: Any) -> float:
    """Largest absolute difference."""
    return float(np.abs(np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)).max())


def flipped(network: nn.Module, start: Tensor, end: Tensor | float, maps: Tensor, classes: Tensor) -> np.ndarray:
    """Area under Quantus' curve from one picture to another, shape (B,)."""
    import quantus

    def put(arr: np.ndarray, indices: np.ndarray, **_: Any) -> np.ndarray:
        found = arr.copy()
        found[np.arange(len(arr))[:, None], indices] = np.take_along_axis(target, indices, axis=1)
        return found

    settings: dict[str, Any] = {"perturb_baseline": end} if isinstance(end, float) else {"perturb_func": put}
    target = np.zeros(0) if isinstance(end, float) else end.flatten(1).numpy()
    flipping = quantus.PixelFlipping(
        features_in_step=start[0].numel() // STEPS,
        abs=False,
        normalise=False,
        disable_warnings=True,
        display_progressbar=False,
        **settings,
    )
    curve = flipping(
        network, x_batch=start.numpy(), y_batch=classes.numpy(), a_batch=maps[:, None].numpy(), device="cpu"
    )
    with torch.no_grad():
        first = network(start).softmax(dim=1).gather(1, classes[:, None]).numpy()
    whole = np.concatenate([first, np.asarray(curve)], axis=1)
    return np.asarray(whole.sum(axis=1) - (whole[:, 0] + whole[:, -1]) / 2) / STEPS


def quantus_rows(network: nn.Module, images: Tensor, masks: Tensor, maps: Tensor, classes: Tensor) -> Iterator[Row]:
    """Deletion, insertion and localisation beside Quantus."""
    import quantus

    several = range(maps.shape[1])
    baselines, flat = blurred(images, 16.0), torch.full_like(images, 0.25)
    deletion, insertion = deletion_insertion(network, images, baselines, maps, classes, steps=STEPS)
    constant, _ = deletion_insertion(network, images, flat, maps, classes, steps=STEPS)
    found = [flipped(network, images, 0.25, maps[:, m], classes) for m in several]
    yield "deletion to one number", "Quantus PixelFlipping", constant, largest(constant.T, found), 1e-5
    found = [flipped(network, images, baselines, maps[:, m], classes) for m in several]
    yield "deletion to a blur", "Quantus PixelFlipping", deletion, largest(deletion.T, found), 1e-5
    found = [flipped(network, baselines, images, maps[:, m], classes) for m in several]
    yield "insertion into a blur", "Quantus PixelFlipping, reversed", insertion, largest(insertion.T, found), 1e-5
    measures: list[tuple[str, Callable[[Any, Any], float], Any]] = [
        ("pointing", pointing, quantus.PointingGame),
        ("mass", mass, quantus.RelevanceMassAccuracy),
        ("rank", rank, quantus.RelevanceRankAccuracy),
    ]
    for name, ours, theirs in measures:
        measure = theirs(abs=False, normalise=False, disable_warnings=True, display_progressbar=False)
        gaps, values = [], []
        for m in several:
            given = {"x_batch": images.numpy(), "y_batch": classes.numpy(), "s_batch": masks[:, None].numpy()}
            found = measure(network, a_batch=maps[:, m, None].numpy(), device="cpu", **given)
            own = [ours(one.numpy(), mask.numpy()) for one, mask in zip(maps[:, m], masks, strict=True)]
            gaps.append(largest(own, found))
            values += own
        yield name, f"Quantus {theirs.__name__}", values, max(gaps), 1e-5


def road_rows(network: nn.Module, images: Tensor, maps: Tensor, classes: Tensor) -> Iterator[Row]:
    """Inpainting and ROAD beside pytorch-grad-cam."""
    from pytorch_grad_cam.metrics.perturbation_confidence import (
        PerturbationConfidenceMetric,
        RemoveLeastRelevantFirst,
        RemoveMostRelevantFirst,
    )
    from pytorch_grad_cam.metrics.road import NoisyLinearImputer, ROADCombined
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    imputer = NoisyLinearImputer(noise=0)
    gaps, values = [], []
    for image, map_ in zip(images, maps[:, 0], strict=True):
        for fraction in FRACTIONS:
            removed = map_ > 1 - fraction
            filled = inpainted(image[None], removed[None], noise=0)[0]
            gaps.append(largest(filled, imputer(image, (~removed).float())))
            values += [float(filled.min()), float(filled.max())]
    yield "inpainting", "pytorch-grad-cam NoisyLinearImputer", values, max(gaps), 1e-5
    targets = [ClassifierOutputSoftmaxTarget(int(number)) for number in classes]
    percentiles = [round(100 * (1 - fraction)) for fraction in FRACTIONS]

    def left(order: Any, cams: np.ndarray) -> np.ndarray:
        each = [
            PerturbationConfidenceMetric(order(percentile, imputer))(images, cams, targets, network)
            for percentile in percentiles
        ]
        return np.asarray(np.mean(each, axis=0))

    clean = road(network, images, maps, classes, fractions=FRACTIONS, noise=0)
    noisy = road(network, images, maps, classes, fractions=FRACTIONS, noise=NOISE)
    combined, without = [], []
    for m in range(maps.shape[1]):
        cams = maps[:, m].numpy()
        without.append(left(RemoveLeastRelevantFirst, cams) - left(RemoveMostRelevantFirst, cams))
        combined.append(2 * ROADCombined(percentiles=percentiles)(images, cams, targets, network))
    yield "ROAD without noise", "pytorch-grad-cam ROAD least - most", clean, largest(clean.T, without), 1e-5
    yield "ROAD, each with its noise", "pytorch-grad-cam 2 x ROADCombined", noisy, largest(noisy.T, combined), 5e-3


def main() -> int:
    """Print the table; 1 where a difference is larger than is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="folder that has the peers already; else they are installed into a new one")
    given = parser.parse_args().peers
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        if given:
            sys.path.append(given)
        else:
            install(folder)
        warnings.filterwarnings("ignore")
        network = Toy().eval()
        images, masks = leaves()
        with torch.no_grad():
            logits, cams = grad_cam(network.features(images), network.classify)
        classes = logits.argmax(dim=1)
        cam = nn.functional.interpolate(cams, size=SIZE, mode="bilinear")[torch.arange(len(images)), classes]
        noise = torch.rand(len(images), 2, *SIZE)
        maps = distinct(torch.stack([cam, masks + noise[:, 0], noise[:, 1]], dim=1))
        sure = logits.softmax(dim=1).amax(dim=1)
        print(f"{len(images)} simulated leaves of {SIZE[0]} x {SIZE[1]} px; maps: Grad-CAM, lesions, random;", end=" ")
        print(f"probabilities of the class {sure.min():.2f} to {sure.max():.2f}")
        print("| measure | peer | our values | largest difference | allowed |\n|---|---|---|---|---|")
        failed = False
        for rows in (quantus_rows(network, images, masks, maps, classes), road_rows(network, images, maps, classes)):
            for name, peer, values, gap, allowed in rows:
                span = f"{np.min(np.asarray(values)):.2f} to {np.max(np.asarray(values)):.2f}"
                print(f"| {name} | {peer} | {span} | {gap:.1e} | {allowed:.0e} |")
                failed |= not gap <= allowed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
