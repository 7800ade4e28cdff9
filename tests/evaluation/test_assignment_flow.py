import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from rice_ssl.evaluation.assignment_flow import (
    assignment_agreement,
    contingency,
    largest_flows,
    normalised_mutual_information,
    paired_assignments,
)
from rice_ssl.evaluation.repetitions import parts_of, repetitions_for, shuffles_for


def test_pairs_with_both_images():
    rows = [("a", "rgb", 0), ("b", "rgnir", 1), ("c", "rgb", 2), ("c", "rgnir", 5), ("b", "rgb", 3), ("d", "rgb", 4)]
    found = paired_assignments(pd.DataFrame(rows, columns=["pair_id", "sensor", "prototype"]), "rgb", "rgnir")
    assert found.index.tolist() == ["c", "b"]
    assert found["first"].tolist() == [2, 3]
    assert found["second"].tolist() == [5, 1]


def test_the_flow_is_scikit_learns_contingency():
    rng = np.random.default_rng(0)
    first, second = rng.permutation(np.arange(300) % 7), rng.permutation(np.arange(300) % 7)
    matrix = contingency(first, second, 7)
    assert matrix.toarray().tolist() == contingency_matrix(first, second).tolist()


def test_the_largest_flows_and_the_rest_by_hand():
    first, second = np.array([0, 0, 0, 2, 2, 1, 1, 1]), np.array([1, 1, 1, 0, 0, 2, 0, 2])
    flows = largest_flows(contingency(first, second, 4), 2)
    assert flows.first.tolist() == [0, 1]  # 3 pairs; then 2 pairs of 1 -> 2, before 2 of 2 -> 0
    assert flows.second.tolist() == [1, 2]
    assert flows.pairs.tolist() == [3, 2]
    assert (flows.other_flows, flows.other_pairs) == (2, 3)
    every = largest_flows(contingency(first, second, 4), 99)
    assert (every.other_flows, every.other_pairs, int(every.pairs.sum())) == (0, 0, 8)


@pytest.mark.parametrize("seed", range(4))
def test_nmi_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 6, 200)
    second = np.where(rng.random(200) < seed / 3, first, rng.integers(0, 9, 200))
    table = contingency_matrix(first, second)
    rows, columns = np.nonzero(table)
    found = normalised_mutual_information(table[rows, columns], rows, columns)
    assert found == pytest.approx(normalized_mutual_info_score(first, second))


def test_nmi_of_many_tables_at_once_is_that_of_each():
    rng = np.random.default_rng(5)
    rows, columns = np.repeat(np.arange(3), 4), np.tile(np.arange(4), 3)
    tables = rng.integers(0, 9, (20, 12))
    found = normalised_mutual_information(tables, rows, columns)
    for table, value in zip(tables, found, strict=True):
        first, second = np.repeat(rows, table), np.repeat(columns, table)
        assert value == pytest.approx(normalized_mutual_info_score(first, second))


def test_one_prototype_for_all_has_scikit_learns_nmi():
    found = assignment_agreement(np.zeros(9, dtype=int), np.zeros(9, dtype=int))
    assert found.nmi == normalized_mutual_info_score([0] * 9, [0] * 9) == 1
    assert (found.rate, found.null_mean) == (1, 1)
    assert not found.beyond_chance  # shuffled pairs agree as often
    assert not found.nmi_beyond_chance


def test_the_interval_of_nmi_is_a_centred_bootstrap_over_pairs():
    """Against pairs drawn one by one and scored by scikit-learn."""
    rng = np.random.default_rng(4)
    first = rng.integers(0, 4, 120)
    second = np.where(rng.random(120) < 0.6, first, rng.integers(0, 4, 120))
    found = assignment_agreement(first, second)
    value, drawn = normalized_mutual_info_score(first, second), rng.integers(0, 120, (2000, 120))
    repeated = np.array([normalized_mutual_info_score(first[rows], second[rows]) for rows in drawn])
    low, high = np.quantile(repeated - (repeated.mean() - value), [0.025, 0.975])
    assert (found.nmi_low, found.nmi_high) == pytest.approx((low, high), abs=0.02)
    assert repeated.mean() > value + 0.005  # why it is centred: a plain percentile interval lies too high


