"""Loss and codes against lightly's SwaVLoss, on random logits, with and without a queue."""

import pytest
import torch
from lightly.loss import SwaVLoss
from lightly.loss.swav_loss import sinkhorn
from torch.nn import functional

from rice_ssl.config import PretrainConfig
from rice_ssl.swav.queue import ProjectionQueue
from rice_ssl.swav.sinkhorn import balanced_codes
from rice_ssl.training.objective import Objective, Outputs


def unit(*shape, seed):
    return functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


@pytest.mark.parametrize(("epsilon", "rounds"), [(0.05, 3), (0.03, 3), (0.1, 1), (0.05, 8)])
def test_codes(epsilon, rounds):
    logits = unit(24, 16, seed=0) @ unit(40, 16, seed=1).T
    theirs = sinkhorn(logits, iterations=rounds, epsilon=epsilon)
    torch.testing.assert_close(balanced_codes(logits, epsilon=epsilon, rounds=rounds), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("queued", [False, True])
@pytest.mark.parametrize(("assigned", "local"), [(2, 0), (2, 6), (4, 2)])
def test_loss_and_its_gradient(assigned, local, queued):
    prototypes = unit(40, 16, seed=1).requires_grad_()
    crops = [unit(12, 16, seed=10 + number) for number in range(assigned + local)]
    queue = ProjectionQueue(views=assigned, length=36, size=16, batch_size=12)
    for turn in range(3):
        queue.push([unit(12, 16, seed=100 * turn + view) for view in range(assigned)])
    logits = [crop @ prototypes.T for crop in crops]
    objective = Objective(PretrainConfig(temperature=0.1, epsilon=0.05), assigned, local)
    outputs = Outputs(crops[0], crops[:assigned], logits)
    result, _ = objective.loss(outputs, prototypes, queue if queued else None)
    theirs = SwaVLoss(temperature=0.1, sinkhorn_iterations=3, sinkhorn_epsilon=0.05)(
        logits[:assigned],
        logits[assigned:],
        [queue.view(view) @ prototypes.T for view in range(assigned)] if queued else None,
    )
    assert float(result.loss.detach()) == pytest.approx(float(theirs.detach()), abs=1e-5)
    ours = torch.autograd.grad(result.loss, prototypes, retain_graph=True)[0]
    torch.testing.assert_close(ours, torch.autograd.grad(theirs, prototypes)[0], rtol=0, atol=1e-5)
