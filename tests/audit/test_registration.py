import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from rice_ssl.audit.correlation import correlation_map, highest_peak
from rice_ssl.audit.registration import detail_planes, register, shared_bands
from rice_ssl.sensors import RGB, RGNIR, sensor_from_pattern
from tests.shared_data import URBAN_TREES, needs_urban_trees


def scene(seed, height=120, width=150):
    rng = np.random.default_rng(seed)
    found = gaussian_filter(rng.normal(0, 1, (height, width, 3)), (1.2, 1.2, 0))
    return np.clip(128 + 120 * found / np.abs(found).max(), 0, 255).astype(np.uint8)


def test_the_map_is_numpys_correlation_coefficient_over_every_overlap():
    rng = np.random.default_rng(0)
    first, second = rng.normal(2, 1, (2, 6, 7)).astype(np.float32), rng.normal(0, 3, (2, 6, 7)).astype(np.float32)
    found = correlation_map(first, second, min_overlap=0.25)
    for dy in range(-5, 6):
        for dx in range(-6, 7):
            rows, columns = slice(max(dy, 0), 6 + min(dy, 0)), slice(max(dx, 0), 7 + min(dx, 0))
            back = slice(max(-dy, 0), 6 + min(-dy, 0)), slice(max(-dx, 0), 7 + min(-dx, 0))
            one, other = first[:, rows, columns], second[:, back[0], back[1]]
            expected = -1.0
            if one[0].size >= 0.25 * 42:
                one = one - one.mean(axis=(1, 2), keepdims=True)
                other = other - other.mean(axis=(1, 2), keepdims=True)
                expected = (one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum())
            assert found[dy, dx] == pytest.approx(expected, abs=1e-4), (dy, dx)


def test_a_flat_picture_correlates_with_nothing_and_other_shapes_are_refused():
    flat, noise = np.ones((1, 8, 8), np.float32), np.random.default_rng(0).normal(0, 1, (1, 8, 8)).astype(np.float32)
    assert correlation_map(flat, noise, min_overlap=0.5).max() == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match=r"\(1, 8, 8\) and \(1, 8, 9\)"):
        correlation_map(noise, np.zeros((1, 8, 9), np.float32), min_overlap=0.5)
    with pytest.raises(ValueError, match="min_overlap is 0"):
        correlation_map(noise, noise, min_overlap=0)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (13, -7), (-31, 24), (2, 40)])
def test_a_known_shift_comes_out_exactly_and_with_its_sign(dx, dy):
    """The second window begins dx columns right of and dy rows below the first, as registration.csv counts."""
    world = scene(1, 240, 260)
    first = world[60:160, 60:180]
    second = np.clip(world[60 + dy : 160 + dy, 60 + dx : 180 + dx][..., [0, 1, 2]] * 0.6 + 20, 0, 255).astype(np.uint8)
    second[..., 2] = scene(2, 100, 120)[..., 2]  # near infrared has nothing to do with blue
    bands = shared_bands(RGB, RGNIR)
    found = register(detail_planes(first, RGB, bands), detail_planes(second, RGNIR, bands))
    assert (found.dx, found.dy, found.confident) == (dx, dy, True)
    assert found.peak > 0.95


def test_without_shared_bands_edges_are_compared_whatever_their_sign():
    first, second = sensor_from_pattern("one", "{id}.png"), sensor_from_pattern("two", "{id}_2.png")
    assert shared_bands(first, second) == ()
    world = scene(3, 200, 200)
    inverse = 255 - world[50:150, 45:145]
    found = register(detail_planes(world[40:140, 40:140], first, ()), detail_planes(inverse, second, ()))
    assert (found.dx, found.dy, found.confident) == (5, 10, True)


def test_different_scenes_are_not_confident():
    bands = shared_bands(RGB, RGNIR)
    found = [
        register(detail_planes(scene(k), RGB, bands), detail_planes(scene(k + 50), RGNIR, bands)) for k in range(8)
    ]
    assert not any(one.confident for one in found)
    assert max(one.confidence for one in found) < 0.05


def test_the_second_peak_leaves_out_the_first_ones_surroundings_across_the_border():
    values = np.zeros((20, 20), np.float32)
    values[0, 19], values[1, 0], values[10, 10] = 0.9, 0.8, 0.4
    peak = highest_peak(values, apart=3)
    assert (peak.dx, peak.dy) == (-1, 0)
    assert (peak.height, peak.second) == (pytest.approx(0.9), pytest.approx(0.4))


@needs_urban_trees
def test_real_pairs_are_registered_within_two_pixels():
    bands = shared_bands(RGB, RGNIR)
    truth = pd.read_csv(URBAN_TREES / "registration.csv").sample(40, random_state=0)
    found = []
    for row in truth.itertuples():
        sides = [
            detail_planes(np.asarray(Image.open(URBAN_TREES / "Images" / f"{row.pair_id}{end}.jpg")), sensor, bands)
            for sensor, end in ((RGB, ""), (RGNIR, "_rgn"))
        ]
        found.append(register(*sides))
    off = np.array(
        [max(abs(f.dx - r.dx_px), abs(f.dy - r.dy_px)) for f, r in zip(found, truth.itertuples(), strict=True)]
    )
    sure = np.array([f.confident for f in found])
    assert sure.mean() >= 0.9
    assert (off[sure] <= 2).mean() >= 0.95
