import numpy as np
import pytest
from scipy.stats import bootstrap, norm, t

from rice_ssl.evaluation.bootstrap import draws
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.resampling import (
    Bootstrap,
    centred_interval_of,
    draw,
    interval_of,
    mean_of,
    resampled,
    share_of,
)


def test_draws_are_those_of_the_plain_bootstrap(monkeypatch):
    drawn = draws(30, 100, seed=5)
    times = [[row.tolist().count(pair) for pair in range(30)] for row in drawn]
    assert resampled(drawn).times.tolist() == times
    monkeypatch.setattr("rice_ssl.evaluation.resampling._CELLS", 7 * 30)  # in 15 parts
    draw.cache_clear()
    assert draw(30, 100, 5).times.tolist() == times
    assert resampled(drawn).times.tolist() == times


def test_means_equal_a_slow_loop(monkeypatch):
    features, drawn = np.random.default_rng(0).random((30, 2)), draws(30, 50, seed=1)
    expected = [[np.mean([features[pair, k] for pair in row]) for k in range(2)] for row in drawn]
    assert resampled(drawn).means(features) == pytest.approx(np.array(expected))
    monkeypatch.setattr("rice_ssl.evaluation.resampling._CELLS", 100)
    assert resampled(drawn).means(features) == pytest.approx(np.array(expected))


def skewed(count):
    return np.random.default_rng(2).exponential(size=count)


def variance(means):
    return means[:, 1] - means[:, 0] ** 2


def test_bca_of_many_pairs_equals_the_peer():
    """A mean, and a variance, which is biased, too; at 2,000 pairs the expansion is 0.1%."""
    values, count = skewed(2000), 2000
    peers = [
        bootstrap((values,), statistic, n_resamples=6000, method="BCa", rng=0, batch=500).confidence_interval
        for statistic in (np.mean, np.var)
    ]
    found = mean_of(values, draw(count, 6000, 1), 0.95)
    spread = interval_of(variance, np.stack([values, values**2], axis=1), draw(count, 6000, 1), 0.95)
    for own, peer in zip((found, spread), peers, strict=True):
        assert (own.low, own.high) == pytest.approx((peer.low, peer.high), abs=0.05 * (peer.high - peer.low))


def test_bca_by_its_formula():
    """Efron 1987 with the jackknife in a loop, and Hesterberg's wider quantiles."""
    values, drawn = skewed(25), draws(25, 999, seed=3)
    repeated = values[drawn].mean(axis=1)
    bias = norm.ppf((repeated < values.mean()).mean())
    without = np.array([np.delete(values, n).mean() for n in range(25)])
    off = without.mean() - without
    acceleration = (off**3).sum() / (6 * (off**2).sum() ** 1.5)
    ends = []
    for z in np.array([-1, 1]) * t.ppf(0.95, 24) * np.sqrt(25 / 24):
        ends.append(np.quantile(repeated, norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))))
    found = mean_of(values, resampled(drawn), 0.9)
    assert (found.value, found.low, found.high) == pytest.approx((values.mean(), *ends))


def test_few_pairs_have_intervals_as_wide_as_they_should():
    """Of 8 normal numbers a percentile interval of 95% holds the mean in about 88%."""
    rng, pairs = np.random.default_rng(0), draw(8, 1000, 0)
    found = [mean_of(rng.normal(size=8), pairs, 0.95) for _ in range(600)]
    assert 0.93 <= np.mean([one.low <= 0 <= one.high for one in found]) <= 0.97


def test_a_figure_without_spread_is_a_point_and_one_that_is_undefined_none():
    pairs = draw(5, 100, 0)
    assert mean_of(np.full(5, 0.1), pairs, 0.95).as_dict() == pytest.approx({"value": 0.1, "low": 0.1, "high": 0.1})
    assert interval_of(lambda means: np.full(len(means), np.nan), np.ones((5, 1)), pairs, 0.95) is None


def test_repetitions_in_which_a_figure_is_undefined_are_left_out():
    values = np.array([0.0, 0.0, 1.0, 1.0])

    def inverse(means):
        return np.divide(1, means[:, 0], out=np.full(len(means), np.nan), where=means[:, 0] > 0)

    found = interval_of(inverse, values[:, None], draw(4, 500, 0), 0.9)
    assert found.value == 2
    assert 1 <= found.low <= 2 <= found.high <= 4


@pytest.mark.parametrize("values", [[], [0.5, np.nan], [np.inf, 1.0]])
def test_scores_that_are_not_finite_are_refused(values):
    with pytest.raises(ValueError, match="scores are not finite"):
        mean_of(np.array(values), draw(2, 10, 0), 0.95)


def test_a_centred_interval_is_the_percentile_one_without_the_bias():
    features = np.random.default_rng(0).normal(0.1, 1, (40, 3))

    def size(means):
        return np.abs(means).sum(axis=1)

    drawn = draws(40, 400, 0)
    repeated = np.array([np.abs(features[row].mean(axis=0)).sum() for row in drawn])
    value = np.abs(features.mean(axis=0)).sum()
    expected = np.quantile(repeated - repeated.mean() + value, [0.05, 0.95])
    found = centred_interval_of(size, features, resampled(drawn), 0.9)
    assert (found.value, found.low, found.high) == pytest.approx((value, max(0, expected[0]), expected[1]))


def test_a_share_has_wilsons_interval():
    found = share_of(np.array([True] * 15 + [False] * 133), 0.95)
    assert (found.value, found.low, found.high) == (15 / 148, *wilson_interval(15, 148))
    assert share_of(np.array([], dtype=bool), 0.95) is None
    sure = share_of(np.ones(5, dtype=bool), 0.95)
    assert (sure.value, sure.high) == (1, 1)
    assert sure.low == pytest.approx(5 / (5 + 1.959964**2), abs=1e-6)  # Wilson with all right: n / (n + z^2)


def test_one_pair_has_a_share_and_no_mean():
    how = Bootstrap(100, 0.95, 0)
    assert how.mean(np.array([0.3])) is None
    assert how.share(np.array([True]))["value"] == 1
    assert how.mean(np.array([0.3, 0.5])) == mean_of(np.array([0.3, 0.5]), how.pairs(2), 0.95).as_dict()
