"""Eigenvalues against the whole Hessian, by another way; figures with intervals by hand."""

import numpy as np
import pytest
import torch
from torch.func import functional_call, hessian

from rice_ssl.errors import TrainingError
from rice_ssl.landscape.checks import gradient_norm
from rice_ssl.landscape.curvature import Hessian
from rice_ssl.landscape.intervals import batch_interval, series_interval


def small_network(dtype):
    torch.manual_seed(3)
    network = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4)).to(dtype)
    inputs, targets = torch.randn(32, 6, dtype=dtype), torch.randint(0, 4, (32,))
    names = [name for name, _ in network.named_parameters()]

    def loss(parameters):
        logits = functional_call(network, dict(zip(names, parameters, strict=True)), (inputs,))
        return torch.nn.functional.cross_entropy(3 * logits, targets)

    return network, loss


def whole(network, loss):
    """The full Hessian through torch.func, entry by entry."""
    shapes = [p.shape for p in network.parameters()]
    sizes = [p.numel() for p in network.parameters()]

    def of_vector(vector):
        return loss([part.reshape(shape) for part, shape in zip(vector.split(sizes), shapes, strict=True)])

    point = torch.cat([p.detach().reshape(-1) for p in network.parameters()])
    return hessian(of_vector)(point).double().numpy()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_eigenvalues_agree_with_the_full_hessian_s(dtype):
    network, loss = small_network(dtype)
    values = np.linalg.eigvalsh(whole(network, loss))
    found = Hessian(loss, list(network.parameters())).extremes(lowest=3, tolerance=1e-6)
    assert values[0] < 0 < values[-1]
    assert found.lowest == pytest.approx(values[:3], rel=1e-3, abs=1e-5)
    assert found.largest == pytest.approx(values[-1], rel=1e-3)
    assert found.residual < 1e-3


def test_products_and_gradient_agree_with_the_full_hessian():
    network, loss = small_network(torch.float64)
    operator = Hessian(loss, list(network.parameters()))
    vector = np.random.default_rng(0).standard_normal(operator.size)
    assert operator @ vector == pytest.approx(whole(network, loss) @ vector, abs=1e-12)
    loss(list(network.parameters())).backward()
    gradient = torch.cat([p.grad.reshape(-1) for p in network.parameters()]).numpy()
    assert operator.gradient == pytest.approx(gradient, abs=1e-14)


def test_a_tiny_point_is_solved_whole():
    """f = x^2 - 3 y^2 + x y: eigenvalues of [[2, 1], [1, -6]]."""
    point = [torch.zeros(2, dtype=torch.float64)]
    found = Hessian(lambda p: p[0][0] ** 2 - 3 * p[0][1] ** 2 + p[0][0] * p[0][1], point).extremes(lowest=1)
    assert found.lowest == pytest.approx([-2 - np.sqrt(17)])
    assert found.largest == pytest.approx(-2 + np.sqrt(17))


def test_parameters_without_influence_have_no_curvature():
    point = [torch.ones(3, dtype=torch.float64), torch.ones(2, dtype=torch.float64)]
    found = Hessian(lambda p: (p[0] ** 2).sum(), point).extremes(lowest=2)
    assert found.largest == pytest.approx(2.0)
    assert found.lowest == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_loss_that_is_a_line_is_refused():
    with pytest.raises(TrainingError, match="no Hessian"):
        Hessian(lambda p: torch.tensor(1.0), [torch.ones(2)])


def test_the_common_gradient_is_free_of_the_noise_of_batches():
    """Three batches: a common part of norm 5, and noise at right angles to it and to each other."""
    common = np.array([3.0, 4.0, 0.0, 0.0, 0.0])
    noisy = [common + 10 * np.eye(5)[k] for k in (2, 3, 4)]
    found = gradient_norm(noisy)
    assert (found.value, found.low, found.high) == pytest.approx((5.0, 5.0, 5.0))
    assert gradient_norm([common]).value == 5.0


def test_a_mean_of_batches_has_students_interval():
    found = batch_interval([1.0, 2.0, 3.0], spread=0.5)
    half = 4.302652729911275 * 1.0 / np.sqrt(3) + 0.5
    assert (found.value, found.low, found.high) == pytest.approx((2.0, 2.0 - half, 2.0 + half))
    assert batch_interval([7.0]).as_dict() == {"value": 7.0, "low": 7.0, "high": 7.0}


def test_an_interval_of_a_series_holds_its_mean_and_is_wider_where_neighbours_are_alike():
    rng = np.random.default_rng(0)
    white = rng.standard_normal(200)
    alike = np.repeat(rng.standard_normal(20), 10)
    one, other = series_interval(white.tolist()), series_interval(alike.tolist())
    assert one.low < one.value < one.high
    assert other.high - other.low > 1.5 * (one.high - one.low)
    assert series_interval([2.0]).as_dict() == {"value": 2.0, "low": 2.0, "high": 2.0}
