"""The least cross-entropy that softened targets allow: label smoothing, MixUp, and both together. In nats."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, roots_jacobi

from rice_ssl.errors import InputError

Floats = npt.NDArray[np.float64]
NODES = 200
"""Nodes of the quadrature over MixUp's weight: exact to 1e-7 nats for alpha from 0.05 to 4, epsilon from 1e-4 on."""
LARGE_ALPHA = 1000.0
"""Beyond it every weight is 1/2 give or take 0.01, and the quadrature's own weights overflow."""


def smoothing_floor(epsilon: float, classes: int) -> float:
    """Entropy of a smoothed target: 1 - epsilon + epsilon / C on its class and epsilon / C on each other one.

    No prediction has a smaller smoothed cross-entropy; a loss without smoothing can fall to 0.

    Args:
        epsilon: label smoothing, in [0, 1).
        classes: number C of classes, >= 2.

    Returns:
        The floor in nats.

    Raises:
        InputError: a setting out of range.

    Source:
        Szegedy et al. 2016, section 7 (arXiv 1512.00567), whose smoothing distribution is uniform over all C classes,
        as in torch and fastai.
    """
    _check(epsilon, classes)
    rest = epsilon / classes
    return _entropy(1 - epsilon + rest) + (classes - 1) * _entropy(rest)


def smoothing_surplus(loss: Floats, epsilon: float, classes: int) -> Floats:
    """Least amount by which smoothing raises the mean cross-entropy of predictions whose loss without it is known.

    A prediction p of class y costs (1 - epsilon) l + (epsilon / C) sum_c -ln p_c, with l = -ln p_y. For a given l the
    sum is least where the other classes share 1 - p_y equally, and what results is convex in l; so by Jensen's
    inequality its value at the mean loss is a lower bound for the mean. It is 0 at the loss of a uniform guess, ln C,
    below 0 above it, and grows as the loss falls.

    Args:
        loss: mean cross-entropy without smoothing, > 0, nats, any shape.
        epsilon: label smoothing, in [0, 1).
        classes: number C of classes, >= 2.

    Returns:
        Nats, of the shape of ``loss``.

    Raises:
        InputError: a setting out of range.
    """
    _check(epsilon, classes)
    least = np.maximum(np.asarray(loss, np.float64), 1e-12)
    others = -np.log(-np.expm1(-least) / (classes - 1))
    return np.asarray(epsilon * (classes - 1) / classes * (others - least))


def mixup_floor(alpha: float, shares: Sequence[float]) -> float:
    """Expected entropy of MixUp's targets: lambda of one class and 1 - lambda of another, lambda from Beta(a, a).

    Two partners drawn apart differ in class with probability 1 - sum_c p_c^2. The mean entropy of lambda is
    psi(2 a + 1) - psi(a + 1), as E[-x ln x] = (psi(2 a + 1) - psi(a + 1)) / 2 for x from Beta(a, a).

    Args:
        alpha: a of the Beta distribution, >= 0; 0 is no MixUp.
        shares: share p_c of each class, which sum to 1.

    Returns:
        The floor in nats; 0 without MixUp.

    Raises:
        InputError: a setting out of range.

    Source:
        Zhang et al. 2018 (arXiv 1710.09412). fastai keeps max(lambda, 1 - lambda), which has the same entropy.
    """
    differ = _chance_that_classes_differ(alpha, shares)
    return 0.0 if alpha == 0 else differ * float(digamma(2 * alpha + 1) - digamma(alpha + 1))


def target_floor(epsilon: float, alpha: float, shares: Sequence[float]) -> float:
    """Expected entropy of targets that are mixed and then smoothed, as a smoothed loss on mixed pairs has them.

    Args:
        epsilon: label smoothing, in [0, 1).
        alpha: of MixUp, >= 0; 0 is no MixUp.
        shares: share of each class, which sum to 1.

    Returns:
        The floor in nats: closed form with one of the two, Gauss-Jacobi quadrature over lambda with both.

    Raises:
        InputError: a setting out of range.
    """
    classes = len(shares)
    _check(epsilon, classes)
    differ = _chance_that_classes_differ(alpha, shares)
    if alpha == 0:
        return smoothing_floor(epsilon, classes)
    if epsilon == 0:
        return mixup_floor(alpha, shares)
    nodes, weights = np.zeros(1), np.ones(1)
    if alpha <= LARGE_ALPHA:
        nodes, weights = roots_jacobi(NODES, alpha - 1, alpha - 1)
    mixed = (1 - epsilon) * (nodes + 1) / 2
    rest = epsilon / classes
    each = _entropies(mixed + rest) + _entropies(1 - epsilon - mixed + rest) + (classes - 2) * _entropy(rest)
    return (1 - differ) * smoothing_floor(epsilon, classes) + differ * float(weights @ each / weights.sum())


def _check(epsilon: float, classes: int) -> None:
    if not 0 <= epsilon < 1:
        raise InputError(f"label_smoothing is {epsilon!r}: give a number of at least 0 and below 1.")
    if classes < 2:
        raise InputError(f"classes is {classes!r}: give a whole number of at least 2.")


def _chance_that_classes_differ(alpha: float, shares: Sequence[float]) -> float:
    if not (math.isfinite(alpha) and alpha >= 0):
        raise InputError(f"mixup is {alpha!r}: give the alpha of its Beta distribution, a number of at least 0.")
    if any(not 0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > 1e-6:
        raise InputError(f"The classes' shares are {list(shares)!r}: give one for each class, with the sum 1.")
    return 1 - sum(share**2 for share in shares)


def _entropy(share: float) -> float:
    return -share * math.log(share) if share > 0 else 0.0


def _entropies(shares: Floats) -> Floats:
    return np.asarray(-shares * np.log(shares))
