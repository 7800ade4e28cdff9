import json
import math

import numpy as np
import pandas as pd
import pytest

from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.evaluation.bootstrap import draws
from rice_ssl.evaluation.judge import FIGURES
from rice_ssl.evaluation.paired_tests import share_difference
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.report import build_report
from rice_ssl.evaluation.resampling import mean_of, resampled

CLASSES, SENSORS = ["a", "b"], ["rgb", "rgnir"]
# pair: label, probability of class a by rgb, by rgnir, by both; None: no such picture
VAL = {
    "p1": ("a", 0.8, 0.6, 0.9),
    "p2": ("b", 0.6, 0.3, 0.4),
    "p3": ("b", 0.1, 0.2, 0.05),
    "p4": (None, 0.7, 0.4, 0.6),
    "p5": ("a", 0.25, None, 0.25),
}


def predictions(pairs=VAL, split="val"):
    rows = []
    for pair_id, (label, *chances) in pairs.items():
        for sensor, chance in zip([*SENSORS, "both"], chances, strict=True):
            if chance is not None:
                guess = "a" if chance > 0.5 else "b"
                rows.append((pair_id, sensor, np.array([chance, 1 - chance]), guess, label, split, len(rows) % 4))
    return pd.DataFrame(rows, columns=["pair_id", "sensor", "probabilities", "prediction", "label", "split", "fold"])


def report(table, sensors=SENSORS, seed=0, **more):
    return build_report(table, CLASSES, sensors, bootstrap=200, confidence=0.9, seed=seed, **more)


@pytest.fixture(scope="module")
def val():
    return report(predictions())["splits"]["val"]


def values(figures):
    return {name: figure["value"] for name, figure in figures.items()}


def loss(*chances):
    return -sum(math.log(chance) for chance in chances) / len(chances)


def brier(*chances):
    return 2 * sum((1 - chance) ** 2 for chance in chances) / len(chances)


def test_figures_of_each_sensor_by_hand(val):
    assert list(val["sensors"]) == ["rgb", "rgnir", "both"]
    rgb, rgnir, both = val["sensors"].values()
    assert (rgb["n"], rgnir["n"], both["n"]) == (4, 3, 4)  # p4 has no label, p5 no rgnir picture
    assert rgb["confusion"] == [[1, 1], [1, 1]]
    assert rgnir["confusion"] == [[1, 0], [0, 2]]
    assert both["confusion"] == [[1, 1], [0, 2]]
    for one, accuracy, f1, own, ece in (
        # of rgb's bin from 0.7 to 0.8, with confidences 0.8 and 0.75, one is right
        (rgb, 0.5, 0.5, (0.8, 0.4, 0.9, 0.25), (0.55 + 0.6 + 0.1) / 4),
        (rgnir, 1, 1, (0.6, 0.7, 0.8), (0.4 + 0.3 + 0.2) / 3),
        (both, 0.75, (2 / 3 + 4 / 5) / 2, (0.9, 0.6, 0.95, 0.25), (0.1 + 0.4 + 0.05 + 0.75) / 4),
    ):
        figures = (accuracy, loss(*own), f1, brier(*own), ece)
        assert values(one["figures"]) == pytest.approx(dict(zip(FIGURES, figures, strict=True)))


def test_agreement_by_hand_counts_pairs_without_a_label(val):
    """Of p1 to p4 rgb says a a b a, rgnir a b b b: half agree, by chance (3 * 1 + 1 * 3) / 16 would."""
    found = val["agreement"]
    assert (found["sensors"], found["pairs"]) == (SENSORS, 4)
    assert found["matrix"] == [[1, 2], [0, 1]]
    assert found["rate"]["value"] == 0.5
    assert found["kappa"]["value"] == pytest.approx((0.5 - 0.375) / (1 - 0.375))
    assert val["pairs"] == 5


def test_differences_by_hand_are_of_labelled_pairs_with_all_sensors(val):
    """Right on p1, p2, p3: both 1 1 1, rgb 1 0 1, rgnir 1 1 1."""
    found = {(d["a"], d["b"], d["name"]): d["value"] for d in val["differences"]}
    both, rgb, rgnir = loss(0.9, 0.6, 0.95), loss(0.8, 0.4, 0.9), loss(0.6, 0.7, 0.8)
    assert found == pytest.approx(
        {
            ("both", "rgb", "accuracy"): 1 / 3,
            ("both", "rgb", "log_loss"): both - rgb,
            ("both", "rgb", "brier"): brier(0.9, 0.6, 0.95) - brier(0.8, 0.4, 0.9),
            ("both", "rgnir", "accuracy"): 0,
            ("both", "rgnir", "log_loss"): both - rgnir,
            ("both", "rgnir", "brier"): brier(0.9, 0.6, 0.95) - brier(0.6, 0.7, 0.8),
            ("rgb", "rgnir", "accuracy"): -1 / 3,
            ("rgb", "rgnir", "log_loss"): rgb - rgnir,
            ("rgb", "rgnir", "brier"): brier(0.8, 0.4, 0.9) - brier(0.6, 0.7, 0.8),
        }
    )


