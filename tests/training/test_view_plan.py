import numpy as np
import pytest
import torch

from rice_ssl.config import PretrainConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.errors import InputError
from rice_ssl.sensors import RGB, RGNIR
from rice_ssl.training.batches import Pictures, epoch_order, fill_missing, step_generator
from rice_ssl.training.view_plan import plan_views
from rice_ssl.transforms.photometric import PhotometricSettings

ROWS = np.array([[0, 1], [2, 3], [4, -1], [-1, 5]])
SENSORS = ("rgb", "rgnir")


def plan(rows=ROWS, sensors=SENSORS, **changes):
    settings = {"global_size": 16, "local_size": 16, "local_crops": 2, **changes}
    return plan_views(PretrainConfig(**settings), rows, sensors, (16, 16))


@pytest.mark.parametrize(
    ("views", "crops", "rows", "assigned", "local"),
    [
        ("paired-augmented", 1, [[0, 1], [2, 3], [4, 4], [5, 5]], (0, 1), (0, 1, 0, 1)),
        ("paired-augmented", 2, [[0, 1], [2, 3], [4, 4], [5, 5]], (0, 1, 0, 1), (0, 1, 0, 1)),
        ("paired", 1, [[0, 1], [2, 3], [4, 4], [5, 5]], (0, 1), ()),
        ("rgb-only", 1, [[0], [2], [4]], (0, 0), (0, 0, 0, 0)),
        ("rgnir-only", 1, [[1], [3], [5]], (0, 0), (0, 0, 0, 0)),
        ("mixed", 1, [[0], [1], [2], [3], [4], [5]], (0, 0), (0, 0, 0, 0)),
    ],
)
def test_what_is_cut_from_what(views, crops, rows, assigned, local):
    found = plan(views=views, global_crops=crops)
    assert found.rows.tolist() == rows
    assert found.assigned == assigned
    assert found.local == local
    assert found.effective == views


def test_one_sensor_cannot_be_paired():
    found = plan(np.array([[0], [1]]), ("rgnir",), views="paired")
    assert (found.effective, found.assigned) == ("rgnir-only", (0, 0))


def test_paired_changes_nothing_but_the_crop():
    crop = plan(views="paired").settings[0]
    assert (crop.rotation, crop.flip, crop.photometric) == (0.0, False, PhotometricSettings())


def grey_pictures(count=6):
    """Pictures of one grey each, 10, 20, ...: after normalisation a crop tells which picture it was cut from."""
    greys = np.arange(10, 10 * count + 10, 10, dtype=np.uint8)
    images = np.broadcast_to(greys[:, None, None, None], (count, 16, 16, 3))
    return Pictures(ImageCache(images, {}), ["rgb", "rgnir"] * (count // 2), (RGB, RGNIR), torch.device("cpu"))


def greys_of(crops):
    return ((crops[:, 0, 0, 0] * RGB.std[0] + RGB.mean[0]) * 255).round().int().tolist()


def cut(found, samples, seed=0, **kwargs):
    return found.crops(grey_pictures(), np.array(samples), step_generator(seed, 0, torch.device("cpu")), **kwargs)


def test_complete_tells_pairs_with_both_pictures():
    assert cut(plan(), [0, 2, 1, 3]).complete.tolist() == [True, False, True, False]


def test_crops_come_view_by_view_from_the_right_sensor():
    crops = cut(plan(jitter=0.0, blur=0.0, rotation=0.0), [1, 3])
    # rgb of pair 1, what pair 3 has; rgnir of pair 1, of pair 3
    assert greys_of(crops.assigned) == [30, 60, 40, 60]
    assert greys_of(crops.local) == [30, 60, 40, 60, 30, 60, 40, 60]


def test_two_processes_cut_what_one_would():
    found = plan(sensor_dropout=0.5)
    whole = cut(found, [0, 1, 2, 3])
    parts = [cut(found, [0, 1, 2, 3], part=part) for part in (slice(0, 2), slice(2, 4))]
    for name, views in (("assigned", 2), ("local", 4)):
        one = getattr(whole, name).unflatten(0, (views, 4))
        both = torch.cat([getattr(part, name).unflatten(0, (views, 2)) for part in parts], dim=1)
        torch.testing.assert_close(both, one, rtol=0, atol=1e-6)
    assert torch.equal(torch.cat([part.complete for part in parts]), whole.complete)


def test_sensor_dropout_lets_one_sensor_stand_in_for_the_other():
    """With probability 1 every sample has one sensor, either in half of the cases; with 0 none is left out."""
    settings = {"jitter": 0.0, "blur": 0.0, "rotation": 0.0, "local_crops": 0}
    samples = [0, 1] * 40
    crops = cut(plan(sensor_dropout=1.0, **settings), samples)
    first, second = torch.tensor(greys_of(crops.assigned)).chunk(2)
    assert torch.equal(first, second)
    assert not crops.complete.any()
    shares = {grey: int((first == grey).sum()) for grey in (10, 20, 30, 40)}
    assert sum(shares.values()) == 80
    assert min(shares.values()) > 8
    crops = cut(plan(sensor_dropout=0.25, **settings), samples)
    first, second = torch.tensor(greys_of(crops.assigned)).chunk(2)
    assert 10 <= int((first == second).sum()) <= 32
    assert torch.equal(first != second, crops.complete)


def test_each_sensor_has_its_own_normalisation():
    dark = RGNIR.__class__("rgnir", "RGNIR", RGNIR.bands, RGNIR.pattern, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5))
    images = np.full((2, 16, 16, 3), 51, dtype=np.uint8)
    pictures = Pictures(ImageCache(images, {}), ["rgb", "rgnir"], (RGB, dark), torch.device("cpu"))
    batch = pictures.batch(np.array([0, 1]))
    torch.testing.assert_close(batch.images[:, 0, 0, 0], torch.tensor([0.2, 0.2]))
    assert batch.mean.tolist()[1] == [0, 0, 0]
    assert batch.std.tolist()[1] == [0.5, 0.5, 0.5]
    assert batch.natural.tolist() == [True, False]
    torch.testing.assert_close(pictures.whole(np.array([1])), torch.full((1, 3, 16, 16), 0.4))


def test_a_missing_picture_is_replaced_by_the_one_that_is_there():
    assert fill_missing(ROWS).tolist() == [[0, 1], [2, 3], [4, 4], [5, 5]]


def test_every_epoch_sees_every_sample_once_in_its_own_order():
    orders = [epoch_order(50, 7, epoch).tolist() for epoch in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(50))
    assert orders[0] != orders[1]
    assert orders[0] == epoch_order(50, 7, 0).tolist()
    assert orders[0] != epoch_order(50, 8, 0).tolist()


def test_generators_of_steps_seeds_and_purposes_differ():
    cpu = torch.device("cpu")
    given = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (0, 0, 1)]
    draws = {float(torch.rand(1, generator=step_generator(a, b, cpu, purpose=c))) for a, b, c in given}
    assert len(draws) == 4
    again = float(torch.rand(1, generator=step_generator(0, 0, cpu)))
    assert again in draws


def test_the_size_of_local_crops_matters_only_where_there_are_some():
    for changes in ({"local_crops": 0}, {"views": "paired"}):
        assert plan(local_size=64, **changes).local == ()
    with pytest.raises(InputError, match="pretrain.local_size is 64 px, but pictures are 16x16 px"):
        plan(local_size=64)
