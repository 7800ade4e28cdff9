import math

import numpy as np
import pandas as pd
import pytest

from rice_ssl.evaluation.prototypes import assignment_agreement, perplexity, prototype_table, wilson_interval


def test_perplexity():
    assert perplexity(np.array([3, 3, 3, 3])) == pytest.approx(4)
    assert perplexity(np.array([7, 0, 0])) == pytest.approx(1)
    assert perplexity(np.array([1, 3])) == pytest.approx(math.exp(-(0.25 * math.log(0.25) + 0.75 * math.log(0.75))))
    assert perplexity(np.zeros(4)) == 0


def test_interval_equals_a_published_one():
    """Newcombe 1998, table I: 81 of 263 and 15 of 148, method 3."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_a_table_by_hand():
    rows = [("a", "rgb", 0), ("a", "rgnir", 0), ("b", "rgb", 0), ("b", "rgnir", 2), ("c", "rgb", 2), ("d", "rgb", 0)]
    labels = pd.Series({"a": "blast", "b": "brown", "c": None, "d": "blast"})
    table = prototype_table(pd.DataFrame(rows, columns=["pair_id", "sensor", "prototype"]), labels, 4)
    assert table["rgb"].tolist() == [3, 0, 1, 0]
    assert table["rgnir"].tolist() == [1, 0, 1, 0]
    assert table["images"].tolist() == [4, 0, 2, 0]
    assert table["labelled"].tolist() == [4, 0, 1, 0]
    assert table["label"][0] == "blast"
    assert table["label"][2] == "brown"
    assert table["label"].isna().tolist() == [False, True, False, True]
    assert table["purity"][0] == 0.75
    assert (table["purity_low"][0], table["purity_high"][0]) == pytest.approx(wilson_interval(3, 4))
    assert table["label_entropy"][0] == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert table["label_entropy"][2] == 0
    assert table[["purity", "purity_low", "label_entropy"]].loc[[1, 3]].isna().all().all()


def test_no_labels_at_all():
    rows = pd.DataFrame([("a", "rgb", 1)], columns=["pair_id", "sensor", "prototype"])
    table = prototype_table(rows, pd.Series({"a": None}), 2)
    assert table["images"].tolist() == [0, 1]
    assert table["purity"].isna().all()


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