def ends(figure):
    return figure["low"], figure["high"]


def test_shares_have_wilsons_interval_and_others_that_of_the_same_draws(val):
    """rgb is right on 2 of 4 pairs, the sensors agree on 2 of 4; both is right on p2, where rgb is not."""
    rgb, gaps = val["sensors"]["rgb"], {(d["a"], d["b"], d["name"]): d for d in val["differences"]}
    assert ends(rgb["figures"]["accuracy"]) == wilson_interval(2, 4, 0.9)
    assert ends(val["agreement"]["rate"]) == wilson_interval(2, 4, 0.9)
    right = np.array([True, True, True]), np.array([True, False, True])
    assert ends(gaps["both", "rgb", "accuracy"]) == ends(share_difference(*right, 0.9).as_dict())
    losses = -np.log([0.8, 0.4, 0.9, 0.25])
    expected = mean_of(losses, resampled(draws(4, 200, 0)), 0.9).as_dict()
    assert rgb["figures"]["log_loss"] == pytest.approx(expected)
    paired = -np.log([0.9, 0.6, 0.95]) + np.log([0.8, 0.4, 0.9])
    expected = mean_of(paired, resampled(draws(3, 200, 0)), 0.9).as_dict()
    assert {key: gaps["both", "rgb", "log_loss"][key] for key in expected} == pytest.approx(expected)


def test_divergence_and_agreement_by_label_by_hand(val):
    """Of p1 (a) and p2, p3 (b) the sensors agree on p1 and p3; p4 has no label."""
    found = val["agreement"]
    first, second = (np.array([[p, 1 - p] for p in each]) for each in ((0.8, 0.6, 0.1, 0.7), (0.6, 0.3, 0.2, 0.4)))
    apart = jensen_shannon(first, second)
    assert found["divergence"]["value"] == pytest.approx(apart.mean())
    a, b = found["by_class"]
    assert (a["name"], a["pairs"], a["rate"]["value"], a["divergence"]) == ("a", 1, 1, None)  # one pair has no spread
    assert (b["name"], b["pairs"], b["rate"]["value"]) == ("b", 2, 0.5)
    assert b["divergence"]["value"] == pytest.approx(apart[1:3].mean())


def test_who_is_better_by_hand(val):
    """Of p1, p2, p3, rgnir alone is right on p2, and both is right on all."""
    assert val["agreement"]["mcnemar"] == {"first_only": 0, "second_only": 1, "p": 1.0, "method": "exact"}
    found = val["complementarity"]
    counts = [found[name] for name in ("pairs", "both_right", "first_only", "second_only", "neither")]
    assert counts == [3, 2, 0, 1, 0]
    assert (found["best_single"]["sensor"], found["oracle"]["value"], found["joint"]["value"]) == ("rgnir", 1, 1)
    assert (found["gain_of_fusion"]["value"], found["of_oracle_gain"]) == (0, None)


def many(count=60, label="ab"):
    rng = np.random.default_rng(0)
    return {f"p{k}": (label[k % len(label)], *rng.random(3)) for k in range(count)}


def test_out_of_fold_pairs_are_judged_like_others_and_their_folds_are_counted():
    found = report(predictions(many(), split="oof"))["splits"]
    assert list(found) == ["oof"]
    assert found["oof"].pop("folds") == 4
    assert found["oof"] == report(predictions(many()))["splits"]["val"]


def test_strata_are_there_where_images_were_measured():
    table = predictions(many())
    assert report(table)["splits"]["val"]["agreement"]["strata"] == []
    ids = [f"p{k}" for k in range(60)]
    quality = pd.DataFrame({"pair_id": ids, "sensor": "rgb", "brightness": np.arange(60.0)}).assign(
        sharpness=1.0, leaf_area=np.nan
    )
    (found,) = report(table, quality=quality)["splits"]["val"]["agreement"]["strata"]
    assert (found["measure"], found["sensor"]) == ("brightness", "rgb")
    assert [one["pairs"] for one in found["bins"]] == [20, 20, 20]
    chances = [many()[name] for name in ids[:20]]
    expected = np.mean([(rgb > 0.5) == (rgnir > 0.5) for _, rgb, rgnir, _ in chances])
    assert found["bins"][0]["rate"]["value"] == pytest.approx(expected)


