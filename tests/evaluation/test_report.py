import json
import math

import numpy as np
import pandas as pd
import pytest

from rice_ssl.evaluation.bootstrap import draws
from rice_ssl.evaluation.report import build_report

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
                rows.append((pair_id, sensor, np.array([chance, 1 - chance]), guess, label, split))
    return pd.DataFrame(rows, columns=["pair_id", "sensor", "probabilities", "prediction", "label", "split"])


def report(table, sensors=SENSORS, seed=0):
    return build_report(table, CLASSES, sensors, bootstrap=200, confidence=0.9, seed=seed)


@pytest.fixture(scope="module")
def val():
    return report(predictions())["splits"]["val"]


def values(figures):
    return {name: figure["value"] for name, figure in figures.items()}


def loss(*chances):
    return -sum(math.log(chance) for chance in chances) / len(chances)


def test_figures_of_each_sensor_by_hand(val):
    assert list(val["sensors"]) == ["rgb", "rgnir", "both"]
    rgb, rgnir, both = val["sensors"].values()
    assert (rgb["n"], rgnir["n"], both["n"]) == (4, 3, 4)  # p4 has no label, p5 no rgnir picture
    assert rgb["confusion"] == [[1, 1], [1, 1]]
    assert rgnir["confusion"] == [[1, 0], [0, 2]]
    assert both["confusion"] == [[1, 1], [0, 2]]
    expected = {"accuracy": 0.5, "log_loss": loss(0.8, 0.4, 0.9, 0.25), "macro_f1": 0.5}
    assert values(rgb["figures"]) == pytest.approx(expected)
    assert values(rgnir["figures"]) == pytest.approx({"accuracy": 1, "log_loss": loss(0.6, 0.7, 0.8), "macro_f1": 1})
    expected = {"accuracy": 0.75, "log_loss": loss(0.9, 0.6, 0.95, 0.25), "macro_f1": (2 / 3 + 4 / 5) / 2}
    assert values(both["figures"]) == pytest.approx(expected)


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
            ("both", "rgnir", "accuracy"): 0,
            ("both", "rgnir", "log_loss"): both - rgnir,
            ("rgb", "rgnir", "accuracy"): -1 / 3,
            ("rgb", "rgnir", "log_loss"): rgb - rgnir,
        }
    )


def test_intervals_equal_a_slow_loop(val):
    right, agree, gap = [1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0]
    for found, each in (
        (val["sensors"]["rgb"]["figures"]["accuracy"], right),
        (val["agreement"]["rate"], agree),
        (val["differences"][0], gap),
    ):
        repeated = [sum(each[k] for k in row) / len(each) for row in draws(len(each), 200, 0)]
        expected = np.quantile(repeated, [0.05, 0.95])
        assert (found["low"], found["high"]) == pytest.approx(tuple(expected))


def test_the_same_seed_gives_the_same_report():
    rng = np.random.default_rng(0)
    many = {f"p{k}": ("ab"[k % 2], *rng.random(3)) for k in range(40)}
    assert report(predictions(many), seed=4) == report(predictions(many), seed=4)
    assert report(predictions(many), seed=4) != report(predictions(many), seed=5)


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
    assert [(d["a"], d["b"], d["value"]) for d in found["differences"]] == [("both", "rgb", 0.0)] * 2


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
