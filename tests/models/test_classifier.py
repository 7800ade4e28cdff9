import math

import pytest
import torch

from rice_ssl.config import EncoderConfig
from rice_ssl.models.classifier import INITIAL_SCALE, Classifier
from rice_ssl.models.encoder import Encoder


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    return Classifier(Encoder(EncoderConfig("resnet10t", {"channels": [8, 16, 24, 32]})), 3).eval()


def test_a_pair_has_the_scaled_mean_of_its_pictures_logits(classifier):
    logits = torch.tensor([[[1.0, 2.0, -1.0], [3.0, 0.0, 1.0]]])
    both = torch.tensor([[True, True]])
    with torch.no_grad():
        assert classifier.join(logits, both)[0].tolist() == pytest.approx([3.0, 1.5, 0.0])  # INITIAL_SCALE is 1.5
        classifier.log_scale.fill_(math.log(2))
        assert classifier.join(logits, both)[0].tolist() == pytest.approx([4.0, 2.0, 0.0])
    assert INITIAL_SCALE == 1.5


def test_a_pair_with_one_picture_has_that_pictures_logits(classifier):
    logits = torch.tensor([[[1.0, 2.0, -1.0], [99.0, 99.0, 99.0]], [[99.0, 99.0, 99.0], [3.0, 0.0, 1.0]]])
    joined = classifier.join(logits, torch.tensor([[True, False], [False, True]]))
    assert joined.tolist() == [[1.0, 2.0, -1.0], [3.0, 0.0, 1.0]]


def test_joining_equals_a_slow_loop_for_three_sensors(classifier):
    logits = torch.randn(20, 3, 4)
    present = torch.rand(20, 3) < 0.6
    present[:, 1] |= ~present.any(dim=1)
    joined = classifier.join(logits, present)
    for pair in range(20):
        there = [logits[pair, slot] for slot in range(3) if present[pair, slot]]
        expected = sum(there) / len(there) * (1.5 if len(there) > 1 else 1.0)
        torch.testing.assert_close(joined[pair].detach(), expected)


def test_the_scale_learns_from_pairs_of_two_pictures_only(classifier):
    logits = torch.ones(1, 2, 3)
    classifier.join(logits, torch.tensor([[True, False]])).sum().backward()
    assert classifier.log_scale.grad == 0
    classifier.join(logits, torch.tensor([[True, True]])).sum().backward()
    assert classifier.log_scale.grad == pytest.approx(3 * 1.5)  # d/ds of exp(s) * 1, three classes


def test_logits_are_a_linear_function_of_the_normalised_embedding(classifier):
    norm, _, linear = classifier.head
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    images = torch.randn(2, 3, 40, 48)
    with torch.no_grad():
        embedding = classifier.encoder(images)
        scaled = (embedding - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        torch.testing.assert_close(classifier(images), scaled @ linear.weight.T + linear.bias)
    assert embedding.shape == (2, 64)


def test_dropout_leaves_out_its_share_in_training_only():
    torch.manual_seed(0)
    network = Classifier(Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})), 3, dropout=0.4)
    ones = torch.ones(4000, 16)
    assert float((network.head[1](ones) == 0).float().mean()) == pytest.approx(0.4, abs=0.01)
    assert torch.equal(network.eval().head[1](ones), ones)