def test_labels_that_are_no_class_are_counted_and_left_out():
    table = predictions(VAL | {"p6": ("c", 0.8, 0.8, 0.8), "p7": ("d", 0.8, 0.8, 0.8)})
    found = report(table)["splits"]["val"]
    assert (found["unknown_labels"], found["pairs"]) == (2, 7)
    known = report(predictions())["splits"]["val"]
    assert known["unknown_labels"] == 0
    for name in ("sensors", "differences", "complementarity"):
        assert found[name] == known[name]


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("label", ["ab", "a"])
def test_few_pairs_and_a_class_that_is_absent_are_written_as_json(count, label):
    found = report(predictions(many(count, label)))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    part = found["splits"]["val"]
    if count == 1:
        assert (part["sensors"], part["differences"], part["complementarity"]) == ({}, [], None)
        assert part["agreement"]["rate"]["value"] in (0, 1)
        assert (part["agreement"]["kappa"], part["agreement"]["divergence"]) == (None, None)
    else:
        assert all(one["n"] == count for one in part["sensors"].values())


def test_a_run_of_one_class():
    table = predictions(many(20, "a"))
    table["probabilities"] = [np.ones(1)] * len(table)
    found = build_report(table, ["a"], SENSORS, bootstrap=50, confidence=0.9, seed=0)["splits"]["val"]
    assert found["sensors"]["rgb"]["figures"]["accuracy"]["value"] == 1
    assert found["sensors"]["rgb"]["figures"]["log_loss"]["value"] == 0
    assert found["agreement"]["kappa"] is None


def test_a_sensor_that_lacks_some_pairs_is_compared_on_the_others():
    pairs = many() | {f"q{k}": ("a", 0.8, None, 0.8) for k in range(9)} | {f"r{k}": ("b", None, 0.8, 0.8) for k in "12"}
    found = report(predictions(pairs))["splits"]["val"]
    assert [found["sensors"][name]["n"] for name in ("rgb", "rgnir", "both")] == [69, 62, 71]
    assert (found["agreement"]["pairs"], found["complementarity"]["pairs"]) == (60, 60)
    assert found["agreement"] == report(predictions(many()))["splits"]["val"]["agreement"]


@pytest.mark.parametrize("vector", [np.array([0.2, 0.3, 0.5]), np.array([np.nan, 1.0]), None])
def test_predictions_of_other_classes_are_refused(vector):
    table = predictions()
    table["probabilities"] = [vector, *table["probabilities"][1:]]
    with pytest.raises(ArtifactError, match=r"'p1' by 'rgb'.*2 finite numbers are needed.*rice-ssl embed"):
        report(table)


def test_a_pair_that_is_judged_twice_is_refused():
    with pytest.raises(ArtifactError, match="Pair 'p1' has two predictions of 'both'"):
        report(pd.concat([predictions(), predictions({"p1": VAL["p1"]})]))


def test_the_same_seed_gives_the_same_report():
    assert report(predictions(many()), seed=4) == report(predictions(many()), seed=4)
    assert report(predictions(many()), seed=4) != report(predictions(many()), seed=5)


def test_only_splits_that_were_not_trained_on_are_judged():
    table = pd.concat([predictions(split="train"), predictions(split="test")])
    found = report(table)
    assert list(found["splits"]) == ["test"]
    assert found["splits"]["test"] == report(predictions())["splits"]["val"]
    assert (found["confidence"], found["bootstrap"], found["classes"]) == (0.9, 200, CLASSES)


@pytest.mark.parametrize("label", [None, "another class"])
def test_without_any_known_label_agreement_is_all_there_is(label):
    table = predictions({pair: (label, *chances) for pair, (_, *chances) in VAL.items()})
    found = report(table)["splits"]["val"]
    assert (found["pairs"], found["sensors"], found["differences"]) == (5, {}, [])
    assert found["agreement"]["rate"]["value"] == 0.5


def test_a_sensor_without_pictures_is_left_out():
    table = predictions({pair: (label, rgb, None, rgb) for pair, (label, rgb, *_) in VAL.items()})
    found = report(table)["splits"]["val"]
    assert list(found["sensors"]) == ["rgb", "both"]
    assert found["agreement"] is None
    assert [(d["a"], d["b"], d["value"]) for d in found["differences"]] == [("both", "rgb", 0.0)] * 3


def test_of_one_sensor_alone_there_is_nothing_to_compare():
    table = predictions({pair: (label, rgb, None, rgb) for pair, (label, rgb, *_) in VAL.items()})
    found = report(table, ["rgb"])["splits"]["val"]
    assert list(found["sensors"]) == ["rgb"]
    assert (found["agreement"], found["differences"]) == (None, [])


def test_sensors_that_share_no_pair_are_not_compared():
    found = report(predictions({"p1": ("a", 0.8, None, 0.8), "p2": ("b", None, 0.3, 0.3)}))["splits"]["val"]
    assert (found["agreement"], found["differences"]) == (None, [])
    assert found["sensors"]["both"]["n"] == 2


def test_a_report_can_be_written_as_json_where_kappa_is_unknown():
    found = report(predictions({"p1": ("a", 0.8, 0.9, 0.9), "p2": ("a", 0.7, 0.6, 0.8)}))
    assert found["splits"]["val"]["agreement"]["kappa"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
