import pytest
import torch

from rice_ssl.transforms.mixing import Mix, draw_mix, mix_images, mix_targets

SIZE = (8, 10)


def images(*values):
    """One sensor's images, each of a single value."""
    return torch.tensor(values).float()[:, None, None, None].expand(-1, 3, *SIZE).clone()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(present, seed=0, **settings):
    return draw_mix(
        present, SIZE, **{"mixup": 0.0, "cutmix": 0.0, "across": 0.0, **settings}, generator=generator(seed)
    )


def test_mixup_by_hand():
    mix = Mix(torch.tensor([0.75, 1.0]), torch.tensor([1, 0]), None, torch.tensor([False, False]))
    first, second = mix_images([images(0, 4), images(8, 16)], mix)
    assert first[:, 0, 0, 0].tolist() == [1, 4]  # .75 * 0 + .25 * 4
    assert second[:, 2, 7, 9].tolist() == [10, 16]
    found = mix_targets(torch.eye(2), mix)
    torch.testing.assert_close(found, torch.tensor([[0.75, 0.25], [0.0, 1.0]]))


def test_cutmix_takes_a_rectangle_and_the_label_its_share():
    mix = Mix(torch.tensor([0.925, 1.0]), torch.tensor([1, 0]), (2, 4, 7, 10), torch.tensor([False, False]))
    (found,) = mix_images([images(0, 4)], mix)
    expected = torch.zeros(SIZE)
    expected[2:4, 7:10] = 4
    assert torch.equal(found[0, 1], expected)
    assert bool((found[1] == 4).all())  # a share of 1 is not mixed
    assert mix_targets(torch.eye(2), mix)[0].tolist() == pytest.approx([0.925, 0.075])


def test_the_share_is_that_of_the_pixels_kept():
    present = torch.ones(6, 1, dtype=torch.bool)
    boxes = set()
    for seed in range(40):
        mix = draw(present, seed, cutmix=1.0)
        top, bottom, left, right = mix.box
        boxes.add(mix.box)
        kept = torch.ones(SIZE)
        kept[top:bottom, left:right] = 0
        assert float(mix.share[0]) == pytest.approx(float(kept.mean()))
        assert 0 <= top <= bottom <= SIZE[0]
        assert 0 <= left <= right <= SIZE[1]
    assert len(boxes) > 20


def test_across_the_pair_both_images_become_one_and_the_label_stays():
    mix = Mix(torch.tensor([0.6]), torch.tensor([0]), None, torch.tensor([True]))
    first, second = mix_images([images(2), images(6)], mix)
    assert (float(first.mean()), float(second.mean())) == (4, 4)
    assert mix_targets(torch.eye(1), mix).tolist() == [[1.0]]


def test_pairs_are_mixed_with_pairs_of_the_same_sensors_alone():
    present = torch.tensor([[True, True], [True, False]] * 8)
    for seed in range(20):
        mix = draw(present, seed, mixup=0.4)
        for pair, partner in enumerate(mix.partner.tolist()):
            if pair % 2 != partner % 2:
                assert float(mix.share[pair]) == 1
        assert float(mix.share.min()) >= 0.5  # the larger share is the pair's own


def test_an_incomplete_pair_is_not_mixed_across():
    mix = draw(torch.tensor([[True, True], [True, False]]), across=1.0)
    assert mix.across.tolist() == [True, False]
    assert not draw(torch.ones(3, 1, dtype=torch.bool), across=1.0).across.any()


def test_the_draw_follows_its_generator_alone():
    present = torch.ones(5, 2, dtype=torch.bool)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one = draw(present, 3, mixup=0.4)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(2)
    other = draw(present, 3, mixup=0.4)
    assert torch.equal(one.share, other.share)
    assert torch.equal(one.partner, other.partner)
    assert not torch.equal(one.share, draw(present, 4, mixup=0.4).share)


def test_mixup_and_cutmix_each_take_half_of_the_batches():
    present = torch.ones(4, 1, dtype=torch.bool)
    cut = [draw(present, seed, mixup=0.4, cutmix=1.0).box is not None for seed in range(200)]
    assert 70 < sum(cut) < 130


def test_the_shares_have_the_distribution_asked_for():
    """beta(a, a) folded at 1/2: its mean is 1/2 plus the mean distance from it; for a = 1 that is 1/4."""
    present = torch.ones(1, 1, dtype=torch.bool)
    shares = [float(draw(present, seed, mixup=1.0).share[0]) for seed in range(600)]
    assert sum(shares) / len(shares) == pytest.approx(0.75, abs=0.015)
