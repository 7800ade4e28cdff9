"""Replaced bands against a hand-made network that looks at one band alone, and against slow loops."""

import numpy as np
import pytest
import torch

from rice_ssl.artifacts import TABLES
from rice_ssl.attribution.answer_rows import COLUMNS
from rice_ssl.attribution.band_values import band_means, band_source, deranged, source_as_dict
from rice_ssl.attribution.channels import JudgedPairs, channel_table
from rice_ssl.attribution.predict import ClassifierPredict
from rice_ssl.config import EncoderConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.models.classifier import Classifier, FusedClassifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.sensors import RGB, RGNIR, Sensor
from rice_ssl.training.batches import Pictures

CLASSES = ["low", "high"]
NIR = 2
SENSORS = (RGB, RGNIR)


def flat_pictures(rows, sensors, size=(4, 5)):
    """Pictures of one colour each: ``rows`` holds sensor and three values in 0..255."""
    images = np.zeros((len(rows), *size, 3), dtype=np.uint8)
    for number, (_, *values) in enumerate(rows):
        images[number] = values
    return Pictures(ImageCache(images, {}), [name for name, *_ in rows], sensors, torch.device("cpu"))


def nir_alone(images, present):
    """Logits (0, 8 * (near infrared - 0.5)) of the second sensor, (0, -1) of the first; the pair's are their sum."""
    found = torch.zeros(len(present), 2, 2)
    found[:, 0, 1] = -1.0
    if images[1] is not None:
        nir = images[1][:, NIR].mean(dim=(1, 2)) * RGNIR.std[NIR] + RGNIR.mean[NIR]
        found[:, 1, 1] = 8 * (nir - 0.5)
    return found, (found * present.unsqueeze(2)).sum(dim=1)


NIRS = [250, 10, 200, 60, 240]
BLUES = [10, 20, 230, 240, 30]
GREENS = [5, 50, 90, 130, 170]
ROWS = [("rgb", 100, green, blue) for green, blue in zip(GREENS, BLUES, strict=True)] + [
    ("rgnir", 110, green + 20, nir) for green, nir in zip(GREENS, NIRS, strict=True)
]
PAIRS = JudgedPairs(
    ids=["a", "b", "c", "d", "e"],
    rows=np.array([[k, 5 + k] for k in range(5)]),
    targets=np.array([1, 0, 1, 0, -1]),
    splits=["val", "val", "val", "test", "test"],
    groups=["a", "b", "c", "d", "e"],
)
MEANS = np.full((2, 3), 0.4)


def table_of(pairs=PAIRS, sensors=SENSORS, predict=nir_alone, rows=ROWS, means=MEANS, **kwargs):
    options = {"batch_size": 2, "seed": 1, "progress": False, **kwargs}
    return channel_table(predict, flat_pictures(rows, sensors), pairs, sensors, CLASSES, means, **options)


def chosen(table, sensor, band, replacement):
    part = table.query("sensor == @sensor and band == @band and replacement == @replacement")
    return part.set_index("pair_id")


def test_the_columns_are_those_of_the_schema_and_more():
    table = table_of()
    assert list(table.columns) == list(COLUMNS)
    assert set(TABLES["channels"].columns) <= set(COLUMNS)
    assert len(table) == 5 * 2 * 3 * 3
    assert not table.duplicated(["pair_id", "sensor", "band", "replacement"]).any()


def test_the_band_that_decides_flips_exactly_the_computed_pairs():
    """At the mean of 0.4 everything is low: the three pairs that were high flip. The pair's sum is 8 (nir - .5) - 1."""
    part = chosen(table_of(), "rgnir", "near infrared", "mean")
    assert part["original"].tolist() == ["high", "low", "high", "low", "high"]
    assert part["prediction"].tolist() == ["low"] * 5
    assert part["flipped"].tolist() == [True, False, True, False, True]
    assert part["confidence"].tolist() == pytest.approx([1 / (1 + np.exp(-0.8))] * 5)
    assert part.loc["a", "original_confidence"] == pytest.approx(1 / (1 + np.exp(-8 * (250 / 255 - 0.5))), rel=1e-5)
    assert part["joint_original"].tolist() == ["high", "low", "high", "low", "high"]
    assert part["joint_flipped"].tolist() == [True, False, True, False, True]
    assert part["label"].tolist() == ["high", "low", "high", "low", None]
    assert part["split"].tolist() == ["val", "val", "val", "test", "test"]
    assert part.loc["a", "log_loss_after"] == pytest.approx(np.log(1 + np.exp(0.8)))
    assert part.loc["a", "joint_log_loss_after"] == pytest.approx(np.log(1 + np.exp(1.8)))
    assert np.isnan(part.loc["e", "log_loss_before"])
    p = 1 / (1 + np.exp(-8 * (250 / 255 - 0.5)))
    q = 1 / (1 + np.exp(0.8))
    expected = jensen_shannon(np.array([[1 - p, p]]), np.array([[1 - q, q]]))[0]
    assert part.loc["a", "divergence"] == pytest.approx(expected, rel=1e-4)


