"""What replaces pixels, against torchvision, hand-solved systems and slow loops."""

import math

import numpy as np
import pytest
import torch
from torchvision.transforms.functional import gaussian_blur

from rice_ssl.attribution.removal import NEIGHBOURS, blurred, choose_blur, inpainted
from rice_ssl.errors import InputError


@pytest.mark.parametrize(("sigma", "size"), [(0.7, (9, 12)), (2.0, (20, 15)), (4.0, (13, 40))])
def test_blur_is_torchvisions(sigma, size):
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    expected = gaussian_blur(images, [2 * math.ceil(3 * sigma) + 1] * 2, [sigma] * 2)
    torch.testing.assert_close(blurred(images, sigma), expected, atol=1e-5, rtol=1e-5)


def test_a_blur_wider_than_the_picture_mirrors_it_again_and_again():
    values = [1.0, 0.0, 5.0]
    mirrored = [0, 1, 2, 1]  # numpy's and torch's reflect: the outermost pixel is not repeated
    weights = {step: math.exp(-0.5 * (step / 4) ** 2) for step in range(-12, 13)}
    expected = sum(weight * values[mirrored[step % 4]] for step, weight in weights.items()) / sum(weights.values())
    found = blurred(torch.tensor(values).view(1, 1, 1, 3).expand(1, 3, 2, 3), 4.0)
    assert found[0, 0, 0, 0].item() == pytest.approx(expected, rel=1e-6)
    assert blurred(torch.full((1, 3, 1, 1), 2.5), 30.0).flatten().tolist() == pytest.approx([2.5] * 3)


@pytest.mark.parametrize("sigma", [0, -1, float("nan")])
def test_no_blur_is_refused(sigma):
    with pytest.raises(InputError, match="more than 0 pixels"):
        blurred(torch.zeros(1, 3, 4, 4), sigma)


def stripes(count, size=32):
    """Pictures of stripes, the finer the larger their number."""
    place = torch.arange(size) / size
    rows = [torch.sin(2 * math.pi * (number + 2) * place) for number in range(count)]
    return torch.stack(rows)[:, None, None, :].expand(count, 3, size, size).contiguous()


def contrast(images):
    """Sure of class 0 as far as the picture has contrast, else of class 1 by ``less`` than half."""
    return torch.stack([8 * images.std(dim=(1, 2, 3)) - 1, torch.zeros(len(images)), torch.zeros(len(images))], dim=1)


def test_the_weakest_blur_that_leaves_no_more_than_the_strongest():
    images, shares = stripes(5), (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2)
    found = choose_blur(contrast, images, shares=shares, batch_size=2)
    left = [float(contrast(blurred(images, share * 32)).softmax(dim=1)[:, 0].mean()) for share in shares]
    assert found.tried == tuple(
        (share, pytest.approx(value, rel=1e-5)) for share, value in zip(shares, left, strict=True)
    )
    assert found.chance == pytest.approx(1 / 3)
    assert left[-1] < 1 / 3  # so that chance decides
    expected = [value <= 1 / 3 + 0.05 for value in left].index(True)
    assert 0 < expected < 5  # the case is no trivial one
    assert (found.sigma, found.share) == (shares[expected] * 32, shares[expected])
    assert found.as_dict() == {"sigma": found.sigma, "remaining": found.remaining, "chance": found.chance}


def test_a_network_that_stays_sure_of_blurred_pictures():
    def sure(images):
        return torch.stack([torch.full((len(images),), 2.0), torch.zeros(len(images))], dim=1)

    found = choose_blur(sure, stripes(3), shares=(0.1, 0.5))
    assert found.share == 0.1  # no blur takes more than another
    assert found.remaining == pytest.approx(1 / (1 + math.exp(-2)))


def test_unfit_choices_are_refused():
    with pytest.raises(InputError, match="No picture"):
        choose_blur(contrast, torch.zeros(0, 3, 4, 4))
    for shares in ((), (0.0, 0.5), (0.5, 0.5)):
        with pytest.raises(InputError, match="ascending"):
            choose_blur(contrast, stripes(2), shares=shares)


def test_one_pixel_by_hand():
    image = torch.arange(27.0).view(1, 3, 3, 3) ** 2
    removed = torch.zeros(1, 3, 3, dtype=torch.bool)
    removed[0, 1, 1] = True
    found = inpainted(image, removed, noise=0)
    for band in range(3):
        v = image[0, band]
        direct, diagonal = v[0, 1] + v[1, 0] + v[1, 2] + v[2, 1], v[0, 0] + v[0, 2] + v[2, 0] + v[2, 2]
        assert found[0, band, 1, 1].item() == pytest.approx((direct / 6 + diagonal / 12).item())
    assert torch.equal(found[:, :, ~removed[0]], image[:, :, ~removed[0]])


def test_a_corner_and_two_neighbours_by_hand():
    """Of [[a, b, 1], [2, 4, 8]]: a 5/12 = b/6 + 2/6 + 4/12 and b 8/12 = (a + 1 + 4)/6 + (2 + 8)/12."""
    image = torch.tensor([[0.0, 0.0, 1.0], [2.0, 4.0, 8.0]]).expand(1, 3, 2, 3)
    removed = torch.tensor([[[True, True, False], [False, False, False]]])
    a, b = np.linalg.solve([[5 / 12, -1 / 6], [-1 / 6, 8 / 12]], [2 / 6 + 4 / 12, 5 / 6 + 10 / 12])
    found = inpainted(image, removed, noise=0)
    assert found[0, 1, 0].tolist() == pytest.approx([a, b, 1])


def relaxed(image, removed):
    """The same by repeated averaging."""
    image, removed = image.double().numpy().copy(), removed.numpy()
    height, width = removed.shape
    image[:, removed] = 0
    for _ in range(3000):
        for y, x in zip(*np.nonzero(removed), strict=True):
            near = [(y + dy, x + dx, w) for (dy, dx), w in NEIGHBOURS.items()]
            near = [(v, u, w) for v, u, w in near if 0 <= v < height and 0 <= u < width]
            image[:, y, x] = sum(w * image[:, v, u] for v, u, w in near) / sum(w for _, _, w in near)
    return image


def test_a_large_hole_is_what_repeated_averaging_gives():
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(3, 7, 8, generator=generator)
    removed = torch.rand(7, 8, generator=generator) < 0.7
    found = inpainted(image[None], removed[None], noise=0)[0]
    np.testing.assert_allclose(found.numpy(), relaxed(image, removed), atol=1e-5)


def test_noise_is_the_same_whichever_pictures_are_filled_together():
    images = torch.randn(3, 3, 20, 30, generator=torch.Generator().manual_seed(2))
    removed = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(3)) < 0.5
    together = inpainted(images, removed, noise=0.2, seed=4)
    alone = inpainted(images[2:], removed[2:], noise=0.2, seed=4)
    assert torch.equal(together[2:], alone)
    grain = (together - inpainted(images, removed, noise=0)).permute(1, 0, 2, 3)[:, removed]
    assert grain.std().item() == pytest.approx(0.2, rel=0.05)
    assert not torch.equal(together, inpainted(images, removed, noise=0.2, seed=5))


def test_nothing_removed_and_nothing_left():
    images = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(5))
    removed = torch.stack([torch.zeros(4, 5), torch.ones(4, 5)]).bool()
    found = inpainted(images, removed, noise=0)
    assert torch.equal(found[0], images[0])
    torch.testing.assert_close(found[1], images[1].mean(dim=(1, 2), keepdim=True).expand(3, 4, 5))
    with pytest.raises(InputError, match="give one picture's height and width"):
        inpainted(images, removed[:, :3])
