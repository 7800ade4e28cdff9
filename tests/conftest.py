"""What holds for every test."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Of the processor: the last digits of what PyTorch computes depend on how many there are."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def still_one_thread() -> Iterator[None]:
    """Whatever changes their number, as Numba does where it begins its own, puts it back."""
    yield
    left = torch.get_num_threads()
    torch.set_num_threads(1)
    assert left == 1, f"After this test PyTorch computes on {left} threads"
