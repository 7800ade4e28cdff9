import numpy as np
import pytest

from rice_ssl.submission import MARGIN, clip_probabilities


def test_clipping_by_hand():
    found = clip_probabilities(np.array([[1.0, 0.0, 0.0], [0.5, 0.3, 0.2]]), margin=0.1)
    assert found == pytest.approx(np.array([[0.8, 0.1, 0.1], [0.45, 0.31, 0.24]]))


def test_rows_keep_their_sum_their_order_and_the_margin():
    probabilities = np.random.default_rng(0).dirichlet(np.full(3, 0.3), 500)
    found = clip_probabilities(probabilities)
    assert found.sum(axis=1) == pytest.approx(np.ones(500), abs=1e-12)
    assert found.min() >= MARGIN - 1e-12
    assert (np.argsort(found, axis=1) == np.argsort(probabilities, axis=1)).all()


def test_a_certain_answer_costs_what_the_margin_says():
    right, wrong = -np.log(clip_probabilities(np.array([[1.0, 0.0, 0.0]])))[0, :2]
    assert right == pytest.approx(0.002, abs=1e-5)
    assert wrong == pytest.approx(6.9, abs=0.01)


def test_without_a_margin_nothing_changes_and_single_precision_becomes_double():
    probabilities = np.array([[0.25, 0.75]], dtype=np.float32)
    found = clip_probabilities(probabilities, margin=0.0)
    assert found.dtype == np.float64
    assert found.tolist() == [[0.25, 0.75]]