def test_other_bands_and_the_other_sensor_flip_none():
    table = table_of()
    rest = table[~((table["sensor"] == "rgnir") & (table["band"] == "near infrared"))]
    assert not rest["flipped"].any()
    assert not rest["joint_flipped"].astype(bool).any()
    assert rest["divergence"].max() == pytest.approx(0, abs=1e-9)


def test_the_other_sensor_lends_its_blue_for_near_infrared():
    part = chosen(table_of(), "rgnir", "near infrared", "other_sensor")
    assert part["prediction"].tolist() == ["low", "low", "high", "high", "low"]  # blue above 127.5
    assert part["flipped"].tolist() == [True, False, False, True, True]


def test_bands_of_the_same_name_are_exchanged():
    """A network that reads green of RGNIR; RGB's green lies 20 lower, and 120 divides them for pair d alone."""

    def green_alone(images, present):
        found = torch.zeros(len(present), 2, 2)
        found[:, 1, 1] = images[1][:, 1].mean(dim=(1, 2)) * RGNIR.std[1] + RGNIR.mean[1] - 140 / 255
        return found, found.sum(dim=1)

    part = chosen(table_of(predict=green_alone), "rgnir", "green", "other_sensor")
    assert part["flipped"].tolist() == [False, False, False, True, False]


def test_another_pair_lends_its_own_band_within_the_split():
    table = table_of()
    part = chosen(table, "rgnir", "near infrared", "other_pair")
    nir = dict(zip(PAIRS.ids, NIRS, strict=True))
    split = dict(zip(PAIRS.ids, PAIRS.splits, strict=True))
    assert sorted(part["donor"]) == list("abcde")
    for pair, row in part.iterrows():
        assert row["donor"] != pair
        assert split[row["donor"]] == split[pair]
        assert row["prediction"] == ("high" if nir[row["donor"]] > 127.5 else "low")
    assert chosen(table, "rgnir", "red", "other_pair")["donor"].tolist() == part["donor"].tolist()
    assert table[table["replacement"] != "other_pair"]["donor"].isna().all()


