"""Figures of a classifier from probabilities and labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer]
CLIP = 1e-15
"""Probabilities are clipped to [CLIP, 1] before the logarithm, as the challenge does."""


def log_losses(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """Log loss of each pair in nats, shape (N,), from probabilities (N, C) and class numbers (N,)."""
    own = np.asarray(probabilities, dtype=np.float64)[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.clip(own, CLIP, 1.0)))


def hits(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float64]:
    """1 where the most probable class is the label, else 0, shape (N,)."""
    return np.asarray(np.argmax(probabilities, axis=1) == labels, dtype=np.float64)


def confusion(labels: Labels, predictions: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Counts, shape (classes, classes): rows are labels, columns predictions."""
    cells = np.asarray(labels) * classes + np.asarray(predictions)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def macro_f1(table: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """Mean F1 over the classes that occur as label or prediction, of confusion counts (..., C, C).

    A class that never occurs does not count, as in scikit-learn's ``f1_score(average="macro")``.
    """
    counts = np.asarray(table, dtype=np.float64)
    true = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1 = np.divide(2 * true, total, out=np.zeros_like(true), where=total > 0)
    return np.asarray(f1.sum(axis=-1) / np.maximum((total > 0).sum(axis=-1), 1))
