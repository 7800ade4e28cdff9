import numpy as np
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, confusion_matrix, f1_score, log_loss

from rice_ssl.evaluation.agreement import cohen_kappa
from rice_ssl.evaluation.metrics import confusion, hits, log_losses, macro_f1


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
    assert macro_f1(table) == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert cohen_kappa(table) == pytest.approx(cohen_kappa_score(labels, predicted))


def test_a_class_that_never_occurs_does_not_count():
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    assert macro_f1(confusion(labels, predicted, 3)) == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert macro_f1(confusion(labels, predicted, 3)) == pytest.approx((2 / 3 + 0.8) / 2)


def test_macro_f1_of_many_tables_at_once(judged):
    probabilities, labels = judged
    tables = np.stack([confusion(labels[k::2], probabilities[k::2].argmax(axis=1), 4) for k in range(2)])
    assert macro_f1(tables).tolist() == [float(macro_f1(table)) for table in tables]


def test_a_certain_and_wrong_answer_costs_a_finite_loss():
    assert log_losses(np.array([[1.0, 0.0]]), np.array([1]))[0] == pytest.approx(-np.log(1e-15))


def test_kappa_where_chance_agreement_is_complete_is_unknown():
    assert np.isnan(cohen_kappa(np.array([[5, 0], [0, 0]])))
    assert np.isnan(cohen_kappa(np.zeros((2, 2))))
    assert cohen_kappa(np.array([[5, 0], [0, 5]])) == 1
