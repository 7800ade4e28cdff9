"""How far colour alone gets: ``python -m rice_ssl.data.simulate.difficulty DIR``.

A simulated set is too easy if a classifier that sees no shape does well on it. This one sees colours only.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from rice_ssl.data.simulate.dataset import MARKER
from rice_ssl.data.simulate.files import IMAGES
from rice_ssl.data.simulate.pair import SENSORS, SUFFIXES
from rice_ssl.errors import InputError

HISTOGRAMS: Final = ("joint", "marginal")


@dataclass(frozen=True)
class HistogramAccuracy:
    """Test accuracy of one sensor's colour histograms, with a 95 % bootstrap interval over test pairs."""

    sensor: str
    histogram: str
    accuracy: float
    low: float
    high: float


def colour_histogram(image: NDArray[np.uint8], kind: str) -> NDArray[np.float64]:
    """Count colours, whatever their place.

    Args:
        image: shape (h, w, 3), uint8.
        kind: ``joint`` (8 x 8 x 8 cells, 512 values) or ``marginal`` (32 cells a band, 96 values).

    Returns:
        Square roots of the shares, 1-D: of unit length for ``joint``, of length sqrt(3) for ``marginal``.

    Raises:
        InputError: an unknown kind.
    """
    pixels = image.reshape(-1, 3).astype(np.int64)
    if kind == "joint":
        cells = (pixels[:, 0] // 32) * 64 + (pixels[:, 1] // 32) * 8 + pixels[:, 2] // 32
        counts = np.bincount(cells, minlength=512)
    elif kind == "marginal":
        counts = np.concatenate([np.bincount(pixels[:, band] // 8, minlength=32) for band in range(3)])
    else:
        raise InputError(f"histogram is {kind!r}; give one of {', '.join(HISTOGRAMS)}.")
    shares: NDArray[np.float64] = np.sqrt(counts / len(pixels))
    return shares


def _labels(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Labels of the train and of the test pairs, by pair."""
    with (folder / "Train.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    train = {line["Image_id"].removesuffix(".jpg").removesuffix("_rgn"): line["Label"] for line in lines}
    with (folder / "test_labels.csv").open(newline="", encoding="utf-8") as stream:
        test = {row["pair_id"]: row["label"] for row in csv.DictReader(stream)}
    return train, test


def histogram_accuracies(folder: Path, *, seed: int = 0, resamples: int = 2000) -> list[HistogramAccuracy]:
    """Fit logistic regression on the training pairs' colour histograms and score it on the test pairs.

    Args:
        folder: a finished simulated data set.
        seed: seed of folds and bootstrap.
        resamples: bootstrap resamples of the test pairs.

    Returns:
        One result per sensor and kind of histogram. The penalty is chosen by 5-fold cross-validation on training pairs.

    Raises:
        InputError: the folder holds no simulated data set, or no test pair.
    """
    if not (folder / MARKER).exists():
        raise InputError(f"{folder} holds no {MARKER}; make a data set with: rice-ssl simulate {folder}")
    train, test = _labels(folder)
    if not test:
        raise InputError(f"{folder} has no test pair; simulate with a test_fraction above 0.")
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    results: list[HistogramAccuracy] = []
    for sensor in SENSORS:
        pictures = {
            pair: np.asarray(Image.open(folder / IMAGES / f"{pair}{SUFFIXES[sensor]}.jpg")) for pair in (*train, *test)
        }
        for kind in HISTOGRAMS:
            features = {pair: colour_histogram(picture, kind) for pair, picture in pictures.items()}
            model = LogisticRegressionCV(
                Cs=np.logspace(-1, 4, 6),
                cv=folds,
                max_iter=2000,
                l1_ratios=(0.0,),
                use_legacy_attributes=False,
                scoring="accuracy",
            )
            model.fit(np.stack([features[pair] for pair in train]), list(train.values()))
            right = model.predict(np.stack([features[pair] for pair in test])) == np.asarray(list(test.values()))
            draws = np.random.default_rng(seed).integers(0, len(right), (resamples, len(right)))
            low, high = np.quantile(right[draws].mean(axis=1), (0.025, 0.975))
            results.append(HistogramAccuracy(sensor, kind, float(right.mean()), float(low), float(high)))
    return results


def report(folder: Path) -> str:
    """Measure a folder and tell it: one line per sensor and kind of histogram."""
    _, test = _labels(folder)
    counts = {label: list(test.values()).count(label) for label in sorted(set(test.values()))}
    lines = [
        f"{len(test)} test pairs; always {max(counts, key=lambda label: counts[label])}: "
        f"{max(counts.values()) / len(test):.3f}"
    ]
    lines += [
        f"{result.sensor:6s} {result.histogram:9s} {result.accuracy:.3f} [{result.low:.3f}, {result.high:.3f}]"
        for result in histogram_accuracies(folder)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        print(report(Path(sys.argv[1])))
    except IndexError:
        sys.exit("usage: python -m rice_ssl.data.simulate.difficulty DIR")
    except InputError as error:
        sys.exit(str(error))
