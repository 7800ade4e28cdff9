import math

import pytest
import torch

from rice_ssl.errors import InputError
from rice_ssl.training.schedules import learning_rate, momentum, queue_start_step, warmup_end


def cosine(step):
    return learning_rate(step, 100, peak=2.0, warmup=0.1, schedule="cosine")


def test_cosine_by_hand():
    assert cosine(0) == pytest.approx(0.2)  # 1 of 10 steps up
    assert cosine(9) == pytest.approx(2.0)
    assert cosine(10) == pytest.approx(2.0)
    assert cosine(55) == pytest.approx(1.0)  # half way down
    assert cosine(99) == pytest.approx(2.0 * 0.5 * (1 - 0.99939083), rel=1e-3)  # cos(89/90 pi)
    assert warmup_end(100, 0.1) == 10


def test_without_warmup_it_starts_at_the_peak():
    assert learning_rate(0, 10, peak=3.0, warmup=0.0, schedule="cosine") == 3.0
    assert learning_rate(0, 10, peak=3.0, warmup=0.0, schedule="one-cycle") == 3.0


def test_one_cycle_follows_pytorch():
    """PyTorch's peak is at step rise - 1 and its end at steps - 1; ours are at rise and at steps."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    settings = {
        "max_lr": 1.0,
        "pct_start": 26 / 101,
        "div_factor": 25,
        "final_div_factor": 1e4,
        "cycle_momentum": False,
    }
    peer = torch.optim.lr_scheduler.OneCycleLR(optimizer, total_steps=101, **settings)
    for step in range(100):
        expected = optimizer.param_groups[0]["lr"]
        rate = learning_rate(step, 100, peak=1.0, warmup=0.25, schedule="one-cycle")
        assert rate == pytest.approx(expected, rel=1e-6)
        optimizer.step()
        peer.step()


def test_an_unknown_schedule_is_refused():
    with pytest.raises(InputError, match="Schedule 'linear' is unknown"):
        learning_rate(0, 1, peak=1.0, warmup=0.0, schedule="linear")


def test_momentum_falls_while_the_rate_rises_by_hand():
    """Cosine between .95 and .85 over 4 steps, and back over 12: half way is their mean."""
    values = [momentum(step, 16, between=(0.95, 0.85), warmup=0.25) for step in range(16)]
    assert values[:5] == pytest.approx([0.95, 0.95 - 0.1 * (1 - math.cos(math.pi / 4)) / 2, 0.9, values[3], 0.85])
    assert values[10] == pytest.approx(0.9)
    assert values[15] < 0.95
    assert momentum(0, 10, between=(0.9, 0.8), warmup=0.0) == pytest.approx(0.8)  # no rise: at the peak at once


@pytest.mark.parametrize(
    ("setting", "step"),
    [(0.0, 0), (0.25, 25), (0.251, 26), (1.0, 100), ("step 7", 7), ("epoch 3", 30), ("step 99", 99), (1, 100)],
)
def test_where_the_queue_starts(setting, step):
    assert queue_start_step(setting, steps=100, per_epoch=10) == step


@pytest.mark.parametrize("setting", ["step 100", "epoch 10"])
def test_a_start_beyond_the_end_is_refused(setting):
    with pytest.raises(InputError, match=f"queue_start is '{setting}', but the training ends after 100 steps"):
        queue_start_step(setting, steps=100, per_epoch=10)
