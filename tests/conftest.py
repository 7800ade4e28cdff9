"""What holds for every test."""

import sys
from collections.abc import Iterator

import pytest


def threads() -> int | None:
    """How many threads PyTorch computes on in this thread; None where it is not loaded."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """Whoever changes that number puts it back: else the tests after it would compute other last digits."""
    before = threads()
    yield
    assert before in {None, threads()}, f"PyTorch had {before} threads before this test, {threads()} after it"
