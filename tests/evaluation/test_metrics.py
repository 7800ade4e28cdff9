import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    confusion_matrix,
    f1_score,
    log_loss,
)

from rice_ssl.evaluation.agreement import cohen_kappa
from rice_ssl.evaluation.metrics import (
    brier_scores,
    confusion,
    f1_features,
    hits,
    log_losses,
    macro_f1,
)


@pytest.fixture
def judged():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 200)
    probabilities = rng.dirichlet(np.ones(4), 200) + 0.3 * np.eye(4)[labels]
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


def test_figures_equal_scikit_learn(judged):
    probabilities, labels = judged
    predicted = probabilities.argmax(axis=1)
    table = confusion(labels, predicted, 4)
    assert log_losses(probabilities, labels).mean() == pytest.approx(log_loss(labels, probabilities))
    assert hits(probabilities, labels).mean() == accuracy_score(labels, predicted)
    assert table.tolist() == confusion_matrix(labels, predicted).tolist()
    f1 = macro_f1(f1_features(labels, predicted, 4).mean(axis=0, keepdims=True))[0]
    assert f1 == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert cohen_kappa(table) == pytest.approx(cohen_kappa_score(labels, predicted))


def test_a_class_that_never_occurs_does_not_count():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = macro_f1(f1_features(labels, predicted, 3).mean(axis=0, keepdims=True))[0]
    assert found == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert found == pytest.approx((2 / 3 + 0.8) / 2)


def test_brier_equals_scikit_learn(judged):
    """A score of several classes is the sum of those of each class against the rest."""
    probabilities, labels = judged
    each = [brier_score_loss(labels == k, probabilities[:, k]) for k in range(4)]
    assert brier_scores(probabilities, labels).mean() == pytest.approx(sum(each))
    assert brier_scores(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0])).tolist() == [0, 2]
    assert brier_scores(np.array([[0.7, 0.2, 0.1]]), np.array([1]))[0] == pytest.approx(0.49 + 0.64 + 0.01)


def test_macro_f1_equals_scikit_learn_also_where_classes_are_absent(judged):
    """Of drawn pairs, and of pairs left out one by one, a class may be gone."""
    probabilities, labels = judged
    labels = np.where(labels == 3, 0, labels)
    predicted = np.where(probabilities.argmax(axis=1) == 3, 0, probabilities.argmax(axis=1))
    labels[7], predicted[7] = 3, 1  # the only pair of class 3
    features = f1_features(labels, predicted, 5)
    assert macro_f1(features.mean(axis=0)[None])[0] == pytest.approx(f1_score(labels, predicted, average="macro"))
    without = (features.mean(axis=0) * 200 - features) / 199
    expected = f1_score(np.delete(labels, 7), np.delete(predicted, 7), average="macro")
    assert macro_f1(without)[7] == pytest.approx(expected)


def test_a_certain_and_wrong_answer_costs_a_finite_loss():
    assert log_losses(np.array([[1.0, 0.0]]), np.array([1]))[0] == pytest.approx(-np.log(1e-15))


def test_kappa_where_chance_agreement_is_complete_is_unknown():
    assert np.isnan(cohen_kappa(np.array([[5, 0], [0, 0]])))
    assert np.isnan(cohen_kappa(np.zeros((2, 2))))
    assert cohen_kappa(np.array([[5, 0], [0, 5]])) == 1
