"""Purity of all prototypes, clusters, and the three figures of a run."""

import math

import numpy as np
import pandas as pd
import pytest

from rice_ssl.evaluation.prototype_clusters import cluster_table
from rice_ssl.evaluation.prototype_figures import markdown_table, prototype_figures
from rice_ssl.evaluation.prototype_purity import overall_purity
from rice_ssl.evaluation.prototypes import wilson_interval


def pairs_of(first, second, labels):
    ids = [f"p{k:04d}" for k in range(len(first))]
    rows = pd.DataFrame(
        {
            "pair_id": ids * 2,
            "sensor": ["rgb"] * len(ids) + ["rgnir"] * len(ids),
            "prototype": np.concatenate([first, second]),
        }
    )
    return rows, pd.Series(labels, index=ids)


def test_purity_by_hand():
    """Prototype 0 holds a, a, b, prototype 7 holds b, b, and an image without a label: (2 + 2) / 5."""
    rows, labels = pairs_of(np.array([0, 0, 7]), np.array([7, 7, 0]), ["a", "b", None])
    rows = pd.concat([rows, pd.DataFrame([("x", "rgb", 0)], columns=rows.columns)])
    labels["x"] = "a"
    # images: p0 a: 0, 7; p1 b: 0, 7; p2 none: 7, 0; x a: 0 -> prototype 0: a, b, a; prototype 7: a, b
    found = overall_purity(rows, labels)
    assert found.value == pytest.approx((2 + 1) / 5)
    assert (found.images, found.pairs, found.base) == (5, 3, 3 / 5)


def test_no_label_no_purity():
    rows, labels = pairs_of(np.array([0, 1]), np.array([0, 1]), [None, None])
    assert overall_purity(rows, labels) is None


def slow_purity(rows, labels):
    held = {}
    for pair, prototype in zip(rows["pair_id"], rows["prototype"], strict=True):
        held.setdefault(prototype, []).append(labels[pair])
    return sum(max(own.count(label) for label in own) for own in held.values()) / len(rows)


def some(seed, count=150):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, count)
    first = np.where(rng.random(count) < 0.6, label, rng.integers(0, 6, count))
    second = np.where(rng.random(count) < 0.6, first, rng.integers(0, 6, count))
    return pairs_of(first, second, [("a", "b", "c")[k] for k in label])


