import colorsys
import math

import pytest
import torch

from rice_ssl.transforms import photometric
from rice_ssl.transforms.photometric import PhotometricSettings, draw_photometric, shift_colours


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def jitter_bands(images, strength, source):
    return photometric.jitter_bands(images, draw_photometric(len(images), PhotometricSettings(jitter=strength), source))


def blur(images, probability, source):
    return photometric.blur(images, draw_photometric(len(images), PhotometricSettings(blur=probability), source))


def test_no_strength_changes_nothing():
    images = torch.rand(3, 3, 5, 5, generator=generator())
    torch.testing.assert_close(jitter_bands(images, 0.0, generator()), images)


def test_jitter_is_linear_in_each_band_and_keeps_the_order_of_its_values():
    """Within the range, out = a * in + b with a > 0 in each band: no band leaks into another (no hue)."""
    images = 0.4 + 0.2 * torch.rand(4, 3, 6, 6, generator=generator())
    out = jitter_bands(images, 0.3, generator(1))
    for image in range(4):
        for band in range(3):
            x, y = images[image, band].flatten(), out[image, band].flatten()
            slope = float((y[1] - y[0]) / (x[1] - x[0]))
            assert slope > 0
            torch.testing.assert_close(y, y[0] + slope * (x - x[0]), rtol=0, atol=1e-4)


def test_jitter_stays_in_range_and_differs_between_images_and_bands():
    images = torch.full((50, 3, 2, 2), 0.9)
    out = jitter_bands(images, 0.3, generator())
    assert float(out.max()) <= 1.0
    low = jitter_bands(torch.full((200, 3, 2, 2), 0.4), 0.3, generator())[:, :, 0, 0]  # a flat image has no contrast
    factor = low / 0.4
    assert 0.7 * 0.85 <= float(factor.min()) < 0.7
    assert 1.3 < float(factor.max()) <= 1.3 * 1.15
    assert float((low[:, 0] - low[:, 1]).abs().min()) > 0


def test_blur_equals_a_slow_gaussian():
    images = torch.rand(2, 3, 9, 9, generator=generator())
    out = blur(images, 1.0, generator(5))
    sigma = draw_photometric(2, PhotometricSettings(blur=1.0), generator(5)).sigma
    assert 0.3 <= float(sigma.min()) < float(sigma.max()) <= 1.5
    for image in range(2):
        weights = [math.exp(-0.5 * (k / float(sigma[image])) ** 2) for k in range(-3, 4)]
        total = sum(weights)
        for row in (0, 4, 8):
            for column in (1, 8):
                value = sum(
                    weights[dy + 3]
                    / total
                    * weights[dx + 3]
                    / total
                    * float(images[image, 1, min(max(row + dy, 0), 8), min(max(column + dx, 0), 8)])
                    for dy in range(-3, 4)
                    for dx in range(-3, 4)
                )
                assert math.isclose(float(out[image, 1, row, column]), value, abs_tol=1e-5)


def test_blur_takes_its_share_of_the_images_and_leaves_the_others_alone():
    images = torch.rand(400, 3, 8, 8, generator=generator())
    changed = (blur(images, 0.3, generator(2)) != images).flatten(1).any(dim=1)
    assert 0.22 < float(changed.float().mean()) < 0.38
    assert torch.equal(blur(images, 0.0, generator(2)), images)


def colours(count, settings, images=None, natural=True, seed=0):
    images = torch.full((count, 3, 1, 1), 0.5) if images is None else images
    drawn = draw_photometric(count, settings, generator(seed))
    return drawn, shift_colours(images, drawn, torch.full((count,), natural))


def test_grey_has_no_hue_and_keeps_its_value():
    _, out = colours(5, PhotometricSettings(saturation=0.9, hue=0.5))
    torch.testing.assert_close(out, torch.full((5, 3, 1, 1), 0.5), rtol=0, atol=1e-4)


def test_hue_turns_without_changing_luma_and_saturation_scales_chroma():
    """Luma .299 R + .587 G + .114 B by hand; the chroma's length is scaled by the factor that was drawn."""
    colour = torch.tensor([0.55, 0.45, 0.5]).view(1, 3, 1, 1).expand(20, 3, 1, 1)
    luma = 0.299 * 0.55 + 0.587 * 0.45 + 0.114 * 0.5
    drawn, out = colours(20, PhotometricSettings(saturation=0.5, hue=0.25), colour)
    assert float(drawn.hue.abs().max()) <= math.pi / 2
    weights = torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(torch.einsum("bchw,c->b", out, weights), torch.full((20,), luma), rtol=0, atol=1e-4)
    i, q = (torch.tensor(row) for row in photometric._RGB_TO_YIQ[1:])
    chroma = torch.hypot(torch.einsum("bchw,c->b", out, i), torch.einsum("bchw,c->b", out, q))
    own = colour[0, :, 0, 0]
    torch.testing.assert_close(chroma, drawn.saturation * torch.hypot(own @ i, own @ q), rtol=0, atol=1e-4)


def test_chroma_is_that_of_the_standard_library():
    """colorsys rounds the same standard to two digits."""
    own = (0.6, 0.3, 0.2)
    for row, expected in zip(photometric._RGB_TO_YIQ, colorsys.rgb_to_yiq(*own), strict=True):
        assert sum(a * b for a, b in zip(row, own, strict=True)) == pytest.approx(expected, abs=6e-3)


def test_a_false_colour_image_keeps_its_bands():
    images = torch.rand(4, 3, 2, 2, generator=generator(1))
    drawn = draw_photometric(4, PhotometricSettings(saturation=0.8, hue=0.5), generator())
    natural = torch.tensor([True, False, True, False])
    out = shift_colours(images, drawn, natural)
    assert torch.equal(out[~natural], images[~natural])
    assert float((out[natural] - images[natural]).abs().flatten(1).amax(dim=1).min()) > 1e-2


def test_a_part_of_a_draw_is_what_was_drawn_for_those_images():
    images = torch.rand(6, 3, 8, 8, generator=generator())
    drawn = draw_photometric(6, PhotometricSettings(jitter=0.3, blur=0.5), generator(4))
    whole = photometric.blur(photometric.jitter_bands(images, drawn), drawn)
    part = drawn.part(slice(2, 5))
    assert torch.equal(photometric.blur(photometric.jitter_bands(images[2:5], part), part), whole[2:5])
