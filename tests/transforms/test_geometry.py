import math

import pytest
import torch

from rice_ssl.transforms.geometry import crop_matrices, sample_crops

IDENTITY = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])


def ramp(height=4, width=6):
    """Band 0 counts columns, band 1 counts rows, band 2 is constant."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([columns, rows, torch.full_like(rows, 9)])[None].float()


def draw(count=500, height=40, width=60, seed=0, **changes):
    settings = {"scale": (0.25, 1.0), "rotation": 10.0, "flip": True, **changes}
    return crop_matrices(count, height, width, generator=torch.Generator().manual_seed(seed), **settings)


def test_the_identity_gives_the_image_itself():
    images = ramp()
    torch.testing.assert_close(sample_crops(images, IDENTITY, (4, 6)), images)


def test_flips_turn_rows_and_columns():
    images = ramp()
    left_right, up_down = IDENTITY.clone(), IDENTITY.clone()
    left_right[0, 0, 0] = up_down[0, 1, 1] = -1
    torch.testing.assert_close(sample_crops(images, left_right, (4, 6)), images.flip(3))
    torch.testing.assert_close(sample_crops(images, up_down, (4, 6)), images.flip(2))


def test_a_crop_of_the_right_half_by_hand():
    """Columns 3, 4, 5 of 6: centred at +1/2, half as wide."""
    right = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    torch.testing.assert_close(sample_crops(ramp(), right, (4, 3)), ramp()[..., 3:])


def test_each_image_gets_its_own_crop():
    images = torch.cat([ramp(), 100 + ramp()])
    flip = IDENTITY.clone()
    flip[0, 0, 0] = -1
    crops = sample_crops(images, torch.cat([IDENTITY, flip]), (4, 6))
    torch.testing.assert_close(crops, torch.cat([images[:1], images[1:].flip(3)]))


def test_without_rotation_the_crop_lies_in_the_image_and_has_its_share_of_the_area():
    matrices = draw(rotation=0.0, flip=False)
    width, height = matrices[:, 0, 0], matrices[:, 1, 1]
    assert float((matrices[:, 0, 2].abs() + width).max()) <= 1 + 1e-6
    assert float((matrices[:, 1, 2].abs() + height).max()) <= 1 + 1e-6
    assert float(matrices[:, 0, 1].abs().max()) == float(matrices[:, 1, 0].abs().max()) == 0.0
    unclipped = (width < 1) & (height < 1)
    share = (width * height)[unclipped]
    assert 0.25 - 1e-6 <= float(share.min()) < 0.3
    assert 0.8 < float(share.max()) <= 1.0
    aspect = (width * 60 / (height * 40))[unclipped]
    assert 3 / 4 - 1e-4 <= float(aspect.min()) < 0.8
    assert 1.25 < float(aspect.max()) <= 4 / 3 + 1e-4


def test_rotation_keeps_lengths_and_right_angles_in_pixels():
    """Crop axes in pixels: at right angles, the angle within 10 degrees, whatever the image's aspect."""
    matrices = draw(flip=False)
    axes = matrices[:, :, :2] * torch.tensor([60.0, 40.0])[None, :, None]
    dot = (axes[:, :, 0] * axes[:, :, 1]).sum(1)
    torch.testing.assert_close(dot, torch.zeros_like(dot), rtol=0, atol=1e-3)
    angle = torch.rad2deg(torch.atan2(axes[:, 1, 0], axes[:, 0, 0]))
    assert 9 < float(angle.abs().max()) <= 10
    assert abs(float(angle.mean())) < 1


def test_flips_come_half_the_time_each_way():
    matrices = draw(count=2000, rotation=0.0)
    assert float((matrices[:, 0, 0] < 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    assert float((matrices[:, 1, 1] < 0).float().mean()) == pytest.approx(0.5, abs=0.05)


def test_the_generator_alone_decides():
    assert torch.equal(draw(seed=4), draw(seed=4))
    assert not torch.equal(draw(seed=4), draw(seed=5))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_a_shrunken_checkerboard_is_grey(factor):
    """Bilinear sampling alone would keep single pixels of a board of 1-pixel squares: black and white, not grey."""
    board = (torch.arange(64)[:, None] + torch.arange(64)[None]) % 2
    images = board.float().expand(1, 3, 64, 64)
    crops = sample_crops(images, IDENTITY, (64 // factor, 64 // factor))
    torch.testing.assert_close(crops, torch.full_like(crops, 0.5), rtol=0, atol=1e-6)


def test_shrinking_by_two_is_the_mean_of_two_by_two():
    images = torch.rand(1, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    expected = images.reshape(1, 3, 4, 2, 6, 2).mean(dim=(3, 5))
    torch.testing.assert_close(sample_crops(images, IDENTITY, (4, 6)), expected)


def test_a_turn_by_ninety_degrees_by_hand():
    """The crop's x axis is the image's y axis; the crop's y axis the image's -x axis."""
    image = ramp(4, 4)
    turn = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    crop = sample_crops(image, turn, (4, 4))
    torch.testing.assert_close(crop[0, 0], torch.rot90(image[0, 0], 1))
    assert crop[0, 0, 0].tolist() == pytest.approx([3.0] * 4)
    assert crop[0, 1, 0].tolist() == pytest.approx([0.0, 1.0, 2.0, 3.0])
    assert math.isclose(float(crop[0, 2].mean()), 9.0)
