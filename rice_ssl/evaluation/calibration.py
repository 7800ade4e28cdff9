"""Whether a judge is right as often as it is sure: temperature scaling, bins of confidence, calibration error."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from rice_ssl.evaluation.bootstrap import Interval, interval
from rice_ssl.evaluation.resampling import Bootstrap, share_of

Values = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer]
TEMPERATURES = (0.05, 20.0)
"""Range of a fitted temperature."""
BINS = 10
"""Bins of confidence, of equal width; the calibration error is over the bins that the reliability diagram shows."""
THRESHOLDS = (*(k / 20 for k in range(20)), 0.99)
"""Confidences below which a judge may abstain: 0 (never) to 0.95 in steps of 0.05, and 0.99."""


def fit_temperature(logits: npt.NDArray[np.floating], labels: Labels) -> float:
    """The temperature T at which softmax(logits / T) has the lowest log loss.

    One imagined pair is added to the N: its logits are those of all pairs in equal parts, its label any class with
    equal chance. It moves T by the order of 1 / N and keeps it from 0 where every label has the highest logit, where
    the log loss alone falls without end.

    Args:
        logits: finite, shape (N, C).
        labels: class numbers, in [0, C), shape (N,).

    Returns:
        T, no unit, in [0.05, 20]; above 1 makes a judge less sure. 1 where nothing can be fitted: no pair, one class,
        or logits that are alike for all classes.

    Raises:
        ValueError: shapes do not match, logits are not finite, or a label is out of range; the message gives the value.

    Source:
        Guo et al. 2017, section 4.2 (arXiv 1706.04599). Differs: the imagined pair, in the manner of Platt 1999.
    """
    values = _checked(logits, labels)
    if values.shape[1] < 2 or len(values) == 0 or np.ptp(values, axis=1).max() == 0:
        return 1.0
    own = np.arange(len(values)), np.asarray(labels)

    def loss(log_temperature: float) -> float:
        logs = log_softmax(values / np.exp(log_temperature), axis=1)
        return float(-(logs[own].sum() + logs.mean()))

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def cross_fitted(logits: npt.NDArray[np.floating], labels: Labels, folds: Labels) -> tuple[Values, float]:
    """Probabilities of labelled pairs, each fold scaled with the temperature of the other folds.

    A temperature fitted on the pairs that it is judged on would flatter their log loss and calibration.

    Args:
        logits: finite, shape (N, C).
        labels: class numbers, in [0, C), shape (N,).
        folds: fold of each pair, shape (N,). Where all have the same one, there is nothing to fit on, and T is 1.

    Returns:
        Probabilities, shape (N, C), and the temperature fitted on all pairs, which is the one for new pairs.

    Raises:
        ValueError: as :func:`fit_temperature`.
    """
    values, numbers = _checked(logits, labels), np.asarray(folds)
    if numbers.shape != (len(values),):
        raise ValueError(f"folds has shape {numbers.shape} for {len(values)} pairs: give one fold for each pair.")
    probabilities = np.empty_like(values)
    for fold in np.unique(numbers):
        held = numbers == fold
        probabilities[held] = scaled(values[held], fit_temperature(values[~held], np.asarray(labels)[~held]))
    return probabilities, fit_temperature(values, labels)


def scaled(logits: npt.NDArray[np.floating], temperature: float) -> Values:
    """softmax(logits / temperature) of each row, shape (N, C), float64."""
    found: Values = softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1)
    return found


def binned(confidences: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Bin of each confidence in [0, 1], shape (N,): bin k holds (k / BINS, (k + 1) / BINS], the first also 0."""
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    return np.asarray(np.digitize(np.asarray(confidences, dtype=np.float64), edges, right=True), dtype=np.int64)


