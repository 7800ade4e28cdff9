"""Pointing game, relevance mass and rank accuracy, by hand and against torch's enlarging."""

import math

import numpy as np
import pytest
import torch

from rice_ssl.errors import InputError
from rice_ssl.evaluation.localisation import enlarged, mass, pointing, rank

MASK = np.array([[True, False, False], [True, False, False]])
MAP = np.array([[5.0, 3.0, -9.0], [1.0, 1.0, 0.0]])


def test_by_hand():
    assert pointing(MAP, MASK) == 1
    assert pointing(MAP, ~MASK) == 0
    assert mass(MAP, MASK) == pytest.approx(6 / 10)  # what is negative counts as 0
    assert rank(MAP, MASK) == pytest.approx(1 / 2)  # the two highest are 5 (inside) and 3
    assert rank(MAP, MASK | ~MASK) == pytest.approx(1)


def test_equal_pixels_count_by_what_a_random_choice_gives():
    two = np.array([[4.0, 4.0, 0.0], [0.0, 4.0, 0.0]])
    assert pointing(two, MASK) == pytest.approx(1 / 3)
    assert rank(two, MASK) == pytest.approx(1 / 3)  # 2 of the 3 equal ones are taken, each inside with 1/3, of K = 2
    # of MAP the four highest are 5, 3 and both 1: half inside; of the mask with three pixels, one of the two ones
    three = np.array([[False, True, False], [True, True, False]])
    assert rank(MAP, three) == pytest.approx((0 + 1 + 1) / 3)
    one_of_them = np.array([[False, True, True], [True, False, False]])
    assert rank(MAP, one_of_them) == pytest.approx((0 + 1 + 0.5) / 3)


@pytest.mark.parametrize("value", [0.0, -2.0, 0.3])
def test_a_map_that_is_the_same_everywhere_scores_the_mask_s_share(value):
    mask = np.zeros((7, 9), dtype=bool)
    mask[1:4, 2:6] = True
    flat = np.full((3, 4), value)
    assert [measure(flat, mask) for measure in (pointing, mass, rank)] == pytest.approx([12 / 63] * 3)


def test_an_empty_mask_has_no_score():
    empty = np.zeros_like(MASK)
    assert all(math.isnan(measure(MAP, empty)) for measure in (pointing, mass, rank))


def test_the_mask_as_map_is_perfect():
    rng = np.random.default_rng(0)
    mask = rng.random((20, 30)) < 0.2
    assert [measure(mask.astype(float), mask) for measure in (pointing, mass, rank)] == [1, 1, 1]
    assert [measure((~mask).astype(float), mask) for measure in (pointing, mass)] == [0, 0]


@pytest.mark.parametrize(
    ("old", "new"), [((4, 5), (128, 160)), ((4, 5), (13, 9)), ((16, 20), (7, 11)), ((1, 1), (3, 4))]
)
def test_enlarging_is_torch_s(old, new):
    values = np.random.default_rng(1).standard_normal(old)
    expected = torch.nn.functional.interpolate(torch.from_numpy(values)[None, None], size=new, mode="bilinear")
    np.testing.assert_allclose(enlarged(values, new), expected[0, 0].numpy(), atol=1e-12)


def test_a_coarse_map_is_enlarged_before_it_is_judged():
    coarse = np.array([[0.0, 1.0], [0.0, 0.0]])
    mask = np.zeros((40, 40), dtype=bool)
    mask[:10, 30:] = True
    large = enlarged(coarse, (40, 40))
    assert pointing(coarse, mask) == 1
    assert mass(coarse, mask) == pytest.approx(large[mask].sum() / large.sum())
    best = np.argsort(-large, axis=None)[: mask.sum()]
    assert rank(coarse, mask) == pytest.approx(mask.ravel()[best].mean())


def test_unfit_maps_are_refused():
    with pytest.raises(InputError, match="give both in 2-D"):
        pointing(MAP[None], MASK)
    with pytest.raises(InputError, match="finite"):
        mass(np.full((2, 2), np.nan), MASK)
