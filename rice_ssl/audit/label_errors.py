"""Labels that are likely wrong, by confident learning on probabilities of networks that did not see the pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

Classes = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.floating]
MAX_PROBABILITY = 0.1
"""Calibrated probability of its label up to which an image's label is called wrong.

Labels that are wrong by chance keep a probability of about their share, however sure the model is: a lower limit would
miss them.
"""


@dataclass(frozen=True)
class ConfidentJoint:
    """Given against likely true classes.

    Attributes:
        thresholds: mean probability of class k over the images labelled k, shape (K,); NaN where nothing is labelled k.
        counts: entry (i, j) counts images labelled i that are confidently of class j, shape (K, K).
        confident: class that each image is confidently of, -1 for none, shape (N,).
    """

    thresholds: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    confident: Classes


def confident_joint(labels: Classes, probabilities: Probabilities) -> ConfidentJoint:
    """Count labels against the classes that probabilities are confident of.

    An image is confidently of class k where its probability of k reaches the mean over those labelled k; of several
    such classes, the one with the highest probability.

    Args:
        labels: class numbers, in [0, K), shape (N,).
        probabilities: out of fold, shape (N, K), rows sum to 1.

    Raises:
        ValueError: shapes do not fit, or a label is out of range.

    Source:
        Northcutt, Jiang and Chuang 2021, eq. 1-2 (arXiv 1911.00068); with temperature or ensembling, thresholds move
        with the probabilities, so they need not be calibrated.
    """
    count = _checked(labels, probabilities)
    thresholds = np.array(
        [probabilities[labels == k, k].mean() if (labels == k).any() else np.nan for k in range(count)]
    )
    reached = probabilities >= np.where(np.isnan(thresholds), np.inf, thresholds) - 1e-12
    best = np.where(reached, probabilities, -1.0).argmax(axis=1)
    confident = np.where(reached.any(axis=1), best, -1).astype(np.int64)
    counts = np.zeros((count, count), dtype=np.int64)
    known = confident >= 0
    np.add.at(counts, (labels[known], confident[known]), 1)
    return ConfidentJoint(thresholds, counts, confident)


def label_margins(labels: Classes, probabilities: Probabilities) -> npt.NDArray[np.float64]:
    """Highest probability of another class less that of the label, in [-1, 1], shape (N,); higher is more suspect.

    Args:
        labels: class numbers, shape (N,).
        probabilities: shape (N, K), K >= 2.

    Source:
        Northcutt et al. 2021, section 3.2, "normalised margin", with the sign turned.
    """
    _checked(labels, probabilities)
    rows = np.arange(len(labels))
    others = probabilities.astype(np.float64)
    own = others[rows, labels].copy()
    others[rows, labels] = -np.inf
    margins: npt.NDArray[np.float64] = others.max(axis=1) - own
    return margins


def suspect_labels(
    labels: Classes, probabilities: Probabilities, *, max_probability: float = MAX_PROBABILITY
) -> npt.NDArray[np.int64]:
    """Images whose label is likely wrong, the most suspect first.

    Those off the diagonal of the confident joint (confidently of another class) whose label has a low probability,
    ranked by margin. Where the model knows little, few are named, and none where it knows nothing.

    Args:
        labels: class numbers, shape (N,).
        probabilities: out of fold and calibrated, shape (N, K).
        max_probability: of the label; in (0, 1].

    Returns:
        Positions in ``labels``.

    Source:
        Northcutt et al. 2021, section 3.2, "confident joint off-diagonals" ranked by normalised margin. Differs: the
        limit. The joint's off-diagonals hold the model's own errors, too: of a model that is right in 80 % of the
        cases, a fifth of the right labels.
    """
    joint = confident_joint(labels, probabilities)
    margins = label_margins(labels, probabilities)
    own = probabilities[np.arange(len(labels)), labels]
    found = np.flatnonzero((joint.confident >= 0) & (joint.confident != labels) & (own <= max_probability))
    return found[np.argsort(-margins[found], kind="stable")].astype(np.int64)


def calibrated(labels: Classes, probabilities: Probabilities) -> tuple[npt.NDArray[np.float64], float]:
    """Probabilities at the temperature that makes the labels likeliest, and that temperature, in [0.05, 20].

    Args:
        labels: class numbers, shape (N,), N >= 1.
        probabilities: out of fold, shape (N, K).
    """
    _checked(labels, probabilities)
    logs = np.log(np.clip(probabilities.astype(np.float64), 1e-12, 1))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logs / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(labels)), labels].mean())

    best = float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))
    return np.exp(log_softmax(logs / best, axis=1)), best


def _checked(labels: Classes, probabilities: Probabilities) -> int:
    """Number of classes."""
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or probabilities.shape[1] < 2:
        raise ValueError(
            f"labels of shape {labels.shape} and probabilities of shape {probabilities.shape} do not fit: "
            "give (N,) and (N, K) with two classes or more"
        )
    count = int(probabilities.shape[1])
    if len(labels) and not (labels.min() >= 0 and labels.max() < count):
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}: give class numbers in [0, {count})")
    return count
