"""Deletion, insertion and ROAD: hand-computed curves, slow loops, and maps planted on simulated leaves."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn.functional import interpolate

from rice_ssl.attribution.faithfulness import deletion_insertion, relevance_ranks, road
from rice_ssl.attribution.removal import blurred, inpainted
from rice_ssl.data.simulate.pair import draw_pair, plan_pair
from rice_ssl.errors import InputError
from rice_ssl.evaluation.localisation import mass, pointing, rank


def brightness(images):
    """Probability of class 0 is the mean of the first band, which is in [0, 1]."""
    p = images[:, 0].mean(dim=(1, 2))
    return torch.stack([p, 1 - p], dim=1).clamp(min=1e-30).log()


PICTURE = torch.tensor([[0.8, 0.4], [0.2, 0.1]]).expand(1, 3, 2, 2)
BLACK = torch.zeros(1, 3, 2, 2)


def test_curves_of_four_pixels_by_hand():
    maps = torch.stack([PICTURE[0, 0], -PICTURE[0, 0]])[None]  # the best order and the worst
    deletion, insertion = deletion_insertion(brightness, PICTURE, BLACK, maps, torch.tensor([0]), steps=4)
    whole = 1.5 / 4
    best = (whole / 2 + (0.7 + 0.3 + 0.1) / 4 + 0) / 4  # .8 goes first, then .4, .2, .1
    worst = (whole / 2 + (1.4 + 1.2 + 0.8) / 4 + 0) / 4
    assert deletion[0].tolist() == pytest.approx([best, worst])
    assert insertion[0].tolist() == pytest.approx([worst, best])  # here removing in one order is adding in the other
    halves = deletion_insertion(brightness, PICTURE, BLACK, maps, torch.tensor([0]), steps=2)
    assert halves[0][0].tolist() == pytest.approx([(whole / 2 + 0.3 / 4) / 2, (whole / 2 + 1.2 / 4) / 2])
    ends = deletion_insertion(brightness, PICTURE, BLACK, maps, torch.tensor([0]), steps=1)
    assert torch.stack(ends).flatten().tolist() == pytest.approx([whole / 2] * 4)


def test_the_class_asked_for_is_the_one_that_is_followed():
    maps = PICTURE[:, :1]
    first, _ = deletion_insertion(brightness, PICTURE, BLACK, maps, torch.tensor([0]), steps=4)
    other, _ = deletion_insertion(brightness, PICTURE, BLACK, maps, torch.tensor([1]), steps=4)
    assert (first + other).item() == pytest.approx(1)


def toy():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)).eval()


def case():
    """Pictures, maps of their size and so without equal pixels, and classes."""
    generator = torch.Generator().manual_seed(5)
    images = 3 * torch.randn(3, 3, 10, 12, generator=generator)
    return images, torch.rand(3, 4, 10, 12, generator=generator), torch.tensor([2, 0, 1])


def slow(predict, start, end, ranks, number, steps):
    """Area while pixels of ``start`` become those of ``end``, the lowest ranks first."""
    curve = []
    for step in range(steps + 1):
        changed = start.clone()
        for y in range(ranks.shape[0]):
            for x in range(ranks.shape[1]):
                if ranks[y, x] < round(step * ranks.numel() / steps):
                    changed[:, y, x] = end[:, y, x]
        curve.append(float(predict(changed[None]).softmax(dim=1)[0, number]))
    return float(np.trapezoid(curve, dx=1 / steps))


def test_against_a_slow_loop():
    network, (images, maps, classes) = toy(), case()
    baselines = blurred(images, 2.0)
    deletion, insertion = deletion_insertion(network, images, baselines, maps, classes, steps=7, batch_size=25)
    with torch.no_grad():
        for b in range(3):
            for m in range(4):
                ranks = (-maps[b, m]).flatten().argsort().argsort().view(10, 12)
                gone = slow(network, images[b], baselines[b], ranks, classes[b], 7)
                back = slow(network, baselines[b], images[b], ranks, classes[b], 7)
                assert deletion[b, m].item() == pytest.approx(gone, abs=1e-5)
                assert insertion[b, m].item() == pytest.approx(back, abs=1e-5)


def test_road_against_a_slow_loop():
    network, (images, maps, classes) = toy(), case()
    found = road(network, images, maps, classes, fractions=(0.2, 0.6), noise=0.3, batch_size=9, seed=6)
    large = maps.flatten(2)
    with torch.no_grad():
        for b in range(3):
            for m in range(4):
                gaps = []
                for count in (24, 72):
                    left = []
                    for sign in (1, -1):
                        removed = torch.zeros(120, dtype=torch.bool)
                        removed[(sign * large[b, m]).argsort()[:count]] = True
                        filled = inpainted(images[b : b + 1], removed.view(1, 10, 12), noise=0.3, seed=6)
                        left.append(network(filled).softmax(dim=1)[0, classes[b]].item())
                    gaps.append(left[0] - left[1])
                assert found[b, m].item() == pytest.approx(np.mean(gaps), abs=1e-5)


def test_coarse_maps_are_enlarged_first():
    network, (images, maps, classes) = toy(), case()
    coarse = maps[..., :5, :4]
    large = interpolate(coarse, size=(10, 12), mode="bilinear")
    torch.testing.assert_close(road(network, images, coarse, classes), road(network, images, large, classes))
    found = deletion_insertion(network, images, -images, coarse, classes)
    torch.testing.assert_close(found, deletion_insertion(network, images, -images, large, classes))


def test_no_figure_depends_on_the_batch():
    network, (images, maps, classes) = toy(), case()
    maps = (maps - 0.5).relu()  # with ties
    baselines = blurred(images, 2.0)
    together = deletion_insertion(network, images, baselines, maps, classes, batch_size=64, seed=3)
    alone = deletion_insertion(network, images[1:2], baselines[1:2], maps[1:2, 2:3], classes[1:2], batch_size=1, seed=3)
    for many, one in zip(together, alone, strict=True):
        torch.testing.assert_close(many[1:2, 2:3], one)
    many = road(network, images, maps, classes, seed=3)
    one = road(network, images[1:2], maps[1:2, 2:3], classes[1:2], batch_size=3, seed=3)
    torch.testing.assert_close(many[1:2, 2:3], one)


def test_ends_are_asked_about_once_and_batches_are_bounded():
    sizes = []

    def counting(images):
        sizes.append(len(images))
        return brightness(images.sigmoid())

    images, maps, classes = case()
    deletion_insertion(counting, images, images, maps, classes.clamp(max=1), steps=5, batch_size=16)
    assert sum(sizes) == 3 * 4 * 4 * 2 + 2 * 3
    assert max(sizes) <= 16


def test_equal_pixels_are_in_a_drawn_order():
    size = (12, 16)
    flat = relevance_ranks(torch.zeros(1, 3, 4), size, seed=1)
    assert sorted(flat.flatten().tolist()) == list(range(192))
    assert abs(np.corrcoef(flat.flatten().numpy(), np.arange(192))[0, 1]) < 0.2
    for value in (0.3, 1e-6, 7e4):  # enlarging rounds, which must not bring the order of places back
        assert torch.equal(relevance_ranks(torch.full((1, 3, 4), value), size, seed=1), flat)
    assert not torch.equal(relevance_ranks(torch.zeros(1, 3, 4), size, seed=2), flat)
    half = torch.zeros(1, *size)
    half[0, :, 8:] = 1
    ranks = relevance_ranks(half, size, seed=1)[0]
    assert ranks[:, 8:].max() < ranks[:, :8].min()


def test_a_constant_map_gets_what_random_order_gets():
    """The lower rows alone are bright: by place, a constant map would lose them last."""
    picture = torch.zeros(1, 3, 40, 40)
    picture[:, :, 20:] = 1
    maps = torch.zeros(1, 1, 40, 40)
    deletion, insertion = deletion_insertion(brightness, picture, 0 * picture, maps, torch.tensor([0]))
    assert deletion.item() == pytest.approx(0.25, abs=0.01)  # .375 from the top down
    assert insertion.item() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_maps_of_any_precision(dtype):
    network, (images, maps, classes) = toy(), case()
    maps = (maps * 16).round() / 16
    expected = road(network, images, maps, classes)
    torch.testing.assert_close(road(network, images, maps.to(dtype), classes), expected)


def test_unfit_arguments_are_refused():
    images, maps, classes = case()
    with pytest.raises(InputError, match="of the same B pictures"):
        deletion_insertion(brightness, images, images, maps[:2], classes)
    with pytest.raises(InputError, match="a baseline for each picture"):
        deletion_insertion(brightness, images, images[:, :, :4], maps, classes)
    with pytest.raises(InputError, match="steps is 0"):
        deletion_insertion(brightness, images, images, maps, classes, steps=0)
    with pytest.raises(InputError, match="fractions to remove"):
        road(brightness, images, maps, classes, fractions=(0.5, 1.0))
    maps[1, 2, 0, 0] = float("nan")
    with pytest.raises(InputError, match="1 of 3 pictures hold values that are not finite"):
        road(brightness, images, maps, classes)


class LesionJudge:
    """A classifier that looks at one leaf's lesions alone: how much of what the blur takes from them is there."""

    def __init__(self, image, baseline, lesion):
        self.baseline, self.seen = baseline, (image - baseline) * lesion

    def __call__(self, images):
        evidence = ((images - self.baseline) * self.seen).sum(dim=(1, 2, 3)) / (self.seen**2).sum()
        logit = 8 * (evidence - 0.5)
        return torch.stack([logit, torch.zeros_like(logit)], dim=1)


