import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from scipy.stats import binom
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from rice_ssl.evaluation.calibration import (
    BINS,
    THRESHOLDS,
    abstention,
    binned,
    calibration_error,
    cross_fitted,
    error_features,
    error_if_calibrated,
    fit_temperature,
    reliability,
    scaled,
)
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.resampling import Bootstrap


def leaves(count, too_sure=1.0, seed=0):
    """Labels drawn from softmax(logits / too_sure): the temperature that calibrates is ``too_sure``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 3))
    chances = softmax(logits, axis=1)
    labels = (chances.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    return too_sure * logits, labels


@pytest.mark.parametrize("too_sure", [0.3, 1.0, 4.0])
def test_the_temperature_that_calibrates_is_found(too_sure):
    assert fit_temperature(*leaves(20_000, too_sure)) == pytest.approx(too_sure, rel=0.03)


def test_many_pairs_have_the_temperature_of_least_log_loss():
    """Against another minimiser on scikit-learn's log loss; the imagined pair is one in 5,000."""
    logits, labels = leaves(5000, 2.5)
    peer = minimize(lambda t: log_loss(labels, softmax(logits / t[0], axis=1)), [1.0], method="Nelder-Mead")
    assert fit_temperature(logits, labels) == pytest.approx(peer.x[0], rel=2e-3)


def test_few_pairs_have_the_temperature_of_a_slow_search_with_one_imagined_pair():
    logits, labels = leaves(12, 2.0, seed=3)
    grid = np.exp(np.linspace(np.log(0.3), np.log(8), 3001))
    losses = []
    for temperature in grid:
        logs = log_softmax(logits / temperature, axis=1)
        imagined = sum(logs[n, c] for n in range(12) for c in range(3)) / (12 * 3)
        losses.append(-sum(logs[n, labels[n]] for n in range(12)) - imagined)
    assert fit_temperature(logits, labels) == pytest.approx(grid[np.argmin(losses)], rel=1e-3)


@pytest.mark.parametrize("count", [5, 400])
@pytest.mark.parametrize("labels_of", [lambda n: np.arange(n) % 3, lambda n: np.zeros(n, dtype=int)])
def test_pairs_that_are_all_right_leave_doubt_by_hand(count, labels_of):
    """The loss is least where the chance to be wrong is the imagined pair's 2/3, shared by N + 1."""
    labels = labels_of(count)
    logits = 8.0 * np.eye(3)[labels]
    wrong = 1 - scaled(logits, fit_temperature(logits, labels)).max(axis=1)
    assert wrong == pytest.approx(np.full(count, (2 / 3) / (count + 1)), rel=1e-3)


def test_where_nothing_can_be_fitted_logits_stay_as_they_are():
    assert fit_temperature(np.zeros((0, 3)), np.zeros(0, dtype=int)) == 1
    assert fit_temperature(np.array([[3.0], [5.0]]), np.array([0, 0])) == 1
    assert fit_temperature(np.ones((4, 3)), np.array([0, 1, 2, 0])) == 1


def test_logits_that_are_always_wrong_are_flattened():
    logits = 8.0 * np.eye(3)[[0, 1, 2, 0]]
    assert fit_temperature(logits, np.array([1, 2, 0, 1])) == pytest.approx(20, rel=1e-3)


@pytest.mark.parametrize(
    ("logits", "labels", "said"),
    [
        (np.zeros((3, 2)), np.zeros(2, dtype=int), r"\(3, 2\) and labels \(2,\)"),
        (np.zeros(3), np.zeros(3, dtype=int), r"\(3,\)"),
        (np.array([[0.0, np.nan], [0.0, 1.0]]), np.zeros(2, dtype=int), "1 rows of logits are not finite"),
        (np.zeros((2, 2)), np.array([0, 2]), "run from 0 to 2, the logits are of 2 classes"),
        (np.zeros((2, 2)), np.array([-1, 1]), "run from -1"),
    ],
)
def test_what_cannot_be_fitted_is_refused(logits, labels, said):
    with pytest.raises(ValueError, match=said):
        fit_temperature(logits, labels)


def test_each_fold_is_scaled_with_the_temperature_of_the_others():
    logits, labels = leaves(300, 3.0)
    folds = np.arange(300) % 4 + np.array([0, 10, 20, 30])[np.arange(300) % 4]  # numbers need not be 0, 1, 2
    probabilities, overall = cross_fitted(logits, labels, folds)
    for fold in set(folds.tolist()):
        others = [n for n in range(300) if folds[n] != fold]
        temperature = fit_temperature(logits[others], labels[others])
        for n in np.flatnonzero(folds == fold)[:5]:
            parts = np.exp(logits[n] / temperature)
            assert probabilities[n] == pytest.approx(parts / parts.sum())
    assert overall == fit_temperature(logits, labels)


def test_a_fold_has_no_part_in_its_own_temperature():
    logits, labels = leaves(100, 3.0)
    folds = np.arange(100) % 5
    changed = np.where(folds == 2, (labels + 1) % 3, labels)
    before, after = (cross_fitted(logits, each, folds)[0] for each in (labels, changed))
    assert (before[folds == 2] == after[folds == 2]).all()
    assert (before[folds != 2] != after[folds != 2]).any()


