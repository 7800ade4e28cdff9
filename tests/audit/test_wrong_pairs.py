import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from rice_ssl.audit.matching import FITS, Matcher, structure
from rice_ssl.audit.wrong_pairs import find_partners, judge_pairs, mutual_partners, rank_shares


def scene(seed):
    """A picture of 160x120 pixels of a plant, as large as it must be to be turned."""
    rng = np.random.default_rng(seed)
    return np.clip(128 + 400 * gaussian_filter(rng.normal(0, 1, (160, 208, 3)), (1.6, 1.6, 0)), 0, 255).astype(np.uint8)


def seen(world, turn=0.0, scale=1.0, negative=False):
    image = Image.fromarray(world).rotate(turn, Image.Resampling.BILINEAR)
    width, height = round(160 / scale), round(120 / scale)
    left, top = (208 - width) // 2, (160 - height) // 2
    image = image.crop((left, top, left + width, top + height)).resize((160, 120), Image.Resampling.BILINEAR)
    values = np.asarray(image)
    return structure(255 - values if negative else values)


@pytest.mark.parametrize(("turn", "scale"), [(0, 1.0), (12, 1.0), (-21, 1.0), (6, 1.15)])
def test_a_turned_scaled_negative_fits_and_its_pose_is_told(turn, scale):
    found = Matcher(120, 160).fit(seen(scene(0)), seen(scene(0), turn, scale, negative=True))
    assert found.height >= FITS
    assert abs(found.turn - turn) <= 7  # the first pose that fits is taken
    assert found.scale == pytest.approx(1 / scale, rel=0.1)


def test_different_plants_do_not_fit():
    matcher = Matcher(120, 160)
    assert max(matcher.fit(seen(scene(k)), seen(scene(k + 20), 5)).height for k in range(4)) < FITS


def test_partners_of_exchanged_images_are_found():
    first = [seen(scene(k)) for k in range(5)]
    second = [seen(scene(k), 4) for k in (1, 0, 3, 2, 99)]
    assert find_partners(Matcher(120, 160), first, second) == {1: 0, 0: 1, 3: 2, 2: 3}


def test_rank_shares_by_hand():
    first = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    second = np.array([[1.0, 0.1], [-1.0, 0.0], [-1.0, 0.1]])
    # Of pair 1, the first's cosines are [.1, 0, .1] (own: 2 are nearer), the second's [-1, 0, 1] (own: 1 is nearer).
    assert rank_shares(first, second) == pytest.approx([0, 0.5, 0])
    assert mutual_partners(first, second, [1]) == {}
    exchanged = np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]])
    assert mutual_partners(first, exchanged, [0, 1]) == {0: 1, 1: 0}


def test_a_source_speaks_only_where_it_holds_for_most_pairs():
    heights = np.array([9.0] * 18 + [5.0, 5.0])
    near = np.zeros(20)
    wrong, source, note = judge_pairs(heights, None)
    assert (wrong.tolist(), source) == ([18, 19], "images")
    assert note == "The images of 90% of the pairs fit each other."
    ranks = near.copy()
    ranks[19] = 0.6
    assert judge_pairs(heights, ranks)[:2] == ([19], "images and embeddings")
    weak = np.full(20, 5.0)
    wrong, source, note = judge_pairs(weak, ranks)
    assert (wrong.tolist(), source) == ([19], "embeddings")
    assert "fewer than 80%" in note
    wrong, source, note = judge_pairs(weak, np.full(20, 0.3))
    assert (wrong.tolist(), source) == ([], "none")
    assert "so they were not used" in note
