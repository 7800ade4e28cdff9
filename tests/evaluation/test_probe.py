import math

import numpy as np
import pytest

from rice_ssl.evaluation.probe import knn_classes, probe_classes


def test_knn_votes_with_weights_by_a_slow_loop():
    rng = np.random.default_rng(0)
    bank, query = (rng.normal(size=(n, 5)).astype(np.float32) for n in (30, 8))
    bank, query = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (bank, query))
    classes = rng.integers(0, 3, 30)
    found = knn_classes(query, bank, classes, 3, neighbours=5)
    for number, vector in enumerate(query):
        ranked = sorted(range(30), key=lambda row: -float(bank[row] @ vector))[:5]
        votes = [0.0] * 3
        for row in ranked:
            votes[classes[row]] += math.exp(float(bank[row] @ vector) / 0.07)
        assert found[number] == votes.index(max(votes))


def blobs(seed, count=60):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count)
    return 3 * np.eye(3)[classes] + rng.normal(0, 0.3, (count, 3)), classes


def test_the_probe_finds_classes_that_lie_apart():
    train, classes = blobs(0)
    query, truth = blobs(1)
    for folds in (np.arange(60) % 4, np.zeros(60, dtype=int)):
        assert (probe_classes(query, train, classes, folds) == truth).mean() == 1.0


def test_the_probe_is_logistic_regression_of_the_strength_that_the_folds_prefer():
    """Against scikit-learn with each strength by hand, on noisy data where the strengths differ."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    rng = np.random.default_rng(0)
    train = rng.normal(size=(80, 30))
    classes = (train[:, 0] + rng.normal(0, 1, 80) > 0).astype(int)
    query, folds = rng.normal(size=(200, 30)), np.arange(80) % 4
    losses = {}
    for strength in (1e-3, 1e-2, 1e-1, 1.0):
        parts = []
        for fold in range(4):
            fit, held = folds != fold, folds == fold
            mean, std = train[fit].mean(0), train[fit].std(0)
            model = LogisticRegression(C=strength, max_iter=2000).fit((train[fit] - mean) / std, classes[fit])
            parts.append(log_loss(classes[held], model.predict_proba((train[held] - mean) / std)))
        losses[strength] = np.mean(parts)
    best = min(losses, key=losses.get)
    assert best not in {1e-3, 1.0}
    mean, std = train.mean(0), train.std(0)
    model = LogisticRegression(C=best, max_iter=2000).fit((train - mean) / std, classes)
    expected = model.predict((query - mean) / std)
    assert np.array_equal(probe_classes(query, train, classes, folds), expected)


def test_a_class_that_sits_in_one_fold_takes_no_part_in_the_choice_of_strength():
    """Fold 0 alone has class 2: only it could not be left out. Without a usable fold a middle strength is taken."""
    train, classes = blobs(0)
    query, truth = blobs(1)
    folds = np.where(classes == 2, 0, np.arange(60) % 3)
    assert (probe_classes(query, train, classes, folds) == truth).mean() == 1.0
    assert (probe_classes(query, train, classes, classes.astype(int)) == truth).mean() == 1.0  # a class a fold


@pytest.mark.parametrize("neighbours", [1, 100])
def test_knn_takes_as_many_neighbours_as_there_are(neighbours):
    bank = np.eye(3, dtype=np.float32)
    assert knn_classes(bank, bank, np.array([2, 0, 1]), 3, neighbours).tolist() == [2, 0, 1]