def test_one_fold_and_five_pairs():
    logits, labels = leaves(5)
    probabilities, overall = cross_fitted(logits, labels, np.zeros(5, dtype=int))
    assert probabilities == pytest.approx(softmax(logits, axis=1))
    assert overall == fit_temperature(logits, labels)
    probabilities, _ = cross_fitted(logits, labels, np.arange(5))
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(5))
    with pytest.raises(ValueError, match=r"folds has shape \(4,\) for 5 pairs"):
        cross_fitted(logits, labels, np.arange(4))


@pytest.fixture
def judged():
    rng = np.random.default_rng(4)
    confidences = np.round(rng.uniform(0.2, 1, 300), 2)
    return confidences, rng.random(300) < 0.8 * confidences


def test_bins_are_those_of_scikit_learn(judged):
    confidences, right = judged
    accuracy, confidence = calibration_curve(right, confidences, n_bins=10, strategy="uniform")
    found = reliability(confidences, right, 0.9)
    assert [one["accuracy"] for one in found] == pytest.approx(accuracy)
    assert [one["confidence"] for one in found] == pytest.approx(confidence)
    assert [(one["low"], one["high"]) for one in found] == [(k / 10, (k + 1) / 10) for k in range(1, 10)]
    for one in found:
        inside = [n for n in range(300) if one["low"] + 1e-9 < confidences[n] <= one["high"] + 1e-9]
        assert one["n"] == len(inside)
        hits = sum(bool(right[n]) for n in inside)
        assert (one["accuracy_low"], one["accuracy_high"]) == wilson_interval(hits, len(inside), 0.9)


def test_an_edge_belongs_to_the_bin_below():
    assert binned(np.array([0.0, 0.1, 0.100001, 0.3, 0.7, 0.9, 1.0])).tolist() == [0, 0, 1, 2, 6, 8, 9]
    assert binned(np.arange(1, BINS + 1) / BINS).tolist() == list(range(BINS))


def test_the_error_equals_a_slow_loop(judged):
    confidences, right = judged
    expected = 0.0
    for k in range(10):
        inside = [n for n in range(300) if k / 10 + 1e-9 < confidences[n] <= (k + 1) / 10 + 1e-9]
        if inside:
            gap = np.mean([right[n] for n in inside]) - np.mean([confidences[n] for n in inside])
            expected += len(inside) / 300 * abs(gap)
    means = error_features(confidences, right).mean(axis=0, keepdims=True)
    assert calibration_error(means)[0] == pytest.approx(expected)


def test_the_error_by_hand():
    """Of two pairs at 0.75 one is right: 0.25 off; of two at 0.95 both: 0.05 off."""
    features = error_features(np.array([0.75, 0.75, 0.95, 0.95]), np.array([True, False, True, True]))
    assert calibration_error(features.mean(axis=0, keepdims=True))[0] == pytest.approx((0.25 + 0.05) / 2)


def test_the_error_of_a_calibrated_judge_by_hand():
    """All 20 pairs at 0.7: the error is |K / 20 - 0.7| of a binomial K."""
    found = error_if_calibrated(np.full(20, 0.7), Bootstrap(20_000, 0.9, 0))
    hits = np.arange(21)
    errors, chances = np.abs(hits / 20 - 0.7), binom.pmf(hits, 20, 0.7)
    assert found.value == pytest.approx(float(errors @ chances), abs=2e-3)
    order = np.argsort(errors)
    reached = np.cumsum(chances[order])
    assert found.high == pytest.approx(errors[order][np.searchsorted(reached, 0.95)], abs=1e-9)


def test_the_error_of_a_calibrated_judge_comes_in_parts_of_bounded_size():
    confidences = np.random.default_rng(0).uniform(0.3, 1, 3000)
    whole = error_if_calibrated(confidences, Bootstrap(700, 0.9, 0))  # three parts of 333
    again = [error_if_calibrated(confidences, Bootstrap(300, 0.9, seed)).value for seed in (1, 2)]
    assert again == pytest.approx([whole.value] * 2, rel=0.05)


def test_abstention_by_hand():
    confidences = np.array([0.4, 0.5, 0.62, 0.95, 0.951])
    right = np.array([False, True, False, True, True])
    found = {one["threshold"]: one for one in abstention(confidences, right, 0.95)}
    assert list(found) == [t for t in THRESHOLDS if t <= 0.95]  # nobody answers at 0.99
    assert (found[0.0]["coverage"], found[0.0]["accuracy"], found[0.0]["n"]) == (1.0, 0.6, 5)
    assert (found[0.5]["coverage"], found[0.5]["accuracy"], found[0.5]["n"]) == (0.8, 0.75, 4)
    assert (found[0.65]["coverage"], found[0.65]["accuracy"], found[0.65]["n"]) == (0.4, 1.0, 2)
    assert (found[0.65]["low"], found[0.65]["high"]) == wilson_interval(2, 2)
    assert found[0.95]["n"] == 2
