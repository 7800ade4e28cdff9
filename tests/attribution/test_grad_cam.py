import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from rice_ssl.attribution.grad_cam import CAM_METHODS, class_maps, grad_cam
from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder


@pytest.fixture(params=["avg", "concat"])
def classifier(request):
    torch.manual_seed(0)
    options = {"channels": [8, 16, 24, 32], "output_stride": 16}
    network = Classifier(Encoder(EncoderConfig("resnet10t", options, request.param)), classes=3)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3) if parameter.dim() == 1 else None
    return network.eval()


def cams_of(classifier, images):
    features = classifier.encoder.feature_map(images)
    return grad_cam(features, lambda leaf: classifier.classify(classifier.encoder.pool(leaf)))


def test_every_class_equals_captum(classifier):
    class Whole(nn.Module):
        """The classifier with its feature map as a module, for captum to hook."""

        def __init__(self):
            super().__init__()
            self.features = nn.Identity()

        def forward(self, images):
            return classifier.classify(classifier.encoder.pool(self.features(classifier.encoder.feature_map(images))))

    whole, images = Whole(), torch.randn(4, 3, 64, 80)
    logits, cams = cams_of(classifier, images)
    assert cams.shape == (4, 3, 4, 5)
    torch.testing.assert_close(logits, classifier(images))
    peer = LayerGradCam(whole, whole.features)
    for number in range(3):
        expected = peer.attribute(images, target=number, relu_attributions=True)[:, 0]
        torch.testing.assert_close(cams[:, number], expected.detach())
    assert float(cams.max()) > 0


def test_a_picture_has_the_same_cam_alone_and_in_a_batch(classifier):
    images = torch.randn(3, 3, 64, 64)
    _, together = cams_of(classifier, images)
    for k in range(3):
        torch.testing.assert_close(cams_of(classifier, images[k : k + 1])[1][0], together[k])


def test_by_hand_on_a_linear_head():
    """One channel says 2 x mean, the other -1 x mean: the class's CAM is relu(2 a - b) / cells."""
    a, b = torch.tensor([[4.0, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 4.0], [2.0, 0.0]])
    features = torch.stack([a, b])[None]
    logits, cams = grad_cam(features, lambda leaf: leaf.mean(dim=(2, 3)) @ torch.tensor([[2.0], [-1.0]]))
    assert logits.tolist() == [[0.5]]
    assert cams[0, 0].tolist() == [[2.0, 0.0], [0.0, 0.0]]


A = torch.tensor([[[1.0, 2.0], [3.0, 0.0]], [[0.0, 2.0], [0.0, 0.0]]])
"""A feature map of two channels, which sum to 6 and to 2."""
W = torch.tensor([[[1.0, -1.0], [1.0, 1.0]], [[3.0, 3.0], [-3.0, -7.0]]])
"""A class's gradient there, of mean 1/2 and -1; the other class's is the opposite."""


def weigh(leaf):
    """Logits of the two classes: each cell counts by its weight, so the weights are the gradient."""
    logit = (W * leaf).sum(dim=(1, 2, 3))
    return torch.stack([logit, -logit], dim=1)


def test_all_methods_by_hand():
    logits, maps = class_maps(A[None], weigh, tuple(CAM_METHODS))
    assert logits.tolist() == [[8.0, -8.0]]  # 1 - 2 + 3 + 0, and 3 x 2
    assert {method: tuple(own.shape) for method, own in maps.items()} == dict.fromkeys(CAM_METHODS, (1, 2, 2, 2))
    # Grad-CAM: relu(1/2 a - b), and relu(-1/2 a + b).
    assert maps["grad_cam"][0].tolist() == [[[0.5, 0], [1.5, 0]], [[0, 1], [0, 0]]]
    # Grad-CAM++: channel a weighs 3 x 1/(2 + 1 x 6) = 3/8, channel b 2 x 3/(2 + 3 x 2) = 6/8. For the other class
    # a weighs 1/8 (its one positive cell), b 3/(2 + 3 x 2) + 7/(2 + 7 x 2) = 13/16.
    first = [[3 / 8, 6 / 8 + 12 / 8], [9 / 8, 0]]
    assert maps["grad_cam_plus_plus"][0].tolist() == [first, [[1 / 8, 2 / 8 + 26 / 16], [3 / 8, 0]]]
    # LayerCAM: each cell by its own positive gradient.
    assert maps["layer_cam"][0].tolist() == [[[1, 6], [3, 0]], [[0, 2], [0, 0]]]


def test_plus_plus_of_a_channel_that_sums_to_less_than_nothing():
    """Eq. 19 would divide by 2 - 2 here."""
    cell = torch.tensor([[[[2.0, -4.0]]]])
    _, maps = class_maps(cell, lambda leaf: leaf.sum(dim=(1, 2, 3))[:, None], ["grad_cam_plus_plus"])
    assert maps["grad_cam_plus_plus"].tolist() == [[[[2.0, 0.0]]]]  # weight: 2 cells x 1/2


def test_plus_plus_is_the_formula_of_pytorch_grad_cam():
    """Its lines, with the 1e-6 that keeps it from dividing by zero far below the rest."""
    torch.manual_seed(0)
    features, weights = 30 * torch.rand(2, 5, 3, 4).double(), 30 * torch.randn(5, 3, 4).double()
    _, maps = class_maps(features, lambda leaf: (weights * leaf).sum(dim=(1, 2, 3))[:, None], ["grad_cam_plus_plus"])
    for activation, found in zip(features, maps["grad_cam_plus_plus"][:, 0], strict=True):
        squares, cubes = weights**2, weights**3
        shares = squares / (2 * squares + activation.sum(dim=(1, 2), keepdim=True) * cubes + 1e-6)
        weight = (weights.clamp(min=0) * shares).sum(dim=(1, 2))
        expected = sum(w * channel for w, channel in zip(weight, activation, strict=True)).clamp(min=0)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)
        assert found.max() > 0


@pytest.mark.parametrize(("methods", "said"), [(["score_cam"], "'score_cam'"), ([], "none")])
def test_unknown_methods_are_refused(methods, said):
    with pytest.raises(InputError, match=f"asked for is {said}: name one or more of grad_cam, grad_cam_plus_plus"):
        class_maps(A[None], weigh, methods)