def test_a_seed_gives_the_same_table_whatever_the_batches_and_another_seed_other_donors():
    rows = ROWS * 4
    pairs = JudgedPairs(
        [f"p{k}" for k in range(20)],
        np.array([[10 * (k // 5) + k % 5, 10 * (k // 5) + 5 + k % 5] for k in range(20)]),
        np.arange(20) % 2,
        ["val"] * 20,
        [f"p{k}" for k in range(20)],
    )
    one = table_of(pairs, rows=rows)
    again = table_of(pairs, rows=rows, batch_size=7)
    keys = ["sensor", "band", "replacement", "pair_id"]
    columns = [*keys, "donor", "prediction", "flipped", "joint_flipped"]
    assert one[columns].equals(again[columns])
    other = table_of(pairs, rows=rows, seed=2)
    assert (one["donor"].dropna() != other["donor"].dropna()).any()


def test_missing_pictures_leave_out_what_cannot_be_asked():
    """b has no RGNIR, c no RGB."""
    rows = PAIRS.rows.copy()
    rows[1, 1], rows[2, 0] = -1, -1
    table = table_of(JudgedPairs(PAIRS.ids, rows, PAIRS.targets, PAIRS.splits, PAIRS.groups))
    assert chosen(table, "rgnir", "red", "mean").index.tolist() == ["a", "c", "d", "e"]
    assert chosen(table, "rgnir", "red", "other_sensor").index.tolist() == ["a", "d", "e"]
    part = chosen(table, "rgnir", "near infrared", "mean")
    assert part["joint_flipped"].tolist() == [True, None, False, True]
    assert part["joint_prediction"].isna().tolist() == [False, True, False, False]
    assert part.loc["c", "flipped"]
    assert np.isnan(part.loc["c", "joint_log_loss_after"])
    assert chosen(table, "rgb", "red", "other_pair")["donor"].tolist() == ["b", "a", "e", "d"]


def test_one_sensor_alone():
    pairs = JudgedPairs(["a", "b"], np.array([[0], [1]]), np.array([0, 1]), ["val", "val"], ["a", "b"])

    def blue(images, present):
        values = images[0][:, 2].mean(dim=(1, 2)) * RGB.std[2] + RGB.mean[2] - 0.5
        found = torch.stack([torch.zeros_like(values), values], dim=1)[:, None]
        return found, found[:, 0]

    rows = [("rgb", 1, 2, 250), ("rgb", 3, 4, 5)]
    table = table_of(pairs, (RGB,), blue, rows, np.full((1, 3), 0.2))
    assert set(table["replacement"]) == {"mean", "other_pair"}
    assert table["joint_flipped"].isna().all()
    assert chosen(table, "rgb", "blue", "mean")["flipped"].tolist() == [True, False]
    assert chosen(table, "rgb", "blue", "other_pair")["flipped"].tolist() == [True, True]
    assert not chosen(table, "rgb", "red", "other_pair")["flipped"].any()


def test_a_classifier_of_one_sensor_is_asked_about_that_one_and_the_other_lends():
    shown = []

    def watching(images, present):
        shown.append(([image is None for image in images], present.any(dim=0).tolist()))
        return nir_alone(images, present)

    table = table_of(predict=watching, seen=["rgnir"])
    assert set(table["sensor"]) == {"rgnir"}
    assert set(table["replacement"]) == {"mean", "other_pair", "other_sensor"}
    assert table["joint_flipped"].isna().all()
    assert all(none == [True, False] and there == [False, True] for none, there in shown)
    part = chosen(table, "rgnir", "near infrared", "other_sensor")
    assert part["prediction"].tolist() == ["low", "low", "high", "high", "low"]


def lent(groups, seed):
    """Who lends to whom, of five pairs."""
    pairs = JudgedPairs(PAIRS.ids, PAIRS.rows, PAIRS.targets, ["val"] * 5, groups)
    part = chosen(table_of(pairs, seed=seed, seen=["rgb"]), "rgb", "red", "other_pair")["donor"]
    assert sorted(part) == list("abcde")
    return set(part.items())


def test_donors_are_of_another_group_and_pairs_without_one_are_by_themselves():
    grouped = set().union(*(lent(["x", "x", "y", "y", ""], seed) for seed in range(15)))
    assert not {("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")} & grouped
    alone = set().union(*(lent(["x", "", "", "y", "z"], seed) for seed in range(15)))
    assert {("b", "c"), ("c", "b")} <= alone


def test_a_lone_pair_has_no_donor_and_an_unknown_mean_is_not_asked_for():
    pairs = JudgedPairs(["a"], np.array([[0, 5]]), np.array([1]), ["val"], ["a"])
    means = MEANS.copy()
    means[0] = np.nan
    table = table_of(pairs, means=means)
    assert "other_pair" not in set(table["replacement"])
    assert set(table.query("replacement == 'mean'")["sensor"]) == {"rgnir"}
    assert table_of(pairs.chosen(np.array([], dtype=int))).empty


@pytest.mark.parametrize("count", [2, 3, 7, 50])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_derangement_is_a_permutation_without_fixed_point(count, seed):
    found = deranged(list(range(count)), seed)
    assert sorted(found) == list(range(count))
    assert (found != np.arange(count)).all()
    assert found.tolist() == deranged(list(range(count)), seed).tolist()


def test_nobody_gets_one_of_its_own_group_where_that_can_be():
    for seed in range(50):
        groups = np.random.default_rng(seed).integers(0, 4, 23)
        if 2 * np.bincount(groups).max() <= 23:
            found = deranged(groups.tolist(), seed)
            assert sorted(found) == list(range(23))
            assert (groups[found] != groups).all()
    too_many = deranged(["x", "x", "x", "y"], 0)
    assert sorted(too_many) == [0, 1, 2, 3]
    assert (too_many != np.arange(4)).all()
    assert deranged(["x"], 0).tolist() == [-1]


def test_every_donor_is_drawn_about_as_often():
    """Of 5 pairs each of the 4 others, over 2,000 seeds: 500 times, with a standard deviation of 19."""
    counts = np.zeros(5)
    for seed in range(2000):
        counts[deranged(list(range(5)), seed)[0]] += 1
    assert counts[0] == 0
    assert np.abs(counts[1:] - 500).max() < 80


def test_where_bands_come_from():
    names = [[source_as_dict(SENSORS, slot, band)["from_band"] for band in range(3)] for slot in range(2)]
    assert names == [["red", "green", "near infrared"], ["red", "green", "blue"]]
    assert source_as_dict(SENSORS, 1, 2) == {
        "sensor": "rgnir",
        "band": "near infrared",
        "from_sensor": "rgb",
        "from_band": "blue",
        "same_band": False,
        "words": "near infrared of RGNIR is replaced by blue of RGB, which has no near infrared",
    }
    assert source_as_dict(SENSORS, 1, 0)["words"] == "red of RGNIR is replaced by red of RGB"
    assert source_as_dict((RGB,), 0, 0) is None
    moved = Sensor("cir", "CIR", ("near infrared", "red", "green"), "{id}_c.jpg")
    assert (band_source((RGB, moved), 1, 0).band, band_source((RGB, moved), 1, 1).band) == (2, 0)
    assert band_source((RGB, moved), 0, 2).band == 0  # blue <- near infrared, the one that RGB lacks
    twin = Sensor("rgb2", "RGB 2", ("red", "green", "blue"), "{id}_2.jpg")
    third = band_source((RGB, twin, RGNIR), 0, 2)
    assert (third.sensor, third.band, third.same) == (1, 2, True)


def test_band_means_against_a_loop():
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 4, 3), dtype=np.uint8)
    names = ["rgb", "rgnir", "rgb", "rgnir", "rgb", "rgb", "rgnir"]
    pictures = Pictures(ImageCache(images, {}), names, SENSORS, torch.device("cpu"))
    rows = np.array([[0, 1], [2, 3], [4, -1]])
    found = band_means(pictures, rows, batch_size=2)
    for slot, own in enumerate(([0, 2, 4], [1, 3])):
        for band in range(3):
            every = [value / 255 for row in own for value in images[row, :, :, band].ravel().tolist()]
            assert found[slot, band] == pytest.approx(sum(every) / len(every))
    assert np.isnan(band_means(pictures, rows[2:])[1]).all()


ENCODER = EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})
PRESENT = torch.tensor([[True, True], [True, False], [True, True]])


