"""Probabilities of pairs by models that did not see them: logistic regression, fold by fold."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rice_ssl.evaluation.metrics import log_losses

COMPONENTS = 150
"""Principal components that stand in for longer vectors; the first has the standard deviation 1."""
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
"""Inverse regularisation strengths of which the one with the lowest log loss out of fold is taken."""


def probabilities_out_of_fold(
    vectors: npt.NDArray[np.floating], classes: npt.NDArray[np.int64], folds: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.float64]:
    """Probabilities of each pair by logistic regression on the pairs of the other folds.

    Args:
        vectors: shape (N, D), finite.
        classes: class numbers, in [0, count), shape (N,).
        folds: fold of each pair, of two or more, shape (N,); pairs of one group share a fold.
        count: classes.

    Returns:
        Shape (N, count), rows sum to 1; a class that no other fold holds has probability 0.

    Raises:
        ValueError: the pairs of some fold leave fewer than two classes to learn from, or there is one fold.
    """
    names = np.unique(folds)
    scaled = StandardScaler().fit_transform(vectors)
    if scaled.shape[1] > COMPONENTS:
        # Labels have no part in this, so that folds stay apart in what counts.
        count_kept = min(COMPONENTS, len(scaled))
        scaled = PCA(count_kept, svd_solver="randomized", random_state=0).fit_transform(scaled)
        scaled = scaled / max(float(scaled[:, 0].std()), 1e-9)
    if len(names) < 2 or any(len(np.unique(classes[folds != fold])) < 2 for fold in names):
        raise ValueError("the folds leave fewer than two classes to learn from")
    best: tuple[float, npt.NDArray[np.float64]] | None = None
    for strength in STRENGTHS:
        found = np.zeros((len(vectors), count))
        for fold in names:
            held = folds == fold
            model = LogisticRegression(C=strength, max_iter=300)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(scaled[~held], classes[~held])
            found[np.ix_(held, model.classes_)] = model.predict_proba(scaled[held])
        loss = float(log_losses(found, classes).mean())
        if best is None or loss < best[0]:
            best = (loss, found)
    if best is None:
        raise RuntimeError("no strength was tried")
    return best[1]