def test_the_interval_is_a_centred_bootstrap_over_pairs():
    """Against pairs drawn one by one, each with both its images."""
    rows, labels = some(0)
    found = overall_purity(rows, labels)
    assert found.value == pytest.approx(slow_purity(rows, labels))
    rng, ids = np.random.default_rng(1), labels.index.to_numpy()
    of_pair = {pair: part["prototype"].tolist() for pair, part in rows.groupby("pair_id")}
    repeated = []
    for _ in range(1500):
        held = {}
        for pair in rng.choice(ids, len(ids)):
            for prototype in of_pair[pair]:
                held.setdefault(prototype, []).append(labels[pair])
        repeated.append(sum(max(own.count(x) for x in "abc") for own in held.values()) / len(rows))
    values = np.array(repeated)
    low, high = np.quantile(values - (values.mean() - found.value), [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)


def test_the_null_shuffles_labels_among_pairs():
    rows, labels = some(2)
    found = overall_purity(rows, labels)
    rng = np.random.default_rng(3)
    null = [slow_purity(rows, pd.Series(rng.permutation(labels.to_numpy()), index=labels.index)) for _ in range(300)]
    assert found.null_mean == pytest.approx(np.mean(null), abs=0.005)
    assert (found.null_low, found.null_high) == pytest.approx(tuple(np.quantile(null, [0.025, 0.975])), abs=0.02)
    assert found.beyond_chance
    assert found.null_mean > found.base  # purity grows with the number of prototypes, whatever they hold


def test_labels_that_prototypes_know_nothing_of_are_at_chance():
    rows, labels = some(4)
    shuffled = pd.Series(np.random.default_rng(5).permutation(labels.to_numpy()), index=labels.index)
    found = overall_purity(rows, shuffled)
    assert not found.beyond_chance
    assert found.low < found.null_mean < found.high


def test_clusters_by_hand():
    rows, labels = pairs_of(np.array([0, 0, 1, 3]), np.array([0, 1, 1, 3]), ["a", "b", "b", None])
    clusters = pd.Series({0: 1, 1: 1, 2: 2, 3: 3, 4: 3})
    table = cluster_table(rows, labels, clusters)
    assert table.index.tolist() == [1, 2, 3]
    assert table["prototypes"].tolist() == [2, 1, 2]
    assert table["used"].tolist() == [2, 0, 1]
    assert table["images"].tolist() == [6, 0, 2]
    assert table["labelled"].tolist() == [6, 0, 0]
    assert table["name"].tolist() == ["1 · b", "2 · unused", "3 · no label"]
    assert table["purity"][1] == pytest.approx(4 / 6)
    assert (table["purity_low"][1], table["purity_high"][1]) == pytest.approx(wilson_interval(4, 6))
    assert table["purity"][2:].isna().all()


def test_a_prototype_without_a_cluster_counts_for_none():
    rows, labels = pairs_of(np.array([0, 5]), np.array([0, 5]), ["a", "b"])
    assert cluster_table(rows, labels, pd.Series({0: 1}))["images"].tolist() == [2]


def test_the_three_figures_and_what_a_reader_would_get_wrong():
    """One sensor in two prototypes, the other in eight: agreement is low, and that says nothing of pairs."""
    rng = np.random.default_rng(7)
    first, second = rng.integers(0, 8, 400), 8 + rng.integers(0, 2, 400)
    rows, labels = pairs_of(first, second, ["a"] * 300 + ["b"] * 100)
    found = prototype_figures(rows, labels, 12, ["rgb", "rgnir"])
    assert found.effective["rgnir"] == pytest.approx(2, abs=0.05)
    assert found.effective["rgb"] == pytest.approx(8, abs=0.3)
    assert (found.dead, found.lone) == (2, (10, 10))
    assert found.agreement.rate == 0
    assert found.purity.base == 0.75
    text = " ".join(found.cautions)
    assert "The rgnir images share 2.0 prototypes in effect" in text
    assert "10 prototypes hold one sensor only, beyond chance" in text
    assert "75% of the labelled images have one label" in text
    assert "grouped alike and apart" not in text  # nothing is known across the sensors here


def test_figures_side_by_side():
    rows, labels = some(8)
    both = prototype_figures(rows, labels, 8, ["rgb", "rgnir"])
    alone = prototype_figures(rows[rows["sensor"] == "rgb"], pd.Series(None, index=labels.index), 8, ["rgb"])
    lines = markdown_table({"paired": both, "alone": alone}).splitlines()
    assert lines[0] == "|  | paired | alone |"
    assert lines[2] == "| Prototypes used, of all | 6 of 8 | 6 of 8 |"
    agreement = both.agreement
    assert f"{100 * agreement.rate:.1f} [{100 * agreement.low:.1f}, {100 * agreement.high:.1f}]%; shuffled" in lines[5]
    assert lines[5].endswith("| no pairs |")
    assert f"{both.purity.value * 100:.1f} [" in lines[7]
    assert lines[7].endswith("| no labels |")


def test_nothing_assigned_is_shown_as_nothing():
    rows = pd.DataFrame({"pair_id": [], "sensor": [], "prototype": []}).astype({"prototype": int})
    found = prototype_figures(rows, pd.Series(dtype=object), 4, ["rgb", "rgnir"])
    assert (found.dead, found.agreement, found.purity) == (4, None, None)
    assert found.effective == {"rgb": 0.0, "rgnir": 0.0}


def test_a_single_pair():
    rows, labels = pairs_of(np.array([1]), np.array([1]), ["a"])
    found = prototype_figures(rows, labels, 2, ["rgb", "rgnir"])
    assert (found.agreement.pairs, found.agreement.rate, found.agreement.null_mean) == (1, 1, 1)
    assert not found.agreement.beyond_chance
    assert (found.purity.value, found.purity.low, found.purity.high) == (1, 1, 1)
    assert math.isnan(found.table["purity"][0])
