import math

import pytest
import torch

from rice_ssl.swav.loss import swapped_loss
from rice_ssl.swav.sinkhorn import balanced_codes


def slow_loss(logits, codes, assigned, temperature):
    """Eq. 1-2 with multi-crop: for each assigned view, the mean over the other crops of -sum q log softmax(z c / t)."""
    total = 0.0
    for code, own in zip(codes, assigned, strict=True):
        for crop in range(len(logits)):
            if crop == own:
                continue
            for image in range(len(code)):
                scaled = [float(x) / temperature for x in logits[crop][image]]
                norm = math.log(sum(math.exp(x - max(scaled)) for x in scaled)) + max(scaled)
                total -= sum(float(q) * (x - norm) for q, x in zip(code[image], scaled, strict=True))
    return total / (len(codes) * (len(logits) - 1) * len(codes[0]))


def crops(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(5, 6, generator=generator) * 2 - 1 for _ in range(count)]


@pytest.mark.parametrize(("count", "assigned"), [(2, [0, 1]), (5, [0, 1]), (4, [0, 1, 2, 3]), (3, [2])])
def test_loss_equals_slow_loops(count, assigned):
    logits = crops(count)
    codes = [balanced_codes(logits[view]) for view in assigned]
    result = swapped_loss(logits, codes, assigned, temperature=0.1)
    assert float(result.loss) == pytest.approx(slow_loss(logits, codes, assigned, 0.1), abs=1e-5)


def test_loss_is_code_entropy_plus_kl():
    """KL(q || p) computed on its own, from its definition."""
    logits = crops(4, seed=3)
    codes = [balanced_codes(logits[view], epsilon=0.3) for view in (0, 1)]
    result = swapped_loss(logits, codes, [0, 1], temperature=0.1)
    divergences = [
        (q * (q.log() - torch.log_softmax(logits[crop] / 0.1, dim=1))).sum(1).mean()
        for view, q in enumerate(codes)
        for crop in range(4)
        if crop != view
    ]
    assert result.kl == pytest.approx(float(torch.stack(divergences).mean()), abs=1e-5)
    assert float(result.loss) == pytest.approx(result.code_entropy + result.kl, abs=1e-6)


def test_two_views_by_hand():
    """q = (1, 0) for view 0, (1/2, 1/2) for view 1; p of crop 0 is (3/4, 1/4), of crop 1 (1/2, 1/2)."""
    logits = [torch.tensor([[math.log(3.0), 0.0]]), torch.zeros(1, 2)]
    codes = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.5, 0.5]])]
    result = swapped_loss(logits, codes, [0, 1], temperature=1.0)
    from_view_0 = math.log(2)  # predicted by crop 1
    from_view_1 = -0.5 * (math.log(0.75) + math.log(0.25))  # predicted by crop 0
    assert float(result.loss) == pytest.approx((from_view_0 + from_view_1) / 2)
    assert result.code_entropy == pytest.approx(math.log(2) / 2)


def test_gradient_reaches_every_crop_and_not_the_codes():
    logits = [crop.requires_grad_() for crop in crops(3)]
    codes = [balanced_codes(logits[view]) for view in (0, 1)]
    swapped_loss(logits, codes, [0, 1]).loss.backward()
    assert not codes[0].requires_grad
    for crop in logits:
        assert float(crop.grad.abs().sum()) > 0


@pytest.mark.parametrize(("count", "codes", "assigned"), [(1, 1, [0]), (3, 2, [0]), (3, 0, [])])
def test_what_does_not_fit_is_refused(count, codes, assigned):
    with pytest.raises(ValueError, match=f"{count} crops, {codes} codes"):
        swapped_loss(crops(count), [torch.ones(5, 6) / 6] * codes, assigned)
