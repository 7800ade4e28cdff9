import math

import numpy as np
import pytest
import torch
from torch import nn

from rice_ssl.data.loading import ImageCache
from rice_ssl.sensors import RGB, RGNIR
from rice_ssl.training.batches import LabelledRows, Pictures
from rice_ssl.training.online import OnlineKnn, effective_rank, is_better


def test_effective_rank_by_hand():
    """Centred, (+-a, 0) and (0, +-b) have singular values a sqrt 2 and b sqrt 2: equal ones give rank 2."""
    points = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert effective_rank(points + 7) == pytest.approx(2.0)
    share = torch.tensor([3 / 4, 1 / 4])
    stretched = points * torch.tensor([3.0, 1.0])
    assert effective_rank(stretched) == pytest.approx(math.exp(-float((share * share.log()).sum())), abs=1e-6)
    assert effective_rank(torch.ones(5, 3)) == 1.0
    line = torch.linspace(-1, 1, 9)[:, None] * torch.tensor([[1.0, 2.0, 2.0]])
    assert effective_rank(line) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
def test_effective_rank_is_that_of_the_singular_values(shape):
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    sizes = torch.linalg.svdvals((values - values.mean(dim=0)).double())
    share = sizes / sizes.sum()
    share = share[share > 1e-12]
    assert effective_rank(values) == pytest.approx(math.exp(-float((share * share.log()).sum())), rel=1e-3)


def test_online_accuracy_is_of_labelled_images_per_sensor():
    """An encoder that gives the mean of a picture's bands: bright reds are class 0, bright blues class 1."""

    class Means(nn.Module):
        def forward(self, images):
            return images.mean(dim=(2, 3))

    images = np.zeros((12, 4, 4, 3), dtype=np.uint8)
    for pair in range(6):
        images[2 * pair, ..., 0 if pair % 2 == 0 else 2] = 200
        images[2 * pair + 1, ..., 1] = 50 + 20 * pair  # rgnir tells nothing
    pictures = Pictures(ImageCache(images, {}), ["rgb", "rgnir"] * 6, (RGB, RGNIR), torch.device("cpu"))
    rows = np.arange(12).reshape(6, 2)
    rows[1, 1] = -1
    targets = np.array([0, 1, 0, 1, 0, -1])
    knn = OnlineKnn(
        pictures, LabelledRows(rows[:4], targets[:4]), LabelledRows(rows[4:], targets[4:]), ("rgb", "rgnir")
    )
    (bank, query) = knn.sides["rgnir"]
    assert bank[0].tolist() == [1, 5, 7]
    assert query[0].tolist() == [9]  # the pair without a label is left out
    network = Means().train()
    found = knn.accuracy(network)
    assert found["knn_accuracy_rgb"] == 1.0
    assert set(found) == {"knn_accuracy_rgb", "knn_accuracy_rgnir"}
    assert network.training
    nobody = LabelledRows(rows[:4], np.full(4, -1))
    assert OnlineKnn(pictures, nobody, nobody, ("rgb", "rgnir")).accuracy(network) == {}


def test_better_is_lower_and_finite():
    assert is_better(1.0, math.nan)
    assert is_better(1.0, 2.0)
    assert not is_better(2.0, 2.0)
    assert not is_better(math.nan, math.nan)
