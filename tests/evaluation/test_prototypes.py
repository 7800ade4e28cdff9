import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from rice_ssl.evaluation.prototypes import (
    counts_by,
    perplexity,
    prototype_table,
    row_entropy,
    wilson_interval,
    wilson_intervals,
)


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


def test_intervals_of_many_equal_those_of_each():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 40, 200)
    hits = rng.binomial(counts, 0.3)
    low, high = wilson_intervals(hits, counts)
    for k, (hit, count) in enumerate(zip(hits, counts, strict=True)):
        if count == 0:
            assert math.isnan(low[k])
            assert math.isnan(high[k])
        else:
            assert (low[k], high[k]) == pytest.approx(wilson_interval(int(hit), int(count)), abs=1e-12)


def test_entropy_of_rows_by_hand():
    found = row_entropy(np.array([[3, 1], [2, 2], [5, 0], [0, 0]]))
    assert found[:3] == pytest.approx([-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), math.log(2), 0])
    assert math.isnan(found[3])


def test_counts_equal_a_loop_and_refuse_what_is_too_high():
    rng = np.random.default_rng(1)
    prototype, kind = rng.integers(0, 5, 100), rng.integers(-1, 3, 100)
    slow = np.zeros((5, 3), dtype=int)
    for a, b in zip(prototype, kind, strict=True):
        if b >= 0:
            slow[a, b] += 1
    assert counts_by(prototype, kind, 5, 3).tolist() == slow.tolist()
    with pytest.raises(ValueError, match="prototype 4, but there are 4"):
        counts_by(np.array([4]), np.array([0]), 4, 3)


def images(*held):
    """Assignments from (prototype, RGB images, RGNIR images)."""
    rows = []
    for prototype, *counts in held:
        for sensor, count in zip(("rgb", "rgnir"), counts, strict=True):
            rows += [(f"p{len(rows) + k}", sensor, prototype) for k in range(count)]
    return pd.DataFrame(rows, columns=["pair_id", "sensor", "prototype"])


def test_one_sensor_only_is_said_and_whether_that_is_more_than_chance():
    """20 images, half of each sensor; prototype 0 has 2 of one (chance 1/4), prototype 1 has 8 of it (1/256)."""
    table = prototype_table(images((0, 2, 0), (1, 0, 8), (2, 8, 2)), pd.Series(dtype=object), 5, ["rgb", "rgnir"])
    assert table["only"].tolist()[:2] == ["rgb", "rgnir"]
    assert table["only"].isna().tolist() == [False, False, True, True, True]
    assert table["only_p"][:2].tolist() == pytest.approx([1 / 4, 1 / 256])
    assert table["only_p"][2:].isna().all()
    # the peer, one-sided; three prototypes have images, so the level is 0.05 / 3
    for number, count in ((0, 2), (1, 8)):
        assert table["only_p"][number] == pytest.approx(binomtest(count, count, 0.5, "greater").pvalue)
    assert table["only_beyond_chance"].tolist() == [False, True, False, False, False]
    assert table["dead"].tolist() == [False, False, False, True, True]
    assert table["sensor_entropy"][:3].tolist() == pytest.approx([0, 0, -(0.8 * math.log(0.8) + 0.2 * math.log(0.2))])


def test_a_rare_sensor_alone_is_less_of_a_surprise_than_a_common_one():
    """Of 40 images 36 are RGB: 4 RGB images together are to be expected (0.66), 4 RGNIR images are not (1e-4)."""
    table = prototype_table(images((0, 4, 0), (1, 0, 4), (2, 32, 0)), pd.Series(dtype=object), 3)
    assert table["only_p"].tolist() == pytest.approx([0.9**4, 0.1**4, 0.9**32])
    assert table["only_beyond_chance"].tolist() == [False, True, False]


def test_with_one_sensor_no_prototype_is_of_one_sensor_only():
    table = prototype_table(images((0, 9, 0), (1, 9, 0)), pd.Series(dtype=object), 2, ["rgb"])
    assert table["only"].isna().all()
    assert not table["only_beyond_chance"].any()
    assert table["sensor_entropy"].isna().all()


def test_3000_prototypes_of_which_2900_are_dead():
    rng = np.random.default_rng(3)
    ids = [f"p{k}" for k in range(2000)]
    first = rng.integers(0, 100, 2000)
    rows = pd.DataFrame({"pair_id": ids * 2, "sensor": ["rgb"] * 2000 + ["rgnir"] * 2000,
                         "prototype": np.tile(29 * first, 2)})  # fmt: skip
    table = prototype_table(rows, pd.Series(["a", "b"] * 1000, index=ids), 3000, ["rgb", "rgnir"])
    assert int(table["dead"].sum()) == 3000 - len(set(first))
    assert table["images"].sum() == 4000
    assert table["purity"].isna().sum() == table["dead"].sum()
    number = 29 * int(first[0])
    own = [k for k in range(2000) if first[k] == first[0]]
    even = sum(k % 2 == 0 for k in own)
    assert table["purity"][number] == pytest.approx(max(even, len(own) - even) / len(own))
