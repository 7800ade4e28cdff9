import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from rice_ssl.attribution.grad_cam import grad_cam
from rice_ssl.config import EncoderConfig
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