@pytest.fixture
def images():
    torch.manual_seed(0)
    return [torch.randn(3, 3, 32, 32) for _ in range(3)]


@torch.no_grad()
def test_the_runs_own_classifier_sees_a_picture_once_and_joins(images):
    classifier = Classifier(Encoder(ENCODER), 3).eval()
    seen = []
    classifier.encoder.register_forward_hook(lambda module, given, _: seen.append(len(given[0])))
    predict = ClassifierPredict(classifier)
    first, second, third = images
    logits, joint = predict([first, second], PRESENT)
    torch.testing.assert_close(logits, torch.stack([classifier(first), classifier(second)], dim=1))
    torch.testing.assert_close(joint, classifier.join(logits, PRESENT))
    seen.clear()
    changed, _ = predict([third, second], PRESENT)
    assert seen == [3]
    torch.testing.assert_close(changed[:, 1], logits[:, 1])
    lacking, alone = predict([first, None], PRESENT & torch.tensor([True, False]))
    torch.testing.assert_close(alone, lacking[:, 0])


@torch.no_grad()
def test_a_fused_classifier_judges_a_missing_picture_as_missing(images):
    fused = FusedClassifier(Encoder(ENCODER), 3, 2, hidden=4).eval()
    logits, joint = ClassifierPredict(fused)(images[:2], PRESENT)
    torch.testing.assert_close(joint[1], logits[1, 0])
    assert not torch.allclose(joint[0], logits[0, 0])
    lone, _ = ClassifierPredict(fused)([images[0], None], PRESENT & torch.tensor([True, False]))
    torch.testing.assert_close(lone[:, 0], logits[:, 0])


@torch.no_grad()
def test_networks_and_views_are_averaged(images):
    networks = [Classifier(Encoder(ENCODER), 3).eval() for _ in range(2)]
    logits, joint = ClassifierPredict(*networks, views=2)(images[:2], PRESENT)
    every = [
        ClassifierPredict(network)([image.flip(axes) for image in images[:2]], PRESENT)
        for network in networks
        for axes in ((), (3,))
    ]
    torch.testing.assert_close(logits, torch.stack([each for each, _ in every]).mean(dim=0))
    torch.testing.assert_close(joint, torch.stack([pair for _, pair in every]).mean(dim=0))
