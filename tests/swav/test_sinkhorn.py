import math

import pytest
import torch

from rice_ssl.swav.sinkhorn import balanced_codes, entropy


def slow_codes(logits, epsilon, rounds):
    """The paper's Q = Diag(u) exp(C^T Z / epsilon) Diag(v) by double loops: rows to 1/K, columns to 1/B."""
    n, k = len(logits), len(logits[0])
    top = max(max(row) for row in logits)
    q = [[math.exp((logits[i][j] - top) / epsilon) for i in range(n)] for j in range(k)]  # (K, B), as in the paper
    for _ in range(rounds):
        for j in range(k):
            mass = sum(q[j])
            for i in range(n):
                q[j][i] /= mass * k
        for i in range(n):
            mass = sum(q[j][i] for j in range(k))
            for j in range(k):
                q[j][i] /= mass * n
    return torch.tensor([[q[j][i] * n for j in range(k)] for i in range(n)], dtype=torch.float64)


@pytest.mark.parametrize(("epsilon", "rounds"), [(0.05, 3), (0.03, 3), (0.5, 1), (0.05, 10)])
def test_codes_equal_the_paper_by_slow_loops(epsilon, rounds):
    generator = torch.Generator().manual_seed(1)
    logits = torch.rand(12, 7, generator=generator) * 2 - 1
    expected = slow_codes(logits.double().tolist(), epsilon, rounds)
    torch.testing.assert_close(
        balanced_codes(logits, epsilon=epsilon, rounds=rounds).double(), expected, rtol=0, atol=2e-6
    )


def test_codes_of_two_images_and_two_prototypes_by_hand():
    """exp([[1, 0], [1, 1]] ln 2): columns sum to 4 and 3; after one round the first row is (1/2, 1/3) / (5/6)."""
    logits = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    codes = balanced_codes(logits, epsilon=1 / math.log(2), rounds=1)
    torch.testing.assert_close(codes, torch.tensor([[3 / 5, 2 / 5], [3 / 7, 4 / 7]]))


def test_many_rounds_use_all_prototypes_equally():
    logits = torch.randn(40, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    codes = balanced_codes(logits, epsilon=0.3, rounds=200)
    torch.testing.assert_close(codes.sum(0), torch.full((8,), 5.0), rtol=0, atol=1e-3)
    torch.testing.assert_close(codes.sum(1), torch.ones(40))


def test_sharp_codes_neither_overflow_nor_lose_rows():
    """exp(1 / 0.001) overflows even float64, and the second prototype, shunned by both, underflows without logarithms.

    By hand: the rounds leave the first row at (2/3, 1/3), (4/5, 1/5), (6/7, 1/7); the second is (0, 1) throughout.
    """
    logits = torch.tensor([[1.0, -1.0], [0.9, -1.0]])
    codes = balanced_codes(logits, epsilon=1e-3, rounds=3)
    torch.testing.assert_close(codes, torch.tensor([[6 / 7, 1 / 7], [0, 1]]), rtol=0, atol=1e-5)


def test_float16_logits_give_float32_codes():
    codes = balanced_codes(torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float16))
    assert codes.dtype == torch.float32
    torch.testing.assert_close(codes, torch.eye(2), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("logits", "settings", "message"),
    [
        (torch.zeros(3), {}, "1 dimensions"),
        (torch.tensor([[float("nan"), 0.0]]), {}, "NaN or infinity"),
        (torch.zeros(2, 2), {"epsilon": 0.0}, "epsilon is 0.0"),
        (torch.zeros(2, 2), {"rounds": 0}, "rounds is 0"),
    ],
)
def test_a_setting_out_of_range_is_named(logits, settings, message):
    with pytest.raises(ValueError, match=message):
        balanced_codes(logits, **settings)


def test_entropy_is_ln_k_for_even_codes_and_zero_for_sharp_ones():
    assert float(entropy(torch.full((3, 4), 0.25))) == pytest.approx(math.log(4))
    assert float(entropy(torch.eye(3))) == 0.0
    assert float(entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))) == pytest.approx(math.log(2) / 2)
