import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from rice_ssl.evaluation.agreement import jensen_shannon, who_is_right


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
