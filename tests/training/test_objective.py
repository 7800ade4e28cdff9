import math

import pytest
import torch
from torch import nn

from rice_ssl.config import PretrainConfig
from rice_ssl.swav.loss import swapped_loss
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.swav.sinkhorn import balanced_codes
from rice_ssl.training.objective import Objective, sensor_agreement

CONFIG = PretrainConfig(epsilon=0.1, temperature=0.2)


class Given(nn.Module):
    """A network whose images are its projections."""

    def __init__(self, prototypes):
        super().__init__()
        self.prototypes = prototypes

    def forward(self, images, smaller=None):
        images = images if smaller is None else torch.cat([images, smaller])
        return images, images, images @ self.prototypes.T


def unit(*shape, seed):
    return nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.fixture
def given():
    prototypes = unit(5, 4, seed=0)
    return Given(prototypes), prototypes, (unit(6, 4, seed=1), unit(9, 4, seed=2))


def test_without_queue_it_is_the_loss_over_all_crops(given):
    model, prototypes, (first, second) = given
    objective = Objective(CONFIG, assigned=2, local=3)
    outputs = objective.outputs(model, (first, second))
    result, _ = objective.loss(outputs, prototypes, None)
    assert torch.equal(outputs.embeddings, first)
    logits = [*(first @ prototypes.T).chunk(2), *(second @ prototypes.T).chunk(3)]
    codes = [balanced_codes(logits[view], epsilon=0.1) for view in (0, 1)]
    assert float(result.loss) == pytest.approx(float(swapped_loss(logits, codes, [0, 1], temperature=0.2).loss))


def test_with_queue_the_codes_are_balanced_together_and_the_batch_part_is_used(given):
    model, prototypes, (first, _) = given
    queue = ProjectionQueue(views=2, length=3, size=4, batch_size=3)
    queue.push([unit(3, 4, seed=3), unit(3, 4, seed=4)])
    objective = Objective(CONFIG, assigned=2, local=0)
    outputs = objective.outputs(model, (first, None))
    result, codes = objective.loss(outputs, prototypes, queue)
    for view in (0, 1):
        joined = torch.cat([first.chunk(2)[view], queue.view(view)]) @ prototypes.T
        torch.testing.assert_close(codes[view], balanced_codes(joined, epsilon=0.1)[:3])
    without, _ = objective.loss(outputs, prototypes, None)
    assert abs(float(result.loss) - float(without.loss)) > 1e-3
    assert objective.reference(outputs, prototypes) == pytest.approx(float(without.loss), abs=1e-6)


def test_sensor_agreement_counts_complete_pairs_alone():
    picks = [torch.tensor([0, 1, 2, 0]), torch.tensor([0, 2, 2, 0])]
    complete = torch.tensor([True, True, True, False])
    assert sensor_agreement(picks, [0, 1], complete) == pytest.approx(2 / 3)
    assert math.isnan(sensor_agreement(picks, [0, 0], complete))
    assert math.isnan(sensor_agreement(picks, [0, 1], torch.zeros(4, dtype=torch.bool)))
