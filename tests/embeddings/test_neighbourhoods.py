"""Neighbourhoods of pairs in two sensors, against hand-made and slow ones, and by index against the exact ones."""

import itertools

import numpy as np
import pytest

from rice_ssl.embeddings.neighbourhoods import (
    DEPTH,
    expected_overlap,
    jaccard,
    neighbourhoods,
    neighbourhoods_by_index,
)
from rice_ssl.embeddings.neighbours import nearest
from rice_ssl.embeddings.similar import build_index


def around(degrees):
    angles = np.deg2rad(np.array(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.fixture(scope="module")
def two():
    """1,500 pairs about 12 centres; the second sensor's images are near the first's."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(12, 8))[rng.integers(0, 12, 1500)] + 0.5 * rng.normal(size=(1500, 8))
    second = first + 0.3 * rng.normal(size=(1500, 8))
    return first.astype(np.float32), second.astype(np.float32)


def test_overlap_by_hand():
    """Two nearest of pair 0: {1, 2} and {1, 3}: 1 shared of 3; of pair 3: {2, 1} and {0, 1}: 1 of 3; and so on."""
    first, second = around([0, 10, 25, 45]), around([0, 10, 60, 25])
    nearest_first = [{1, 2}, {0, 2}, {1, 3}, {1, 2}]
    nearest_second = [{1, 3}, {0, 3}, {1, 3}, {0, 1}]
    expected = [len(a & b) / len(a | b) for a, b in zip(nearest_first, nearest_second, strict=True)]
    assert expected == [1 / 3, 1 / 3, 1, 1 / 3]
    found = neighbourhoods(first, second, 2, seed=0)
    assert found.overlap == pytest.approx(np.array(expected))
    assert found.first_rank.tolist() == [1, 1, 4, 2]  # seen from 25 degrees the twin at 60 is the last of 25, 10, 0, 60
    assert found.second_rank.tolist() == [1, 1, 2, 3]  # from 25 the twin at 45 is the third of 25, 10, 45, 0
    assert (found.neighbours, found.exact, found.recall) == (2, True, None)


def test_everything_equals_a_slow_loop(two):
    first, second = (vectors[:80] for vectors in two)
    near = [[set(nearest(row, side, 10, exclude=k)[0]) for k, row in enumerate(side)] for side in (first, second)]
    told = []
    found = neighbourhoods(first, second, 10, seed=0, advance=told.append)
    assert found.overlap == pytest.approx(np.array([len(a & b) / len(a | b) for a, b in zip(*near, strict=True)]))
    for query, among, ranks in ((first, second, found.first_rank), (second, first, found.second_rank)):
        slow = [1 + nearest(row, among, 80)[0].tolist().index(k) for k, row in enumerate(query)]
        assert ranks.tolist() == slow
    assert sum(told) == 3 * 80


def test_a_turned_space_overlaps_entirely(two):
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(8, 8)))
    assert neighbourhoods(two[0][:60], two[0][:60] @ turn, 5, seed=0).overlap.tolist() == [1.0] * 60


def test_jaccard_by_hand():
    first, second = np.array([[0, 1, 2], [4, 5, -1], [-1, -1, -1]]), np.array([[2, 7], [5, 4], [-1, -1]])
    assert jaccard(first, second).tolist()[:2] == [1 / 4, 1.0]
    assert np.isnan(jaccard(first, second)[2])
    assert jaccard(np.empty((0, 3)), np.empty((0, 2))).tolist() == []


def test_expected_overlap_is_that_of_other_pairs():
    """Against the mean over all pairs of different pairs; and no pair is ever compared with itself."""
    rng = np.random.default_rng(1)
    first, second = (np.array([rng.choice(40, 6, replace=False) for _ in range(300)]) for _ in range(2))
    every = np.mean([len(set(first[a]) & set(second[b])) / len(set(first[a]) | set(second[b]))
                     for a, b in itertools.permutations(range(300), 2)])  # fmt: skip
    assert expected_overlap(first, second, seed=0) == pytest.approx(every, abs=0.005)
    own = np.arange(50)[:, None]
    assert expected_overlap(own, own, seed=0) == 0.0
    assert expected_overlap(first, second, seed=0) == expected_overlap(first, second, seed=0)


def test_by_index_nearly_the_same_and_deep_twins_are_not_known(two):
    """Images without a pair are in the indexes, too: they take no place among the neighbours."""
    exact = neighbourhoods(*two, 10, seed=0)
    rng = np.random.default_rng(2)
    indexes, pair_of = [], []
    for vectors in two:
        order = rng.permutation(1500)
        alone = vectors[:100] + 0.01 * rng.normal(size=(100, 8)).astype(np.float32)
        indexes.append(build_index(np.concatenate([alone, vectors[order]]), seed=0))
        pair_of.append(np.concatenate([np.full(100, -1), order]))
    told = []
    found = neighbourhoods_by_index(*two, indexes, pair_of, 10, seed=0, advance=told.append)
    assert np.mean(np.abs(found.overlap - exact.overlap) < 1e-9) > 0.9
    assert found.expected == pytest.approx(exact.expected, abs=0.002)
    assert (found.exact, found.neighbours) == (False, 10)
    assert 0.95 < found.recall <= 1
    for name in ("first_rank", "second_rank"):
        near, known = getattr(exact, name), getattr(found, name)
        shallow = near <= DEPTH // 2
        assert np.mean(known[shallow] == near[shallow]) > 0.9
        assert (known[near > 2 * DEPTH] == 0).all()
        assert (near > 2 * DEPTH).any()
    assert sum(told) == 4 * 1500


@pytest.mark.parametrize(("rows", "count", "said"), [((5, 4), 2, "first has 5 rows and second 4"),
                                                     ((1, 1), 2, "2 or more"), ((5, 5), 0, "count is 0")])  # fmt: skip
def test_what_cannot_be_compared_is_said(rows, count, said):
    with pytest.raises(ValueError, match=said):
        neighbourhoods(np.ones((rows[0], 2)), np.ones((rows[1], 2)), count, seed=0)


def test_of_few_pairs_all_others_are_neighbours():
    found = neighbourhoods(around([0, 10, 20]), around([0, 30, 20]), 10, seed=0)
    assert (found.neighbours, found.overlap.tolist()) == (2, [1.0, 1.0, 1.0])
    assert neighbourhoods(around([0, 10]), around([0, 10]), 10, seed=0).expected == 0.0