def leaves(count):
    """Simulated leaves with lesions, 64 x 80: the picture, normalised by hand, and its lesion mask."""
    plans = [plan for plan in (plan_pair(0, index, 0.25) for index in range(40)) if plan.label != "healthy"][:count]
    for plan in plans:
        drawn = draw_pair(0, plan)[0]["rgb"]
        image = np.asarray(Image.fromarray(drawn.image).resize((80, 64), Image.Resampling.BOX), dtype=np.float32)
        lesion = Image.fromarray(drawn.lesion.astype(np.uint8) * 255).resize((80, 64), Image.Resampling.BOX)
        yield torch.from_numpy(image / 64 - 2).permute(2, 0, 1)[None], torch.from_numpy(np.array(lesion) > 127)


def test_a_planted_map_beats_its_noisy_version_which_beats_random_ones():
    generator = torch.Generator().manual_seed(9)
    for image, lesion in leaves(4):
        assert lesion.any()
        baseline = blurred(image, 16.0)
        judge = LesionJudge(image, baseline, lesion)
        noise = torch.rand(64, 80, generator=generator)
        noisy = torch.where(torch.rand(64, 80, generator=generator) < 0.5, noise, lesion.float() + 0.1 * noise)
        maps = torch.stack([lesion.float(), noisy, *torch.rand(5, 64, 80, generator=generator)])
        deletion, insertion = deletion_insertion(judge, image, baseline, maps[None], torch.tensor([0]))
        scores = (insertion - deletion)[0]
        assert scores[0] > scores[1] + 0.05
        assert scores[1] > scores[2:].max() + 0.1
        inpainting = road(judge, image, maps[None, :4], torch.tensor([0]), fractions=(0.05, 0.2, 0.5))[0]
        assert inpainting[0] > inpainting[1] > inpainting[2:].max()
        for measure in (pointing, mass, rank):
            found = [measure(one.numpy(), lesion.numpy()) for one in maps]
            assert found[0] == pytest.approx(1)
            assert found[1] < 1 or measure is pointing
            assert np.mean(found[2:]) < (found[1] if measure is not pointing else 1)
