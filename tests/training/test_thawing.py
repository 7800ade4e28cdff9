import pytest
import torch

from rice_ssl.config import EncoderConfig
from rice_ssl.models.encoder import Encoder
from rice_ssl.training.thawing import encoder_stages, learning_stages, parameter_groups, thaw


@pytest.fixture
def encoder():
    return Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 16]}))


def test_the_stages_are_the_networks_from_the_stem_up_and_each_parameter_is_in_one(encoder):
    stages = encoder_stages(encoder)
    name = {id(parameter): key for key, parameter in encoder.network.named_parameters()}
    heads = [{name[id(parameter)].split(".")[0] for parameter in stage} for stage in stages]
    assert heads == [{"conv1", "bn1"}, {"layer1"}, {"layer2"}, {"layer3"}, {"layer4"}]
    every = [id(parameter) for stage in stages for parameter in stage]
    assert sorted(every) == sorted(id(parameter) for parameter in encoder.parameters())


@pytest.mark.parametrize("name", ["mobilenetv4_conv_small_050", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_other_families_are_staged_too(name):
    encoder = Encoder(EncoderConfig(name))
    stages = encoder_stages(encoder)
    assert len(stages) > 3
    assert sum(len(stage) for stage in stages) == len(list(encoder.parameters()))


def test_each_stage_learns_at_its_own_rate():
    stages = [[torch.nn.Parameter(torch.zeros(1))] for _ in range(3)]
    head = [torch.nn.Parameter(torch.zeros(1))]
    groups = parameter_groups(stages, head, encoder_factor=0.4, layer_decay=0.5)
    assert [group["factor"] for group in groups] == pytest.approx([0.1, 0.2, 0.4, 1.0])
    assert [group["params"] for group in groups] == [*stages, head]


@pytest.mark.parametrize(
    ("unfreeze", "expected"), [(0, [0, 0, 5, 5, 5, 5]), (1, [0, 0, 1, 2, 3, 4]), (2, [0, 0, 1, 1, 2, 2])]
)
def test_stages_begin_to_learn_from_the_top(unfreeze, expected):
    assert [learning_stages(e, 5, frozen_epochs=2, unfreeze_epochs=unfreeze) for e in range(6)] == expected
    assert learning_stages(99, 5, frozen_epochs=2, unfreeze_epochs=unfreeze) == 5


def test_what_does_not_learn_keeps_its_statistics_too(encoder):
    stages = encoder_stages(encoder)
    encoder.train()
    thaw(encoder, stages, 2)
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    encoder(torch.rand(4, 3, 32, 32)).sum().backward()
    moved = {key.split(".")[1] for key, value in encoder.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {"layer3", "layer4"}
    assert {key.split(".")[1] for key, p in encoder.named_parameters() if p.grad is not None} == {"layer3", "layer4"}
