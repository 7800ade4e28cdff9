import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from rice_ssl.audit.quality import erased_background, foreground, measure, otsu_threshold, vegetation_index
from rice_ssl.audit.quality_audit import deviations, quality_findings
from rice_ssl.sensors import RGB, RGNIR


def noise(level=120, spread=30, size=(64, 80), seed=0):
    values = np.random.default_rng(seed).normal(level, spread, (*size, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


def test_brightness_and_saturation_by_hand():
    image = np.zeros((64, 64, 3), np.uint8)
    image[..., 0], image[..., 1], image[:16, :, 2] = 51, 102, 255
    found = measure(image, RGB)
    assert found.brightness == pytest.approx((0.2 + 0.4 + 0.25) / 3, abs=1e-6)
    assert found.clipped == pytest.approx(0.25 / 3)


def test_blur_lowers_sharpness_and_a_flat_image_has_none():
    image = noise()
    soft = gaussian_filter(image.astype(float), (1.5, 1.5, 0)).astype(np.uint8)
    assert measure(soft, RGB).sharpness < measure(image, RGB).sharpness - 1
    assert measure(np.full((64, 64, 3), 90, np.uint8), RGB).sharpness == pytest.approx(-8)


@pytest.mark.parametrize("background", [0, 4, 252, 255])
def test_an_erased_background_is_left_out(background):
    image = noise()
    image[:, :40] = background
    assert np.flatnonzero(erased_background(image).all(axis=0)).tolist() == list(range(40))
    found, whole = measure(image, RGB), measure(noise()[:, 40:], RGB)
    assert found.leaf_area == pytest.approx(0.5)
    assert found.brightness == pytest.approx(whole.brightness)
    assert found.sharpness == pytest.approx(whole.sharpness, abs=0.1)


def test_a_black_spot_inside_the_leaf_is_no_background():
    image = noise()
    image[20:40, 20:40] = 0
    assert erased_background(image) is None


def test_vegetation_is_told_by_its_index():
    image = np.zeros((64, 64, 3), np.uint8)
    image[...] = (100, 90, 80)  # soil, in RGB; as red, green, near infrared: no vegetation either
    leaf, infrared = image.copy(), image.copy()
    leaf[:16] = (60, 140, 50)
    infrared[:16] = (30, 30, 150)
    assert foreground(leaf, RGB, None).mean() == 0.25
    assert foreground(infrared, RGNIR, None).mean() == 0.25
    assert vegetation_index(leaf, RGB)[0, 0] == pytest.approx((2 * 140 - 60 - 50) / 250)
    assert vegetation_index(infrared, RGNIR)[0, 0] == pytest.approx(120 / 180)


def test_otsus_threshold_is_the_best_of_all():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(0, 1, 300), rng.normal(6, 1.5, 200)])
    edges = np.linspace(values.min(), values.max(), 257)[1:-1]

    def within(limit):
        return sum(part.var() * len(part) for part in (values[values <= limit], values[values > limit]))

    best = min(within(limit) for limit in edges)
    assert within(otsu_threshold(values)) == pytest.approx(best, rel=0.01)


def test_deviations_by_hand():
    assert deviations(np.array([1.0, 2.0, 3.0, 4.0, 100.0]), 0.1) == pytest.approx(
        (np.array([1, 2, 3, 4, 100]) - 3) / 1.4826
    )
    assert deviations(np.full(5, 0.4), 0.01).tolist() == [0] * 5
    assert deviations(np.zeros(0), 1).tolist() == []


def test_findings_name_the_image_and_what_is_wrong_with_it():
    rng = np.random.default_rng(0)
    rows = [
        {
            "pair_id": f"p{k}",
            "sensor": sensor,
            "brightness": 0.4 + x,
            "sharpness": -2 + x,
            "clipped": 0.0,
            "leaf_area": 0.5,
        }
        for sensor in ("rgb", "rgnir")
        for k, x in enumerate(rng.normal(0, 0.02, 40))
    ]
    table = pd.DataFrame(rows)
    assert quality_findings(table, ["rgb", "rgnir"]) == []
    table.loc[3, "brightness"], table.loc[5, "sharpness"], table.loc[47, "clipped"] = 0.02, -4.0, 0.2
    found = quality_findings(table, ["rgb", "rgnir"])
    assert [(f.kind, f.pair_id, f.sensor) for f in found] == [
        ("exposure", "p3", "rgb"),
        ("blur", "p5", "rgb"),
        ("saturation", "p7", "rgnir"),
    ]
    assert "is dark: mean 0.02" in found[0].detail
    assert "20% saturated" in found[2].detail