def test_dead_prototypes_and_other_numbers_change_nothing():
    rng = np.random.default_rng(6)
    first, second = rng.integers(0, 5, 80), rng.integers(0, 5, 80)
    assert assignment_agreement(first, second) == assignment_agreement(first * 500, second * 500)


def test_sensors_grouped_alike_but_apart_have_all_the_information_and_no_agreement():
    first = np.arange(200) % 4
    found = assignment_agreement(first, first + 4)
    assert (found.rate, found.null_mean, found.beyond_chance) == (0, 0, False)
    assert found.nmi == pytest.approx(1)
    assert found.nmi_beyond_chance


def test_a_bootstrap_is_repeated_as_often_as_it_can_afford():
    assert repetitions_for(10) == 1000
    assert repetitions_for(100_000) == 200
    assert repetitions_for(10**7) == 40
    assert [shuffles_for(count) for count in (10, 200_000, 10**6)] == [200, 100, 40]
    assert parts_of(300, 100_000) == [20] * 15
    assert parts_of(5, 10**9) == [1] * 5


def test_pairs_that_share_their_prototype_stand_out_of_shuffled_ones():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 5, 300)
    second = np.where(rng.random(300) < 0.6, first, rng.integers(0, 5, 300))
    found = assignment_agreement(first, second)
    assert found.pairs == 300
    assert found.rate == np.mean([a == b for a, b in zip(first, second, strict=True)])
    assert found.low < found.rate < found.high
    # by chance two independent draws meet with the sum of the products of their shares
    shares = [np.bincount(values, minlength=5) / 300 for values in (first, second)]
    assert found.null_mean == pytest.approx(float(shares[0] @ shares[1]), abs=0.01)
    assert found.null_high < found.low
    assert found.nmi > 5 * found.nmi_null


def test_agreement_by_hand():
    """3 of 4 pairs agree. Shuffled, they meet (2 * 3 + 2 * 1) / 16 = 0.5 of the time."""
    first, second = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    found = assignment_agreement(first, second, shuffles=2000)
    assert (found.pairs, found.rate) == (4, 0.75)
    # Wilson: (p + z^2 / 2n -+ z sqrt(p q / n + z^2 / 4n^2)) / (1 + z^2 / n), z = 1.959964
    assert (found.low, found.high) == pytest.approx((0.30064, 0.95441), abs=5e-5)
    assert found.null_mean == pytest.approx(0.5, abs=0.02)
    assert found.null_high == 0.75
    # joint shares 1/2, 1/4, 1/4: I = H(first) + H(second) - H(joint), over the mean of the two entropies
    one, other = math.log(2), -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    joint = 0.5 * math.log(2) + 0.5 * math.log(4)
    assert found.nmi == pytest.approx((one + other - joint) / ((one + other) / 2))


def test_the_null_is_of_shuffled_pairs():
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    found, drawn = assignment_agreement(first, second, shuffles=30, seed=9), np.random.default_rng(9)
    rates = []
    for _ in range(30):
        order = drawn.permutation(50)
        rates.append(sum(first[k] == second[order[k]] for k in range(50)) / 50)
    assert found.null_mean == pytest.approx(sum(rates) / 30)
    assert found.null_high == pytest.approx(np.quantile(rates, 0.975))
    assert found == assignment_agreement(first, second, shuffles=30, seed=9)
    assert found.null_mean != assignment_agreement(first, second, shuffles=30, seed=10).null_mean


def test_no_pair_has_no_agreement():
    found = assignment_agreement(np.array([], dtype=int), np.array([], dtype=int))
    assert found.pairs == 0
    assert math.isnan(found.rate)


def test_independent_assignments_do_not_stand_out():
    rng = np.random.default_rng(1)
    found = assignment_agreement(rng.integers(0, 5, 300), rng.integers(0, 5, 300))
    assert found.low < found.null_mean < found.high
