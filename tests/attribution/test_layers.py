"""CAMs of several layers, against captum and a network whose gradients can be seen."""

import copy

import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from rice_ssl.attribution.grad_cam import CAM_METHODS, class_maps
from rice_ssl.attribution.layers import layer_cams, stage_names
from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder

SWIN = {"img_size": 64, "embed_dim": 24}
NETWORKS = {
    "resnet34d": ({}, ("layer2", "layer3", "layer4")),
    "res2next50": ({}, ("layer3", "layer4")),
    "convnext_atto": ({}, ("stages.1", "stages.2", "stages.3")),
    "vit_tiny_patch16_224": ({"dynamic_img_size": True}, ("blocks.4", "blocks.10", "blocks.11")),
    "swin_tiny_patch4_window7_224": (SWIN, ("layers.1", "layers.3")),
}


def classifier_of(name, options, pooling="avg"):
    """Random weights, normalisations included, so that every channel says something else."""
    torch.manual_seed(1)
    network = Classifier(Encoder(EncoderConfig(name, options, pooling)), classes=3).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm) and module.weight is not None:
            nn.init.normal_(module.weight, 0.7, 0.2)
            nn.init.normal_(module.bias, std=0.1)
    return network


class Spot(nn.Module):
    """Passes values on as they are, and meanwhile as a map, (B, D, h, w), for captum to hook."""

    def __init__(self, prefix):
        super().__init__()
        self.map, self.prefix = nn.Identity(), prefix

    def forward(self, values):
        if values.ndim == 4:  # channels last
            return self.map(values.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        before, tokens = values[:, : self.prefix], values[:, self.prefix :]
        side = int(tokens.shape[1] ** 0.5)
        laid_out = self.map(tokens.transpose(1, 2).unflatten(2, (side, side)))
        return torch.cat([before, laid_out.flatten(2).transpose(1, 2)], dim=1)


class Watched(nn.Module):
    """A copy of the classifier with a module whose output is a layer's map."""

    def __init__(self, network, layer, last):
        super().__init__()
        self.network = copy.deepcopy(network)
        inner, self.after = self.network.encoder.network, nn.Identity()
        if layer == last:
            self.spot = self.after
        elif layer.startswith("layers") or layer.startswith("blocks"):
            parent, number = layer.split(".")
            spot = Spot(getattr(inner, "num_prefix_tokens", 0))
            block = inner.get_submodule(layer)
            inner.get_submodule(parent)[int(number)] = nn.Sequential(block, spot)
            self.spot = spot.map
        else:
            self.spot = inner.get_submodule(layer)

    def forward(self, images):
        encoder = self.network.encoder
        return self.network.classify(encoder.pool(self.after(encoder.feature_map(images))))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_and_class_equals_captum(name):
    options, layers = NETWORKS[name]
    network = classifier_of(name, options)
    images = torch.randn(2, 3, 64, 64)
    logits, found = layer_cams(network.encoder, images, network.classify, layers=layers)
    torch.testing.assert_close(logits, network(images))
    assert list(found) == list(layers)
    for layer in layers:
        watched = Watched(network, layer, layers[-1])
        peer = LayerGradCam(watched, watched.spot)
        every = [peer.attribute(images, target=number, relu_attributions=True).detach() for number in range(3)]
        expected = torch.cat(every, dim=1)
        scale = expected.max()
        assert scale > 0
        torch.testing.assert_close(found[layer]["grad_cam"] / scale, expected / scale, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_last_layer_is_the_feature_map(name):
    options, layers = NETWORKS[name]
    network = classifier_of(name, options, "concat")
    assert stage_names(network.encoder)[-1] == layers[-1]
    images, methods = torch.randn(2, 3, 64, 64), tuple(CAM_METHODS)
    features = network.encoder.feature_map(images)
    logits, expected = class_maps(features, lambda leaf: network.classify(network.encoder.pool(leaf)), methods)
    for asked in ((layers[-1],), layers):
        answered, found = layer_cams(network.encoder, images, network.classify, layers=asked, methods=methods)
        torch.testing.assert_close(answered, logits)
        assert list(found[layers[-1]]) == list(methods)
        for method in methods:
            assert torch.equal(found[layers[-1]][method], expected[method])


def test_names_of_stages():
    def names(name, **options):
        return stage_names(Encoder(EncoderConfig(name, options)))

    assert names("resnet10t") == ["act1", "layer1", "layer2", "layer3", "layer4"]
    assert names("convnext_atto") == ["stages.0", "stages.1", "stages.2", "stages.3"]
    assert names("vit_tiny_patch16_224") == [f"blocks.{number}" for number in range(12)]
    encoder = Encoder(EncoderConfig("resnet10t"))
    encoder.network.feature_info = None
    assert stage_names(encoder) == ["features"]
    images = torch.randn(1, 3, 64, 64)
    _, found = layer_cams(encoder.eval(), images, lambda embedding: embedding[:, :2], layers=["features"])
    assert found["features"]["grad_cam"].shape == (1, 2, 2, 2)


class Toy(nn.Module):
    """Doubles, then adds one and takes the ReLU in place, then triples: values and gradients are plain."""

    num_features = 1
    feature_info = [{"module": "one", "num_chs": 3}, {"module": "two", "num_chs": 3}, {"module": "end", "num_chs": 1}]

    class Times(nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = nn.Parameter(torch.tensor(float(factor)))

        def forward(self, values):
            return self.factor * values

    def __init__(self):
        super().__init__()
        self.one, self.two = self.Times(2), self.Times(3)

    def forward_features(self, images):
        values = self.two(self.one(images).add_(1).relu_())
        return values.mul_(-1).sum(dim=1, keepdim=True)


@pytest.fixture
def toy():
    encoder = Encoder(EncoderConfig("resnet10t"))
    encoder.network = Toy()
    return encoder.eval()


def test_what_comes_after_in_place_does_not_change_a_map(toy):
    images = torch.tensor([[[[1.0, -2.0]], [[0.5, 0.0]], [[3.0, 1.0]]]])

    def classify(embedding):
        return -embedding

    toy.pooling = "avg"
    logits, found = layer_cams(toy, images, classify, layers=["two", "one"], methods=["layer_cam"])
    # one: 2 x; two: 3 relu(2 x + 1); the logit: their sum, and the mean over two cells.
    assert logits.tolist() == [[(9 + 0 + 6 + 3 + 21 + 9) / 2]]
    assert list(found) == ["two", "one"]
    assert found["two"]["layer_cam"].tolist() == [[[[(9 + 6 + 21) / 2, (0 + 3 + 9) / 2]]]]  # gradient 1/2 everywhere
    # gradient 3/2 where 2 x + 1 > 0, which -4 + 1 is not
    assert found["one"]["layer_cam"].tolist() == [[[[1.5 * (2 + 1 + 6), 1.5 * (0 + 2)]]]]
    assert torch.is_grad_enabled()
    assert not any(module._forward_hooks for module in toy.modules())


def test_nothing_before_the_earliest_layer_is_kept():
    network = classifier_of("resnet10t", {})
    sides = set()

    def note(values):
        sides.update(values.shape[2:] if values.ndim == 4 and values.shape[1] > 1 and values.shape[2] > 3 else ())
        return values

    images = torch.randn(1, 3, 128, 128)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda values: values):
        layer_cams(network.encoder, images, network.classify, layers=["layer4", "layer3"])
    assert sides == {4, 8}  # the maps of layer4 and layer3; that of layer2 has 16, the images have 128


def test_maps_are_the_same_without_gradients_around_and_alone():
    network = classifier_of("resnet10t", {"channels": [8, 16, 24, 32]})
    images = torch.randn(3, 3, 64, 64)
    _, together = layer_cams(network.encoder, images, network.classify, layers=["layer2"], methods=["layer_cam"])
    with torch.no_grad():
        for k in range(3):
            own = images[k : k + 1]
            _, alone = layer_cams(network.encoder, own, network.classify, layers=["layer2"], methods=["layer_cam"])
            torch.testing.assert_close(alone["layer2"]["layer_cam"][0], together["layer2"]["layer_cam"][k])
        assert not torch.is_grad_enabled()


@pytest.mark.parametrize(("layers", "said"), [(["layer5"], "'layer5'"), ([], "none")])
def test_unknown_layers_are_refused(layers, said):
    encoder = Encoder(EncoderConfig("resnet10t")).eval()
    with pytest.raises(InputError, match=f"asked for is {said}: those of resnet10t are act1, layer1, .*, layer4"):
        layer_cams(encoder, torch.zeros(1, 3, 64, 64), lambda embedding: embedding, layers=layers)


def test_layers_without_a_map_are_refused(toy):
    def refused(one, forward_features, said):
        toy.network.one.forward, toy.network.forward_features = one, forward_features
        with pytest.raises(InputError, match=said):
            layer_cams(toy, torch.zeros(1, 3, 2, 2), lambda embedding: embedding, layers=["one"])
        assert torch.is_grad_enabled()
        assert not any(module._forward_hooks for module in toy.modules())

    def first(images):
        return toy.network.one(images)

    tokens = "Layer one of resnet10t gives 3 tokens for a grid of 2x2"
    refused(lambda values: values.flatten(2), lambda images: first(images).view(1, 3, 2, 2), tokens)
    refused(lambda values: values, lambda images: images, "gives nothing, which is no feature map")
    other = "gives a tuple, which is no feature map: ask for another one, such as end"
    refused(lambda values: (values, 1), lambda images: first(images)[0], other)
    refused(lambda values: values[0, 0], lambda images: images * first(images).sum(), r"gives values of shape \(2, 2\)")
