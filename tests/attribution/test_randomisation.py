"""Cascading randomisation: what is forgotten when, with which values; rank correlation against scipy."""

import copy

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from rice_ssl.attribution.randomisation import Stage, cascade, rank_correlation, stages
from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import Classifier, FusedClassifier
from rice_ssl.models.encoder import Encoder


def classifier(name="resnet10t", **options):
    torch.manual_seed(0)
    network = Classifier(Encoder(EncoderConfig(name, options, "avg")), classes=3)
    for module in network.modules():  # as if it had been trained
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm):
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    return network.eval()


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("resnet10t", {}, ["head", "layer4", "layer3", "layer2", "layer1", "stem"]),
        ("convnext_atto", {}, ["head", "stages.3", "stages.2", "stages.1", "stages.0", "stem"]),
        ("regnety_002", {}, ["head", "s4", "s3", "s2", "s1", "stem"]),
        (
            "densenet121",
            {"growth_rate": 8, "block_config": (1, 2)},
            [
                "head",
                "features.norm5",
                "features.denseblock2",
                "features.transition1",
                "features.denseblock1",
                "features.norm0",
                "features.conv0",
            ],
        ),
        (
            "vit_tiny_patch16_224",
            {"img_size": 32, "depth": 3, "embed_dim": 24},
            ["head", "norm", "blocks.2", "blocks.1", "blocks.0", "stem"],
        ),
    ],
)
def test_stages_hold_all_that_was_trained_once_each(name, options, expected):
    network = classifier(name, **options)
    found = stages(network)
    assert [stage.name for stage in found] == expected
    unused = {"log_scale"} | {own for own, _ in network.named_parameters() if own.startswith("encoder.network.head")}
    for own, _ in network.named_parameters():
        assert sum(stage.holds(own) for stage in found) == (own not in unused), own
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        before = network(images)
        answers = [made(images) for _, made in cascade(network, found)]
    assert all(torch.isfinite(answer).all() for answer in answers)
    assert all(not torch.allclose(answer, before) for answer in answers)
    assert all(not torch.allclose(a, b) for a, b in zip(answers, answers[1:], strict=False))
    assert all(answer.std(dim=0).max() > 0 for answer in answers)  # pictures still make a difference


def test_a_fused_classifier_s_head_is_all_that_follows_the_encoder():
    network = FusedClassifier(Encoder(EncoderConfig("resnet10t", {}, "avg")), classes=3, sensors=2)
    assert stages(network)[0] == Stage("head", ("norms", "head"))


def test_earlier_stages_stay_forgotten_and_later_ones_as_they_were():
    network = classifier()
    before = copy.deepcopy(network.state_dict())
    parts, gone = stages(network), []
    for stage, (name, made) in zip(parts, cascade(network, parts, seed=1), strict=True):
        gone.append(stage)
        assert name == stage.name
        for own, value in made.state_dict().items():
            held = any(one.holds(own) for one in gone)
            fresh = not torch.equal(value, before[own])
            assert fresh <= held, own
            if held and value.ndim >= 2:
                assert fresh, own
    assert all(torch.equal(value, before[own]) for own, value in network.state_dict().items())


def test_new_values_are_those_of_a_new_network():
    network = classifier()
    *_, (_, made) = cascade(network, stages(network))
    for module in made.encoder.modules():
        if isinstance(module, nn.Conv2d):
            inputs = module.weight[0].numel()
            assert module.weight.mean().item() == pytest.approx(0, abs=5 * (2 / inputs / module.weight.numel()) ** 0.5)
            assert module.weight.var().item() == pytest.approx(2 / inputs, rel=0.25)
        if isinstance(module, nn.BatchNorm2d):
            for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
                assert (getattr(module, name) == value).all()
    assert (made.head[-1].bias == 0).all()
    assert (made.head[0].running_mean == 0).all()


def test_other_parameters_keep_their_spread():
    """A layer scale of a millionth or of zero would cut its branch off, one of 1 would make it far too loud."""
    network = classifier("convnext_atto", ls_init_value=1e-6)
    for name, value in network.named_parameters():
        if name.endswith("gamma"):
            value.data.normal_(0.3, 0.05)
    *_, (_, made) = cascade(network, stages(network))
    scales = torch.cat([value for name, value in made.named_parameters() if name.endswith("gamma")])
    assert scales.mean().item() == pytest.approx(0.3, abs=0.02)
    assert scales.std().item() == pytest.approx(0.05, rel=0.15)


def test_new_weights_are_seeded_and_do_not_depend_on_the_stages_before():
    network = classifier()
    parts = stages(network)
    ((_, alone),) = cascade(network, parts[2:3], seed=1)
    third = dict(zip(range(3), (copy.deepcopy(made) for _, made in cascade(network, parts[:3], seed=1)), strict=True))[
        2
    ]
    for a, b in zip(alone.encoder.network.layer3.parameters(), third.encoder.network.layer3.parameters(), strict=True):
        assert torch.equal(a, b)
    ((_, other),) = cascade(network, parts[2:3], seed=2)
    weight = "encoder.network.layer3.0.conv1.weight"
    assert not torch.equal(alone.get_parameter(weight), other.get_parameter(weight))


def test_a_stage_that_holds_nothing_is_refused():
    with pytest.raises(InputError, match=r"Stage last \(layer9\) holds nothing"):
        next(cascade(classifier(), [Stage("last", ("layer9",))]))


def test_rank_correlation_is_scipy_s_of_absolute_values():
    rng = np.random.default_rng(0)
    a, b = np.round(3 * rng.standard_normal((4, 5, 6))), np.round(3 * rng.standard_normal((4, 5, 6)))
    expected = [spearmanr(np.abs(x).ravel(), np.abs(y).ravel()).statistic for x, y in zip(a, b, strict=True)]
    assert rank_correlation(a.astype(np.float16), b.astype(np.float32)).tolist() == pytest.approx(expected)
    assert rank_correlation(a, -a).tolist() == pytest.approx([1] * 4)
    assert rank_correlation(a, np.zeros_like(a)).tolist() == [0] * 4
