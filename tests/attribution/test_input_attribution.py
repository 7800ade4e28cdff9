"""Integrated gradients and occlusion, against captum and models whose answers are known."""

import pytest
import torch
from captum.attr import IntegratedGradients, Occlusion
from torch import nn

from rice_ssl.attribution.input_attribution import (
    band_shares,
    grid_maps,
    integrated_gradients,
    occlusion,
    window_means,
)
from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    made = Classifier(Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 16, 16]})), classes=3)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, std=0.3)
    return made.eval()


def pictures(count=3, height=12, width=14):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(count, 3, height, width, generator=generator), torch.randn(
        count, 3, height, width, generator=generator
    )


WEIGHTS = torch.randn(2, 3, 12, 14, generator=torch.Generator().manual_seed(3))


def linear(images):
    return (images[:, None] * WEIGHTS).sum(dim=(2, 3, 4)) + torch.tensor([5.0, -1.0])


def test_gradients_of_a_linear_model():
    """A value's share is its weight times how far it is from the baseline, however many steps there are."""
    images, baselines = pictures()
    expected = WEIGHTS * (images - baselines)[:, None]
    for steps, batch_size in ((1, 64), (7, 2)):
        found = integrated_gradients(linear, images, baselines, steps=steps, batch_size=batch_size)
        torch.testing.assert_close(found, expected)


def test_gradients_of_squares():
    """d x^2 = 2 x: from b to x that adds up to x^2 - b^2."""
    images, baselines = pictures()
    found = integrated_gradients(lambda x: (x**2).sum(dim=(1, 2, 3))[:, None], images, baselines, steps=3)
    torch.testing.assert_close(found[:, 0], images**2 - baselines**2)


def test_gradients_equal_captum_for_every_class_and_batch(network):
    images, baselines = pictures(3, 64, 64)
    peer = IntegratedGradients(network)
    with torch.no_grad():
        every = [
            [peer.attribute(*pair, target=number, n_steps=6)[0] for number in range(3)]
            for pair in zip(images.split(1), baselines.split(1), strict=True)
        ]
        expected = torch.stack([torch.stack(own) for own in every])
        assert expected.abs().max() > 1e-3
        for batch_size in (64, 4, 1):
            found = integrated_gradients(network, images, baselines, steps=6, batch_size=batch_size)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        some = integrated_gradients(network, images, baselines, steps=6, classes=[2, 0])
    torch.testing.assert_close(some, expected[:, [2, 0]], atol=1e-5, rtol=1e-4)
    assert not found.requires_grad


def test_gradients_add_up_to_the_difference_of_the_logits(network):
    images, noise = pictures(2, 64, 64)
    baselines = images + 0.2 * noise
    difference = (network(images) - network(baselines)).detach()
    faults = []
    for steps in (2, 100):
        found = integrated_gradients(network, images, baselines, steps=steps)
        faults.append(float((found.sum(dim=(2, 3, 4)) - difference).abs().max()))
    assert faults[1] < 0.02 * float(difference.abs().max())
    assert faults[1] < faults[0]


def test_drops_of_a_linear_model():
    images, baselines = pictures()
    found = occlusion(linear, images, baselines, window=5, stride=4)
    # windows begin at 0, 4, 8 (8 + 5 > 12: the last reaches over the edge) and at 0, 4, 8, 12
    assert found.shape == (3, 2, 3, 4)
    added = WEIGHTS * (images - baselines)[:, None]
    for row in range(3):
        for column in range(4):
            square = added[..., 4 * row : 4 * row + 5, 4 * column : 4 * column + 5]
            torch.testing.assert_close(found[:, :, row, column], square.sum(dim=(2, 3, 4)), atol=1e-4, rtol=1e-4)
    whole = occlusion(linear, images, baselines, window=20, stride=3)
    torch.testing.assert_close(whole[:, :, 0, 0], linear(images) - linear(baselines), atol=1e-4, rtol=1e-4)
    assert whole.shape == (3, 2, 1, 1)


@pytest.mark.parametrize(("window", "stride"), [(16, 16), (20, 10), (24, 7), (64, 32)])
def test_drops_equal_captum(network, window, stride):
    images, baselines = pictures(2, 64, 72)
    drops = occlusion(network, images, baselines, window=window, stride=stride, batch_size=5)
    found = window_means(drops, (64, 72), window=window, stride=stride)
    peer = Occlusion(network)
    for number in range(3):
        expected = peer.attribute(images, (3, window, window), (3, stride, stride), baselines=baselines, target=number)
        assert expected.abs().max() > 0.01
        for band in range(3):
            torch.testing.assert_close(found[:, number], expected[:, band].detach().float(), atol=1e-5, rtol=1e-4)


def test_means_of_windows_by_hand():
    """Windows of 2 px begin at 0, 1, 2: the first pixel has one window, the next the mean of two."""
    found = window_means(torch.tensor([[[[1.0, 3.0, 7.0]]]]), (2, 4), window=2, stride=1)
    assert found.tolist() == [[[[1, 2, 5, 7], [1, 2, 5, 7]]]]
    with pytest.raises(InputError, match=r"There are \(1, 3\) drops, but \(1, 2\) windows of 3 px, 1 px apart"):
        window_means(torch.zeros(1, 1, 1, 3), (3, 4), window=3, stride=1)


def test_shares_of_bands():
    values = torch.zeros(2, 3, 2, 2)
    values[0, 0, 0, 0], values[0, 0, 1, 1], values[0, 1, 0, 1] = 3.0, -3.0, -2.0
    found = band_shares(values)
    assert found[0].tolist() == [0.75, 0.25, 0]
    assert found[1].isnan().all()


def test_maps_of_few_cells():
    values = torch.zeros(1, 2, 3, 2, 4)
    values[0, 0, 0], values[0, 0, 2] = torch.tensor([[1.0, 1, 0, 4], [1, 1, 0, 0]]), torch.tensor([[0.0, 0, -8, 0]] * 2)
    values[0, 1, 1] = 1
    assert grid_maps(values, (1, 2)).tolist() == [[[[1, -3]], [[1, 1]]]]


def test_unfit_requests_are_refused():
    images, baselines = pictures()
    with pytest.raises(InputError, match=r"give each image a baseline of its size"):
        integrated_gradients(linear, images, baselines[:1], steps=2)
    with pytest.raises(InputError, match=r"0 steps of integration"):
        integrated_gradients(linear, images, baselines, steps=0)
    for window, stride in ((2, 3), (2, 0), (0, 0)):
        with pytest.raises(InputError, match=r"the stride must be in 1..window"):
            occlusion(linear, images, baselines, window=window, stride=stride)
