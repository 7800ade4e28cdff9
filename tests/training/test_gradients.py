import math

import pytest
import torch
from lightning.fabric.plugins.precision import MixedPrecision, Precision
from torch import nn

from rice_ssl.errors import TrainingError
from rice_ssl.training.gradients import checked_gradient_norm, gradient_norm


def linear(gradient):
    """One weight of 2 with a given gradient, and its optimizer."""
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 2.0)
    network.weight.grad = torch.tensor([[gradient]])
    return network, torch.optim.SGD(network.parameters(), lr=1.0)


def test_the_norm_of_several_tensors():
    network = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1))
    network[0].weight.grad = torch.tensor([[3.0, 4.0]])
    network[1].weight.grad = torch.tensor([[12.0]])
    assert gradient_norm(network) == pytest.approx(13.0)


def test_a_network_without_gradients():
    assert gradient_norm(nn.Linear(1, 1)) == 0.0


@pytest.mark.parametrize("gradient", [math.nan, math.inf])
def test_a_broken_gradient_stops_before_the_step(gradient):
    """As oneDNN gives one, now and then, for bfloat16 convolutions with stride 2 on a map of one cell (torch 2.15)."""
    network, optimizer = linear(gradient)
    with pytest.raises(TrainingError, match=f"The gradient became {gradient} at step 7"):
        checked_gradient_norm(network, optimizer, Precision(), 7)
    assert float(network.weight.detach()) == 2.0


def test_under_a_loss_scaler_the_step_is_skipped_instead():
    network, optimizer = linear(0.0)
    precision = MixedPrecision("16-mixed", "cpu", scaler=torch.amp.GradScaler("cpu", init_scale=8.0))
    precision.scaler.scale(network(torch.tensor([[1.0]])).sum()).backward()
    assert float(network.weight.grad) == 8.0
    assert checked_gradient_norm(network, optimizer, precision, 0) == 1.0
    network.weight.grad.fill_(math.inf)
    precision.scaler.update()
    assert checked_gradient_norm(network, optimizer, precision, 1) == math.inf
    precision.scaler.step(optimizer)
    assert float(network.weight.detach()) == 2.0
