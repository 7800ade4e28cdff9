"""Agreement of two sensors' maps: hand-computed 2 x 2 maps, known shifts, slow loops, planted pairs."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from rice_ssl.errors import InputError
from rice_ssl.evaluation.map_agreement import compare, derangements, map_agreement, spearman, spread, strength

A = np.array([[[4.0, 2.0], [2.0, 0.0]]])
B = np.array([[[0.0, 1.0], [3.0, 0.0]]])


def random_maps(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def test_by_hand():
    """Shares .5 .25 .25 0 and 0 .25 .75 0: least 0 .25 .25 0, greatest .5 .25 .75 0."""
    found = compare(A, B)
    assert found.overlap[0] == pytest.approx(0.5 / 1.5)
    # centres (x, y): (.375, .375) and (.375, .625), in shares of sides of 2 cells
    assert found.centre_distance[0] == pytest.approx(0.25 * 2 / np.sqrt(8))
    # ranks 4 2.5 2.5 1 and 1.5 3 4 1.5
    assert found.rank_correlation[0] == pytest.approx(np.corrcoef([4, 2.5, 2.5, 1], [1.5, 3, 4, 1.5])[0, 1])


def test_a_map_agrees_with_itself_on_any_scale():
    maps = random_maps(3, 5, 7)
    found = compare(maps, 8 * maps)
    np.testing.assert_allclose([found.overlap, found.rank_correlation, 1 - found.centre_distance], 1)
    far = np.zeros((1, 5, 7))
    far[0, 0, 0] = 1
    assert compare(far, far[:, ::-1, ::-1]).centre_distance[0] == pytest.approx(np.hypot(6, 4) / np.hypot(7, 5))
    assert compare(far, far[:, ::-1, ::-1]).overlap[0] == 0


def test_signed_maps_overlap_where_they_are_positive():
    signed = np.array([[[4.0, 2.0], [2.0, -5.0]]])
    assert compare(signed, B).overlap == compare(A, B).overlap
    assert compare(signed, B).centre_distance == compare(A, B).centre_distance
    assert compare(A - 1, -A).rank_correlation[0] == pytest.approx(-1)


def test_a_known_shift_is_undone():
    """The second sensor sees the scene two columns and one row further; to add to come back are -2/8 and -1/6."""
    scene = random_maps(1, 20, 20)
    first, second = scene[:, 5:11, 5:13], scene[:, 4:10, 3:11]
    found = compare(first, second, np.array([[-2 / 8, -1 / 6]]))
    assert found.overlap[0] == pytest.approx(1)
    assert found.rank_correlation[0] == pytest.approx(1)
    assert found.centre_distance[0] == pytest.approx(0, abs=1e-12)
    assert compare(first, second).overlap[0] < 0.8


def test_cells_outside_are_left_out_and_halves_are_interpolated():
    first = np.array([[[1.0, 2.0, 9.0, 4.0]]])
    second = np.array([[[10.0, 12.0, 20.0, 6.0]]])
    # half a cell back: cells of the first lie at 0.5, 1.5, 2.5 and 3.5 (the rim, still inside) of the second
    found = compare(first, second, np.array([[-0.5 / 4, 0.0]]))
    laid = np.array([[[11.0, 16.0, 13.0, 6.0]]])
    assert found.overlap == pytest.approx(compare(first, laid).overlap)
    # a cell and a half on: at -1.5, -0.5, 0.5, 1.5: the first cell has no counterpart
    found = compare(first, second, np.array([[1.5 / 4, 0.0]]))
    expected = compare(first[:, :, 1:], np.array([[[10.0, 11.0, 16.0]]]))
    assert found.overlap == pytest.approx(expected.overlap)
    assert found.rank_correlation == pytest.approx(expected.rank_correlation)
    assert found.centre_distance[0] * np.hypot(4, 1) == pytest.approx(expected.centre_distance[0] * np.hypot(3, 1))
    nothing = compare(first, second, np.array([[2.0, 0.0]]))
    assert np.isnan([nothing.overlap, nothing.rank_correlation, nothing.centre_distance]).all()


def test_empty_and_constant_maps_are_not_compared():
    maps = np.stack([np.zeros((2, 2)), -A[0], np.ones((2, 2))])
    found = compare(maps, np.repeat(B, 3, axis=0))
    assert np.isnan(found.overlap).tolist() == [True, True, False]
    assert np.isnan(found.centre_distance).tolist() == [True, True, False]
    assert np.isnan(found.rank_correlation).tolist() == [True, False, True]


def test_spearman_is_scipy_s():
    a, b = np.round(4 * random_maps(5, 6, 7)), np.round(4 * random_maps(5, 6, 7, seed=1))
    shared = random_maps(5, 6, 7, seed=2) < 0.6
    for number in range(5):
        expected = spearmanr(a[number].ravel(), b[number].ravel()).statistic
        assert spearman(a, b)[number] == pytest.approx(expected)
        expected = spearmanr(a[number][shared[number]], b[number][shared[number]]).statistic
        assert spearman(a, b, shared)[number] == pytest.approx(expected)


def test_strength_and_spread_by_hand():
    """Of shares .5 .25 .25: entropy 1.5 bits, 2 ** 1.5 of 4 cells."""
    maps = np.concatenate([A, np.ones((1, 2, 2)), np.array([[[0, 0], [7, -7]]]), np.zeros((1, 2, 2))])
    assert strength(maps).tolist() == [4, 1, 7, 0]
    np.testing.assert_allclose(spread(maps), [2**1.5 / 4, 1, 1 / 4, np.nan])


@pytest.mark.parametrize("count", [2, 3, 10])
def test_everyone_gets_another_s_and_each_is_given_once(count):
    orders = derangements(count, 40, seed=3)
    for order in orders:
        assert sorted(order) == list(range(count))
        assert not np.any(order == np.arange(count))
    assert np.array_equal(orders, derangements(count, 40, seed=3))
    received = np.zeros((count, count), dtype=int)
    for order in orders:
        received[np.arange(count), order] += 1
    assert (received[~np.eye(count, dtype=bool)] > 0).mean() > 0.9  # not always the same neighbour
    assert derangements(1, 5, seed=0) == []


def test_null_and_p_against_a_slow_loop():
    first, second = random_maps(6, 3, 4), random_maps(6, 3, 4, seed=1)
    shifts = 0.2 * random_maps(6, 2, seed=2)
    table = map_agreement(first, second, shifts=shifts, draws=7, seed=5)
    orders = derangements(6, 7, seed=5)
    for number in range(6):
        shift = shifts[number][None]
        own = compare(first[[number]], second[[number]], shift)
        null = [compare(first[[number]], second[[order[number]]], shift) for order in orders]
        for name in ("overlap", "rank_correlation", "centre_distance"):
            assert table[name][number] == pytest.approx(getattr(own, name)[0])
            assert table[f"null_{name}"][number] == pytest.approx(np.mean([getattr(one, name)[0] for one in null]))
        better = sum(one.overlap[0] >= own.overlap[0] for one in null)
        assert table["p_overlap"][number] == pytest.approx((1 + better) / 8)
    assert table["strength_second"].tolist() == second.max(axis=(1, 2)).tolist()


def test_planted_pairs_are_told_from_shuffled_ones():
    first = random_maps(30, 4, 5)
    table = map_agreement(first, first + 0.1 * random_maps(30, 4, 5, seed=1))
    assert (table["p_overlap"] == 1 / 21).all()
    assert (table["overlap"] > table["null_overlap"] + 0.1).all()
    assert (table["centre_distance"] < table["null_centre_distance"]).mean() > 0.9
    unrelated = map_agreement(first, random_maps(30, 4, 5, seed=2))
    assert 0.3 < unrelated["p_overlap"].mean() < 0.7
    assert abs((unrelated["overlap"] - unrelated["null_overlap"]).mean()) < 0.05


def test_what_cannot_be_compared_is_nan_and_does_not_spoil_others():
    first, second = random_maps(4, 3, 4), random_maps(4, 3, 4, seed=1)
    second[2] = 0
    table = map_agreement(first, second)
    names = ["overlap", "centre_distance", "p_overlap", "spread_second"]
    assert table[names].isna().all(axis=1).tolist() == [False, False, True, False]
    assert table["null_overlap"].notna().all()
    alone = map_agreement(first[:1], second[:1])
    assert alone[["null_overlap", "p_overlap"]].isna().all(axis=None)
    assert alone["overlap"].notna().all()
    assert len(map_agreement(first[:0], second[:0])) == 0


def test_unfit_maps_are_refused():
    with pytest.raises(InputError, match="of the same pairs"):
        compare(A, B[:, :1])
    with pytest.raises(InputError, match="the shifts"):
        compare(A, B, np.zeros((2, 2)))
    with pytest.raises(InputError, match="draws is 0"):
        map_agreement(A, B, draws=0)
