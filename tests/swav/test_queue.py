import pytest
import torch

from rice_ssl.errors import InputError
from rice_ssl.swav.queue import ProjectionQueue


def batch(*values):
    return torch.tensor([[float(v)] for v in values])


def test_newest_come_first_and_the_oldest_leave():
    queue = ProjectionQueue(views=2, length=4, size=1, batch_size=2)
    queue.push([batch(1, 2), batch(-1, -2)])
    assert not queue.is_full
    queue.push([batch(3, 4), batch(-3, -4)])
    assert queue.is_full
    assert queue.view(0).flatten().tolist() == [3, 4, 1, 2]
    queue.push([batch(5, 6), batch(-5, -6)])
    assert queue.view(0).flatten().tolist() == [5, 6, 3, 4]
    assert queue.view(1).flatten().tolist() == [-5, -6, -3, -4]


def test_it_starts_empty_and_is_full_exactly_when_every_slot_was_written():
    queue = ProjectionQueue(views=1, length=6, size=1, batch_size=2)
    full = []
    for k in range(4):
        full.append(queue.is_full)
        queue.push([batch(k, k)])
    assert full == [False, False, False, True]


def test_a_queue_of_no_length_is_never_full():
    queue = ProjectionQueue(views=1, length=0, size=1, batch_size=2)
    queue.push([batch(1, 2)])
    assert not queue.is_full


def test_a_copy_from_its_state_goes_on_the_same():
    queue, copy = (ProjectionQueue(views=1, length=4, size=1, batch_size=2) for _ in range(2))
    for k in range(3):
        queue.push([batch(k, 10 + k)])
    copy.load_state_dict(queue.state_dict())
    assert copy.is_full
    for one in (queue, copy):
        one.push([batch(7, 8)])
    assert copy.view(0).tolist() == queue.view(0).tolist() == [[7], [8], [2], [12]]


def test_what_is_queued_carries_no_gradient():
    queue = ProjectionQueue(views=1, length=2, size=1, batch_size=2)
    queue.push([batch(1, 2).requires_grad_()])
    assert not queue.view(0).requires_grad


def test_a_length_that_batches_do_not_fill_is_refused():
    with pytest.raises(
        InputError, match=r"pretrain.queue_length is 10, which is no multiple of pretrain.batch_size \(4\): take 8"
    ):
        ProjectionQueue(views=1, length=10, size=1, batch_size=4)


def test_the_original_is_one_queue_of_the_first_view_full_of_random_unit_vectors_from_the_start():
    torch.manual_seed(0)
    queue = ProjectionQueue(views=2, length=4, size=3, batch_size=2, kind="original")
    assert (queue.is_full, queue.before_codes) == (True, True)
    start = queue.view(0).clone()
    torch.testing.assert_close(start.norm(dim=1), torch.ones(4))
    one, other = torch.eye(3)[:2], torch.eye(3)[1:]
    queue.push([one, other])
    expected = torch.cat([one, start[:2]])
    assert torch.equal(queue.view(0), expected)
    assert torch.equal(queue.view(1), expected)  # whichever view asks
    ours = ProjectionQueue(views=2, length=4, size=3, batch_size=2)
    assert (ours.is_full, ours.before_codes) == (False, False)
