import math

import torch

from rice_ssl.transforms.photometric import blur, jitter_bands


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


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
    sigma = 0.3 + (1.5 - 0.3) * torch.rand(2, generator=generator(5))
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
