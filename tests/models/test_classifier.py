import math

import pytest
import torch

from rice_ssl.config import EncoderConfig, FinetuneConfig
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import INITIAL_SCALE, Classifier, FusedClassifier, build_classifier, used_slots
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


def fused(hidden=0):
    torch.manual_seed(1)
    encoder = Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]}))
    return FusedClassifier(encoder, 3, 2, dropout=0.0, hidden=hidden).eval()


def test_a_fused_pair_by_hand():
    """Without a hidden layer: normalised embeddings side by side, times the weights; a missing one counts as zero."""
    network = fused()
    embeddings = torch.rand(4, 2, 16)
    normed = torch.stack([norm(embeddings[:, slot]) for slot, norm in enumerate(network.norms)], dim=1)
    weight, bias = network.head[1].weight, network.head[1].bias
    first, second = weight[:, :16], weight[:, 16:]
    present = torch.tensor([[True, True], [True, True], [True, False], [False, True]])
    single, joint = network.judge(embeddings, present)
    for slot, own in enumerate((first, second)):
        there = present[:, slot]
        torch.testing.assert_close(single[there, slot], (normed[:, slot] @ own.T + bias)[there])
    torch.testing.assert_close(joint[:2], (normed[:, 0] @ first.T + normed[:, 1] @ second.T + bias)[:2])
    torch.testing.assert_close(joint[2], single[2, 0])
    torch.testing.assert_close(joint[3], single[3, 1])


def test_what_stands_in_for_a_missing_image_makes_no_difference():
    network, present = fused(hidden=6), torch.tensor([[True, False]])
    one, other = torch.rand(1, 2, 16), torch.rand(1, 2, 16)
    other[:, 0] = one[:, 0]
    assert torch.equal(network.judge(one, present)[1], network.judge(other, present)[1])


def test_a_single_image_is_judged_by_its_sensors_weights():
    network, embeddings = fused(hidden=6), torch.rand(5, 2, 16)
    single, _ = network.judge(embeddings, torch.ones(5, 2, dtype=torch.bool))
    for slot in (0, 1):
        found = network.classify(embeddings[:, slot], torch.full((5,), slot))
        torch.testing.assert_close(found, single[:, slot])
    with pytest.raises(ValueError, match="give slots"):
        network.classify(embeddings[:, 0])


def test_a_shared_classifier_judges_images_alike_and_joins_them():
    network, embeddings = Classifier(fused().encoder, 3).eval(), torch.rand(5, 2, 16)
    present = torch.ones(5, 2, dtype=torch.bool)
    single, joint = network.judge(embeddings, present)
    torch.testing.assert_close(single[:, 1], network.classify(embeddings[:, 1]))
    torch.testing.assert_close(joint, 1.5 * single.mean(dim=1))


@pytest.mark.parametrize(
    ("sensors", "kind", "slots"),
    [("shared", Classifier, [0, 1]), ("fused", FusedClassifier, [0, 1]), ("rgnir", Classifier, [1])],
)
def test_the_settings_choose_the_classifier(sensors, kind, slots):
    encoder = EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})
    config = FinetuneConfig(sensors=sensors, hidden=6)
    network = build_classifier(encoder, config, 4, ("rgb", "rgnir"))
    assert type(network) is kind
    assert network.head[-1].weight.shape == (4, 6)
    assert used_slots(config, ("rgb", "rgnir")) == slots


def test_of_one_sensor_nothing_is_fused():
    encoder = EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})
    assert type(build_classifier(encoder, FinetuneConfig(sensors="fused"), 3, ("rgb",))) is Classifier


def test_an_unknown_sensor_is_named():
    with pytest.raises(InputError, match="finetune.sensors is 'thermal', but the images are of rgb, rgnir"):
        used_slots(FinetuneConfig(sensors="thermal"), ("rgb", "rgnir"))


def test_a_sensors_statistics_are_of_the_images_that_are_there():
    """What stands in for a missing image has no part in the batch's mean, nor in the running one."""
    network = fused().train()
    embeddings = torch.rand(6, 2, 16)
    present = torch.tensor([[True, True]] * 3 + [[True, False]] * 3)
    embeddings[3:, 1] = 99.0
    network.judge(embeddings, present)
    torch.testing.assert_close(network.norms[1].running_mean, 0.1 * embeddings[:3, 1].mean(dim=0))
    torch.testing.assert_close(network.norms[0].running_mean, 0.1 * embeddings[:, 0].mean(dim=0))
    before = network.norms[1].running_mean.clone()
    single, _ = network.judge(embeddings, torch.tensor([[True, True]] + [[True, False]] * 5))
    assert torch.equal(network.norms[1].running_mean, before)  # one image has no spread
    assert bool(torch.isfinite(single).all())