def error_features(confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> Values:
    """What :func:`calibration_error` needs of each pair, shape (N, BINS): in its bin, right (0, 1) less confidence."""
    found = np.zeros((len(confidences), BINS))
    found[np.arange(len(confidences)), binned(confidences)] = np.asarray(right, dtype=np.float64) - confidences
    return found


def calibration_error(means: Values) -> Values:
    """Expected calibration error of means of :func:`error_features`, shape (M, BINS), in [0, 1], shape (M,).

    The mean over pairs of |accuracy - confidence| of their bin, of the confidence in the most probable class. Never
    negative, so that noise makes it too high, also of a calibrated judge: see :func:`error_if_calibrated`.

    Source:
        Naeini et al. 2015; Guo et al. 2017, eq. 3, with 10 bins for their 15.
    """
    return np.asarray(np.abs(means).sum(axis=1))


def error_if_calibrated(confidences: npt.NDArray[np.floating], bootstrap: Bootstrap) -> Interval:
    """Calibration error that a calibrated judge with these confidences, shape (N,), would show on as many pairs.

    Returns:
        Its mean, and the range in which it lies with the given confidence: an error inside is no sign of bad
        calibration.

    Source:
        Broecker and Smith 2007 (consistency resampling), for the error in place of each bin.
    """
    values = np.asarray(confidences, dtype=np.float64)
    rng, step = np.random.default_rng([bootstrap.seed, 9]), max(1, 1_000_000 // len(values))
    inside = np.eye(BINS)[binned(values)]
    errors = []
    for at in range(0, bootstrap.repetitions, step):
        right = rng.random((min(step, bootstrap.repetitions - at), len(values))) < values
        errors.append(calibration_error((right - values) @ inside / len(values)))
    found = np.concatenate(errors)
    return interval(float(found.mean()), found, bootstrap.confidence)


def reliability(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], confidence: float
) -> list[dict[str, Any]]:
    """Accuracy of each bin of confidence that holds pairs.

    Args:
        confidences: of the most probable class, in [0, 1], shape (N,).
        right: whether that is the label, shape (N,).
        confidence: of the intervals, which are Wilson's.

    Returns:
        ``low`` and ``high`` (edges), ``n``, ``confidence`` (mean), ``accuracy``, ``accuracy_low``, ``accuracy_high``.
    """
    numbers, found = binned(confidences), []
    for number in np.unique(numbers):
        inside = numbers == number
        share = share_of(right[inside], confidence)
        assert share is not None  # the bin holds a pair
        found.append(
            {
                "low": int(number) / BINS,
                "high": (int(number) + 1) / BINS,
                "n": int(inside.sum()),
                "confidence": float(np.mean(confidences[inside])),
                "accuracy": share.value,
                "accuracy_low": share.low,
                "accuracy_high": share.high,
            }
        )
    return found


def abstention(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], confidence: float
) -> list[dict[str, Any]]:
    """Accuracy of a judge that answers only where it is sure enough, at each of ``THRESHOLDS`` that leaves an answer.

    Args:
        confidences: of the most probable class, in [0, 1], shape (N,).
        right: whether that is the label, shape (N,).
        confidence: of the intervals, which are Wilson's.

    Returns:
        ``threshold``, ``coverage`` (share of pairs with an answer), ``accuracy``, ``low``, ``high``, ``n`` (answers).
    """
    found = []
    for threshold in THRESHOLDS:
        answered = right[np.asarray(confidences) >= threshold]
        share = share_of(answered, confidence)
        if share is None:
            break
        found.append(
            {
                "threshold": threshold,
                "coverage": len(answered) / len(right),
                "accuracy": share.value,
                "low": share.low,
                "high": share.high,
                "n": len(answered),
            }
        )
    return found


def _checked(logits: npt.NDArray[np.floating], labels: Labels) -> Values:
    values, numbers = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or numbers.shape != values.shape[:1]:
        raise ValueError(
            f"logits has shape {values.shape} and labels {numbers.shape}: give (N, C) and (N,) of the same N."
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).any(axis=1).sum())} rows of logits are not finite: drop them.")
    if len(numbers) and not (numbers.min() >= 0 and numbers.max() < values.shape[1]):
        raise ValueError(
            f"labels run from {numbers.min()} to {numbers.max()}, the logits are of {values.shape[1]} classes: "
            "give class numbers from 0."
        )
    return values
