import math

import numpy as np
import pytest
from scipy.stats import binomtest

from rice_ssl.evaluation.bootstrap import draws
from rice_ssl.evaluation.paired_tests import McNemar, mcnemar, paired_difference, share_difference
from rice_ssl.evaluation.resampling import mean_of, resampled


def judges(both, first_only, second_only, neither):
    counts = [both, first_only, second_only, neither]
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_few_discordant_pairs_by_hand():
    """8 against 2: twice the chance of 2 or fewer heads of 10, (1 + 10 + 45) / 1024."""
    assert mcnemar(*judges(50, 8, 2, 7)) == McNemar(8, 2, pytest.approx(2 * 56 / 1024), "exact")
    assert mcnemar(*judges(50, 2, 8, 7)) == McNemar(2, 8, pytest.approx(2 * 56 / 1024), "exact")
    assert mcnemar(*judges(50, 3, 3, 7)).p == pytest.approx(1)
    assert mcnemar(*judges(50, 0, 0, 7)) == McNemar(0, 0, 1.0, "exact")
    assert mcnemar(*judges(0, 24, 0, 0)).method == "exact"


def test_many_discordant_pairs_by_hand():
    """Corrected statistic (|30 - 15| - 1)^2 / 45; of one degree of freedom p is erfc(sqrt(x / 2))."""
    found = mcnemar(*judges(50, 30, 15, 7))
    assert (found.first_only, found.second_only, found.method) == (30, 15, "chi-squared")
    assert found.p == pytest.approx(math.erfc(math.sqrt(14**2 / 45 / 2)))
    assert found.p == pytest.approx(binomtest(30, 45, 0.5).pvalue, abs=0.003)
    assert mcnemar(*judges(50, 20, 20, 7)).p == 1  # the correction takes nothing below 0


def test_bonett_and_price_by_hand():
    """7 and 1 of 21 pairs, one imagined in each: 8/23 - 2/23 -+ z sqrt((10/23 - (6/23)^2) / 23)."""
    found = share_difference(*judges(12, 7, 1, 1), 0.95)
    reach = 1.959964 * math.sqrt((10 / 23 - (6 / 23) ** 2) / 23)
    assert (found.value, found.low, found.high) == pytest.approx((6 / 21, 6 / 23 - reach, 6 / 23 + reach))


def test_judges_right_on_the_same_pairs_may_yet_differ():
    found = share_difference(*judges(3, 0, 0, 2), 0.95)
    reach = 1.959964 * math.sqrt(2 / 7 / 7)
    assert (found.value, found.low, found.high) == pytest.approx((0, -reach, reach))
    ends = share_difference(*judges(0, 2, 0, 0), 0.95)
    assert (ends.value, ends.high) == (1, 1)
    assert ends.low < 1


def test_scores_right_or_wrong_and_others():
    first, second = judges(12, 7, 1, 1)
    drawn = draws(21, 300, 0)
    assert paired_difference(first.astype(float), second.astype(float), resampled(drawn), 0.9) == share_difference(
        first, second, 0.9
    )
    losses = np.random.default_rng(0).exponential(size=(2, 21))
    found = paired_difference(*losses, resampled(drawn), 0.9)
    assert found == mean_of(losses[0] - losses[1], resampled(drawn), 0.9)
    assert found.value == pytest.approx(losses[0].mean() - losses[1].mean())


def test_a_difference_is_of_the_same_pairs():
    """Two judges whose losses vary much, and differ by 0.1 everywhere: paired, there is no doubt."""
    losses = np.random.default_rng(0).exponential(size=50)
    found = paired_difference(losses + 0.1, losses, resampled(draws(50, 200, 0)), 0.95)
    assert (found.low, found.high) == pytest.approx((0.1, 0.1))


def test_what_does_not_match_is_refused():
    with pytest.raises(ValueError, match=r"shapes \(3,\) and \(2,\)"):
        mcnemar(np.ones(3, dtype=bool), np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match="drawn is of 4 pairs, the scores are of 3"):
        paired_difference(np.ones(3), np.zeros(3), resampled(draws(4, 10, 0)), 0.95)
