import numpy as np
import pytest
from scipy.stats import bootstrap

from rice_ssl.evaluation.bootstrap import draws, interval


def test_a_mean_equals_a_slow_loop():
    values, drawn = np.random.default_rng(0).random(30), draws(30, 150, seed=5)
    repeated = sorted(sum(values[k] for k in row) / 30 for row in drawn)
    found = interval(float(values.mean()), values[drawn].mean(axis=1), 0.9)
    assert found.value == pytest.approx(sum(values) / 30)
    # the quantile between the order statistics around 0.05 * 149 = 7.45 and 0.95 * 149 = 141.55
    assert found.low == pytest.approx(0.55 * repeated[7] + 0.45 * repeated[8])
    assert found.high == pytest.approx(0.45 * repeated[141] + 0.55 * repeated[142])


def test_close_to_the_peer():
    values = np.random.default_rng(2).normal(size=400)
    drawn = draws(400, 4000, seed=0)
    found = interval(float(values.mean()), values[drawn].mean(axis=1), 0.95)
    peer = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", random_state=0).confidence_interval
    assert (found.low, found.high) == pytest.approx((peer.low, peer.high), abs=0.01)


def test_the_seed_decides():
    assert (draws(9, 20, seed=1) == draws(9, 20, seed=1)).all()
    assert (draws(9, 20, seed=1) != draws(9, 20, seed=2)).any()


def test_repetitions_that_are_not_finite_are_left_out():
    found = interval(2.0, np.array([1.0, np.nan, 3.0, np.inf]), 0.5)
    assert (found.value, found.low, found.high) == (2.0, 1.5, 2.5)
    assert interval(2.0, np.array([np.nan]), 0.5).as_dict() == {"value": 2.0, "low": 2.0, "high": 2.0}
