import math

import pytest
import torch

from rice_ssl.training.collapse import CollapseWatch


def test_use_by_hand():
    watch = CollapseWatch(prototypes=4, images=4, steps=100)
    watch.note(1.0, torch.tensor([0, 0, 1, 1]))
    assert watch.use() == {"prototype_perplexity": pytest.approx(2.0), "dead_prototypes": 2.0}
    watch.note(1.0, torch.tensor([2, 2, 3, 3]))
    assert watch.use() == {"prototype_perplexity": pytest.approx(4.0), "dead_prototypes": 0.0}


def test_images_of_long_ago_are_forgotten():
    watch = CollapseWatch(prototypes=4, images=4, steps=100)  # keeps 32 images
    watch.note(1.0, torch.tensor([3, 3, 3, 3]))
    for _ in range(8):
        watch.note(1.0, torch.tensor([0, 1, 2, 2]))
    assert watch.use()["dead_prototypes"] == 1.0


def test_a_loss_that_stays_at_ln_k_is_a_fault_only_after_the_whole_window():
    watch = CollapseWatch(prototypes=4, images=2, steps=200)  # judged over 20 steps
    faults = []
    for step in range(25):
        watch.note(math.log(4) + 5e-4 * (-1) ** step, torch.tensor([step % 4, (step + 1) % 4]))
        faults.append(watch.fault())
    assert faults[:19] == [None] * 19
    assert "the loss has stayed at ln K = 1.386" in faults[19]


def test_a_loss_that_moves_about_ln_k_is_none():
    watch = CollapseWatch(prototypes=4, images=2, steps=200)
    for step in range(40):
        watch.note(math.log(4) + 0.01 * (-1) ** step, torch.tensor([0, 1]))
    assert watch.fault() is None


def test_all_images_at_one_prototype_is_a_fault():
    watch = CollapseWatch(prototypes=4, images=2, steps=200)
    for _ in range(30):
        watch.note(0.7, torch.tensor([2, 2]))
    assert watch.fault() == "the last 32 images are all nearest to one prototype"
    watch.note(0.7, torch.tensor([2, 1]))
    assert watch.fault() is None


def test_a_copy_from_its_state_judges_the_same():
    watch, copy = (CollapseWatch(prototypes=4, images=2, steps=200) for _ in range(2))
    for _ in range(19):
        watch.note(math.log(4), torch.tensor([0, 1]))
    copy.load_state_dict(watch.state_dict())
    for one in (watch, copy):
        one.note(math.log(4), torch.tensor([0, 1]))
    assert copy.fault() == watch.fault() is not None
    assert copy.use() == watch.use()
