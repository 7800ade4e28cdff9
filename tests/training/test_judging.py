import numpy as np
import pytest
import torch

from rice_ssl.config import EncoderConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.sensors import RGB, RGNIR
from rice_ssl.training.batches import Pictures
from rice_ssl.training.judging import BATCH, judge_rows, versions


def test_the_eight_versions_of_a_square_are_those_of_the_dihedral_group():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    found = versions(image, 8)
    expected = [torch.rot90(side, k, (2, 3)) for side in (image, image.flip(3)) for k in range(4)]
    assert sorted(v.flatten().tolist() for v in found) == sorted(v.flatten().tolist() for v in expected)
    assert torch.equal(found[0], image)
    assert torch.equal(found[1], image.flip(3))


def test_an_image_that_is_not_square_is_mirrored_alone():
    image = torch.rand(2, 3, 4, 6)
    found = versions(image, 8)
    assert [tuple(v.shape) for v in found] == [(2, 3, 4, 6)] * 4
    assert torch.equal(found[3], image.flip(2, 3))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Classifier(Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})), 3)


def pictures(count):
    images = np.random.default_rng(1).integers(0, 255, (2 * count, 24, 24, 3)).astype(np.uint8)
    return Pictures(ImageCache(images, {}), ["rgb", "rgnir"] * count, (RGB, RGNIR), torch.device("cpu"))


def test_logits_equal_a_slow_loop_over_pairs_and_versions(network):
    count = BATCH + 3
    data, rows = pictures(count), np.arange(2 * count).reshape(count, 2)
    rows[5, 0] = rows[6, 1] = -1
    single, joint = judge_rows(network, data, rows, views=3)
    for pair in (0, 5, 6, BATCH, count - 1):
        there = [slot for slot in (0, 1) if rows[pair, slot] >= 0]
        with torch.no_grad():
            own = {
                slot: torch.stack([network(v)[0] for v in versions(data.whole(rows[pair, [slot]]), 3)]).mean(dim=0)
                for slot in there
            }
        for slot in there:
            torch.testing.assert_close(single[pair, slot], own[slot], rtol=1e-4, atol=1e-5)
        scale = 1.5 if len(there) == 2 else 1.0
        torch.testing.assert_close(joint[pair], scale * sum(own.values()) / len(there), rtol=1e-4, atol=1e-5)


def test_dropout_and_statistics_are_those_of_evaluation(network):
    network.train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    one = judge_rows(network, pictures(3), np.arange(6).reshape(3, 2))[1]
    assert torch.equal(one, judge_rows(network, pictures(3), np.arange(6).reshape(3, 2))[1])
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
