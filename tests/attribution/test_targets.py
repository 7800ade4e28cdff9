"""CAMs of prototypes and of similarity, against a slow loop over single images by plain autograd."""

import pytest
import torch
from torch import nn

from rice_ssl.attribution.targets import prototype_cams, prototype_maps, similarity_cams, similarity_maps
from rice_ssl.config import EncoderConfig, PretrainConfig
from rice_ssl.errors import InputError
from rice_ssl.training.pretrain import build_swav


@pytest.fixture(params=["avg", "concat"])
def swav(request):
    torch.manual_seed(0)
    encoder = EncoderConfig("resnet10t", {"channels": [8, 16, 24, 32], "output_stride": 16}, request.param)
    network = build_swav(encoder, PretrainConfig(hidden=8, projection=4, prototypes=6))
    for module in network.encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.3)
            nn.init.normal_(module.bias, std=0.3)
    return network.eval()


@pytest.fixture
def images():
    return torch.randn(4, 3, 64, 80, generator=torch.Generator().manual_seed(1))


def slow_cam(features, score):
    """Grad-CAM of one image, cell by cell."""
    (gradient,) = torch.autograd.grad(score, features, retain_graph=True)
    found = torch.zeros(features.shape[2:])
    for channel in range(features.shape[1]):
        found += gradient[0, channel].mean() * features[0, channel].detach()
    return found.clamp(min=0)


def test_assigned_prototypes_are_those_of_a_slow_loop(swav, images):
    numbers, maps = prototype_cams(swav, images)
    assert maps.shape == (4, 4, 5)
    for image, number, own in zip(images, numbers, maps, strict=True):
        features = swav.encoder.feature_map(image[None])
        logits = swav.prototypes(nn.functional.normalize(swav.head(swav.encoder.pool(features)), dim=1))[0]
        assert number == logits.argmax()
        torch.testing.assert_close(own, slow_cam(features, logits[number]), atol=1e-6, rtol=1e-5)
    assert maps.max() > 0


def test_given_prototypes(swav, images):
    asked = torch.tensor([5, 0, 3, 3])
    numbers, maps = prototype_cams(swav, images, asked)
    assert torch.equal(numbers, asked)
    for image, number, own in zip(images, asked, maps, strict=True):
        features = swav.encoder.feature_map(image[None])
        score = swav(image[None])[2][0, number]
        again = swav.prototypes(swav.project(swav.encoder.pool(features)))[0, number]
        torch.testing.assert_close(again, score)
        torch.testing.assert_close(own, slow_cam(features, again), atol=1e-6, rtol=1e-5)
    of_features = prototype_maps(swav, swav.encoder.feature_map(images), asked)
    assert torch.equal(of_features[1], maps)


@pytest.mark.parametrize("asked", [[0, 1, 2, 6], [-1, 0, 0, 0], [0]])
def test_prototypes_that_are_not_there_are_refused(swav, images, asked):
    with pytest.raises(InputError, match=r"give each of the 4 images a number from 0 to 5"):
        prototype_cams(swav, images, torch.tensor(asked))


def test_similarity_is_that_of_a_slow_loop(swav, images):
    other = images.flip(0) + 0.5
    with torch.no_grad():
        cosines, *maps = similarity_cams(swav.encoder, images, other)
    for k in range(4):
        features = [swav.encoder.feature_map(of[k : k + 1]) for of in (images, other)]
        embeddings = [swav.encoder.pool(own)[0] for own in features]
        score = (embeddings[0] @ embeddings[1]) / (embeddings[0].norm() * embeddings[1].norm())
        torch.testing.assert_close(cosines[k], score.detach())
        for own, of in zip(features, maps, strict=True):
            torch.testing.assert_close(of[k], slow_cam(own, score), atol=1e-6, rtol=1e-4)
    assert min(of.max() for of in maps) > 0
    again = similarity_maps(swav.encoder, *map(swav.encoder.feature_map, (images, other)))
    for found, own in zip((cosines, *maps), again, strict=True):
        torch.testing.assert_close(found, own)


def test_an_image_is_no_more_like_itself_anywhere(swav, images):
    """The cosine cannot grow beyond 1, so there is no gradient."""
    cosines, *maps = similarity_cams(swav.encoder, images, images)
    assert cosines.tolist() == pytest.approx([1] * 4)
    assert all(float(of.max()) < 1e-5 for of in maps)


def test_unlike_numbers_of_images_are_refused(swav, images):
    with pytest.raises(InputError, match="give as many of one size"):
        similarity_cams(swav.encoder, images, images[:3])
