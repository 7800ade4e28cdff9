"""What frozen embeddings know of the classes: a linear probe, and kNN."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

Classes = npt.NDArray[np.int64]
NEIGHBOURS = 20
"""Of the kNN; fewer where there are fewer labelled images."""
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse regularisation strengths that the probe chooses from."""
_TEMPERATURE = 0.07
_ITERATIONS = 2000


def knn_classes(
    query: npt.NDArray[np.floating],
    bank: npt.NDArray[np.floating],
    classes: Classes,
    count: int,
    neighbours: int = NEIGHBOURS,
) -> Classes:
    """Classify by the weighted vote of the nearest neighbours.

    Args:
        query: unit vectors, shape (Q, E).
        bank: unit vectors with known classes, shape (N, E).
        classes: their class numbers, in [0, count), shape (N,).
        count: classes.
        neighbours: that vote, each with the weight exp(cosine / 0.07).

    Returns:
        Class numbers, shape (Q,); of a tie, the lowest.

    Source:
        Wu et al. 2018, section 3.4 (arXiv 1805.01978).
    """
    similarity = query @ bank.T
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :neighbours]
    weights = np.exp(np.take_along_axis(similarity, nearest, axis=1).astype(np.float64) / _TEMPERATURE)
    votes = np.stack([(weights * (classes[nearest] == number)).sum(axis=1) for number in range(count)], axis=1)
    found: Classes = votes.argmax(axis=1).astype(np.int64)
    return found


def probe_classes(
    query: npt.NDArray[np.floating], train: npt.NDArray[np.floating], classes: Classes, folds: Classes
) -> Classes:
    """Classify by logistic regression on standardised embeddings.

    Its strength is chosen among ``STRENGTHS`` by the log loss over the training images' folds; ``query`` has no part.

    Args:
        query: shape (Q, E).
        train: shape (N, E).
        classes: class numbers of ``train``, of two classes or more, shape (N,).
        folds: fold of each of them, shape (N,); without two that each leave every class, a middle strength is taken.

    Returns:
        Class numbers, shape (Q,).
    """
    strength = _best_strength(train, classes, folds)
    model = _probe(strength)
    found: Classes = np.asarray(model.fit(train, classes).predict(query), dtype=np.int64)
    return found


def _probe(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=_ITERATIONS))


def _best_strength(train: npt.NDArray[np.floating], classes: Classes, folds: Classes) -> float:
    """Strength with the lowest mean log loss over the folds whose other folds hold every class."""
    names = np.unique(classes)
    usable = [fold for fold in np.unique(folds) if len(np.unique(classes[folds != fold])) == len(names)]
    if len(usable) == 0:
        return STRENGTHS[len(STRENGTHS) // 2]
    losses = []
    for strength in STRENGTHS:
        parts = []
        for fold in usable:
            held = folds == fold
            model = _probe(strength).fit(train[~held], classes[~held])
            parts.append(log_loss(classes[held], model.predict_proba(train[held]), labels=names))
        losses.append(float(np.mean(parts)))
    return STRENGTHS[int(np.argmin(losses))]
