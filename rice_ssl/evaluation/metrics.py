"""Figures of a classifier from probabilities and labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]
CLIP = 1e-15
"""Probabilities are clipped to [CLIP, 1] before the logarithm, as the challenge does."""
_ROUNDING = 1e-12


def log_losses(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """Log loss of each pair in nats, shape (N,), from probabilities (N, C) and class numbers (N,)."""
    own = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(own, CLIP, 1.0)))


def brier_scores(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """Brier score of each pair, in [0, 2], shape (N,): squared error of the probabilities, summed over classes.

    Source: Brier 1950; of two classes it is twice the score that counts one of them only.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    own = values[np.arange(len(labels)), labels]
    return np.asarray((values**2).sum(axis=1) - own**2 + (1 - own) ** 2)


def hits(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """1 where the most probable class is the label, else 0, shape (N,)."""
    return np.asarray(np.argmax(probabilities, axis=1) == labels, dtype=np.float64)


def confusion(labels: Labels, predictions: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts, shape (classes, classes): rows are labels, columns predictions."""
    cells = np.asarray(labels) * classes + np.asarray(predictions)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def f1_features(labels: Labels, predictions: Labels, classes: int) -> npt.NDArray[np.float64]:
    """What :func:`macro_f1` needs of each pair, shape (N, 2 * classes).

    First whether the pair is of the class and found to be, then how often (0, 1, 2) it is label or prediction.
    """
    one = np.eye(classes)
    truth, said = one[np.asarray(labels)], one[np.asarray(predictions)]
    return np.hstack([truth * said, truth + said])


def macro_f1(means: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean F1 over the classes that occur as label or prediction, shape (M,).

    A class that never occurs does not count, as in scikit-learn's ``f1_score(average="macro")``.

    Args:
        means: of :func:`f1_features` over pairs, shape (M, 2 * classes).
    """
    true, total = np.split(np.asarray(means, dtype=np.float64), 2, axis=1)
    some = total > _ROUNDING  # means of pairs left out one by one are differences, and 0 but for rounding
    f1 = np.divide(2 * true, total, out=np.zeros_like(true), where=some)
    return np.asarray(f1.sum(axis=1) / np.maximum(some.sum(axis=1), 1))
