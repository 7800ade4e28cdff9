from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rice_ssl.data.splits import assign_folds, join_groups
from rice_ssl.errors import InputError


def test_groups_join_across_sites_and_clusters():
    pairs = ["a", "b", "c", "d", "e", "f", "g"]
    groups = join_groups(
        pairs, [("b", "c"), ("e", "f"), ("f", "stranger")], {"a": "field", "b": "field", "d": "shed", "z": "?"}
    )
    assert groups.to_dict() == {"a": "field", "b": "field", "c": "field", "d": "shed", "e": "e", "f": "e", "g": "g"}


def test_a_duplicate_joins_two_sites():
    groups = join_groups(["a", "b", "c", "d"], [("b", "c")], {"a": "north", "b": "north", "c": "south", "d": "south"})
    assert groups.tolist() == ["north"] * 4


def test_a_pair_named_like_a_site_is_not_of_it():
    assert join_groups(["a", "b"], [], {"a": "b"}).to_dict() == {"a": "b", "b": "pair b"}


def test_join_groups_agrees_with_a_graph_search():
    rng = np.random.default_rng(0)
    for _ in range(30):
        pairs = [f"p{k}" for k in range(40)]
        clusters = [tuple(rng.choice(pairs, size=rng.integers(1, 4), replace=False)) for _ in range(15)]
        sites = {pair: f"s{rng.integers(12)}" for pair in pairs if rng.random() < 0.4}
        groups = join_groups(pairs, clusters, sites)
        near = {p: {p} for p in pairs}
        for c in [*clusters, *([p for p in pairs if sites.get(p) == s] for s in set(sites.values()))]:
            for p in c:
                near[p] |= set(c)
        for start in pairs:
            reached, queue = {start}, [start]
            while queue:
                new = near[queue.pop()] - reached
                reached |= new
                queue += new
            assert reached == set(groups.index[groups == groups[start]])


def _population(seed: int, pairs: int = 60) -> tuple[pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    index = [f"p{k}" for k in range(pairs)]
    labels = pd.Series(rng.choice(["blast", "brown", "healthy"], pairs, p=[0.6, 0.25, 0.15]), index, dtype="object")
    labels[rng.random(pairs) < 0.2] = None
    return labels, pd.Series([f"g{rng.integers(25)}" for _ in index], index)


def test_no_group_straddles_folds_for_any_seed():
    for seed in range(200):
        labels, groups = _population(seed)
        found = assign_folds(labels, groups, folds=5, seed=seed)
        known = labels.notna()
        assert (found[~known] == -1).all()
        assert set(found[known]) == {0, 1, 2, 3, 4}
        assert (found[known].groupby(groups[known]).nunique() == 1).all()


def test_folds_are_stratified_and_seeded():
    index = [f"p{k}" for k in range(100)]
    labels = pd.Series(["a"] * 50 + ["b"] * 30 + ["c"] * 20, index)
    groups = pd.Series(index, index)
    found = assign_folds(labels, groups, folds=5, seed=3)
    table = pd.crosstab(labels, found)
    assert table.loc["a"].tolist() == [10] * 5
    assert table.loc["b"].tolist() == [6] * 5
    assert table.loc["c"].tolist() == [4] * 5
    assert found.equals(assign_folds(labels, groups, folds=5, seed=3))
    assert not found.equals(assign_folds(labels, groups, folds=5, seed=4))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("labels", ["aaaaaaaaab", "aaaaaaaaaa", "abcdefghij", "aabbccddee"])
def test_rare_classes_still_fill_every_fold(labels):
    index = [f"p{k}" for k in range(10)]
    for seed in range(20):
        found = assign_folds(pd.Series(list(labels), index), pd.Series(index, index), folds=5, seed=seed)
        assert np.bincount(found, minlength=5).min() >= 1


def test_one_huge_group_leaves_no_fold_empty():
    index = [f"p{k}" for k in range(54)]
    groups = pd.Series(["big"] * 50 + ["v", "w", "x", "y"], index)
    labels = pd.Series(["a", "b"] * 27, index)
    for seed in range(20):
        assert set(assign_folds(labels, groups, folds=5, seed=seed)) == {0, 1, 2, 3, 4}


def test_too_few_groups_are_refused_with_the_remedy():
    labels, groups = pd.Series(["a", "b"], ["p", "q"]), pd.Series(["g", "g"], ["p", "q"])
    with pytest.raises(
        InputError, match="3 folds were asked for, but the labelled pairs form 1 groups: take fewer folds"
    ):
        assign_folds(labels, groups, folds=3, seed=0)
    with pytest.raises(InputError, match="folds is 1: give 2 or more"):
        assign_folds(labels, groups, folds=1, seed=0)


def test_without_labels_there_are_no_folds():
    index = ["p", "q"]
    assert assign_folds(
        pd.Series([None, None], index, dtype=object), pd.Series(index, index), folds=5, seed=0
    ).tolist() == [-1, -1]
