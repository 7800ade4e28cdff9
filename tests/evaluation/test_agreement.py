import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from sklearn.metrics import cohen_kappa_score

from rice_ssl.evaluation.agreement import (
    jensen_shannon,
    kappa_features,
    kappa_interval,
    kappa_of_means,
    who_is_right,
)
from rice_ssl.evaluation.bootstrap import draws
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.resampling import Bootstrap


def test_divergence_equals_scipy():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(3), 50), rng.dirichlet(np.ones(3), 50)
    expected = [jensenshannon(a, b, base=2) ** 2 for a, b in zip(p, q, strict=True)]
    assert jensen_shannon(p, q) == pytest.approx(np.array(expected))
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p))


def test_divergence_of_equal_and_of_opposite_answers():
    p, q = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    assert jensen_shannon(p, q).tolist() == [0.0, 1.0]


def test_who_is_right():
    found = who_is_right(np.array([True, True, False, False]), np.array([True, False, True, False]), ("rgb", "rgnir"))
    assert found.tolist() == ["both", "rgb only", "rgnir only", "neither"]


def test_kappa_of_drawn_pairs_equals_scikit_learn():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 3, 60)
    second = np.where(rng.random(60) < 0.5, first, rng.integers(0, 3, 60))
    drawn = draws(60, 40, 0)
    expected = [cohen_kappa_score(first[row], second[row]) for row in drawn]
    assert kappa_of_means(np.stack([kappa_features(first[r], second[r], 3).mean(axis=0) for r in drawn])) == (
        pytest.approx(np.array(expected))
    )
    found = kappa_interval(first, second, 3, Bootstrap(500, 0.95, 0))
    assert found.value == pytest.approx(cohen_kappa_score(first, second))
    assert found.low < found.value < found.high


def test_raters_who_always_agree_are_not_beyond_doubt():
    """Half the pairs are of each class: chance agreement is 0.5."""
    same = np.arange(10) % 2
    found = kappa_interval(same, same, 2, Bootstrap(100, 0.95, 0))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx((wilson_interval(10, 10)[0] - 0.5) / 0.5)


def test_kappa_is_unknown_where_chance_agreement_is_complete_or_one_pair_is_all():
    assert kappa_interval(np.zeros(5, dtype=int), np.zeros(5, dtype=int), 3, Bootstrap(100, 0.95, 0)) is None
    assert kappa_interval(np.array([0]), np.array([1]), 3, Bootstrap(100, 0.95, 0)) is None
