import numpy as np
import pandas as pd
import pytest

from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.evaluation.judged import Judged
from rice_ssl.evaluation.prototypes import wilson_interval
from rice_ssl.evaluation.resampling import Bootstrap
from rice_ssl.evaluation.strata import strata, thirds

SENSORS, HOW = ["rgb", "rgnir"], Bootstrap(200, 0.95, 0)
PAIRS = pd.Index([f"p{k:02d}" for k in range(30)])


def test_thirds_by_hand():
    values = np.arange(30.0)[::-1].copy()
    found = thirds(values)
    assert [low for low, *_ in found] == pytest.approx([0, 29 / 3, 58 / 3])
    assert [high for _, high, _ in found] == pytest.approx([29 / 3, 58 / 3, 29])
    assert [sorted(values[inside].tolist()) for *_, inside in found] == [
        list(range(10)),
        list(range(10, 20)),
        list(range(20, 30)),
    ]


def test_a_value_on_an_edge_belongs_to_the_third_below():
    assert [inside.sum() for *_, inside in thirds(np.arange(31.0))] == [11, 10, 10]  # edges 10 and 20


def test_thirds_are_of_finite_values_and_ties_stay_together():
    values = np.concatenate([np.zeros(20), np.ones(10), [np.nan]])
    found = thirds(values)
    assert sum(inside.sum() for *_, inside in found) == 30
    assert sorted(inside.sum() for *_, inside in found) == [10, 20]
    assert all(len(set(values[inside])) == 1 for *_, inside in found)
    assert not any(inside[30] for *_, inside in found)


@pytest.mark.parametrize("values", [np.arange(29.0), np.ones(50), np.full(50, np.nan), np.zeros(0)])
def test_too_few_values_or_no_difference_have_no_thirds(values):
    assert thirds(values) == []


def judges():
    """The sensors agree on the 10 darkest pairs of rgb alone; half the pairs have the label a, the others none."""
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.6, 0.9, 30)
    other = np.where(np.arange(30) < 10, chance, 1 - chance)
    labels = np.where(np.arange(30) % 2 == 0, 0, -1)
    first, second = (Judged(PAIRS, np.stack([values, 1 - values], axis=1), labels) for values in (chance, other))
    joint = Judged(PAIRS[:15], first.probabilities[:15], labels[:15])
    return {"rgb": first, "rgnir": second, "both": joint}


def quality():
    rows = {"pair_id": PAIRS, "sensor": "rgb", "brightness": np.arange(30) / 30, "sharpness": 5.0, "leaf_area": 0.5}
    other = {**rows, "sensor": "rgnir", "brightness": np.nan, "leaf_area": np.arange(30)[::-1] / 30}
    return pd.concat([pd.DataFrame(rows), pd.DataFrame(other)])


def test_figures_of_each_third_by_hand():
    judged = judges()
    found = strata(judged, SENSORS, PAIRS, quality(), HOW)
    assert [(one["measure"], one["sensor"]) for one in found] == [("brightness", "rgb"), ("leaf_area", "rgnir")]
    dark, middle, light = found[0]["bins"]
    assert [one["pairs"] for one in (dark, middle, light)] == [10, 10, 10]
    assert (dark["low"], light["high"]) == (0, 29 / 30)
    assert dark["high"] == middle["low"]
    assert [one["rate"]["value"] for one in (dark, middle, light)] == [1, 0, 0]
    assert (dark["rate"]["low"], dark["rate"]["high"]) == wilson_interval(10, 10)
    apart = jensen_shannon(judged["rgb"].probabilities, judged["rgnir"].probabilities)
    assert dark["divergence"]["value"] == 0
    assert middle["divergence"]["value"] == pytest.approx(apart[10:20].mean())
    assert [one["accuracy"]["rgnir"]["value"] for one in (dark, middle, light)] == [1, 0, 0]
    assert (middle["accuracy"]["rgb"]["low"], middle["accuracy"]["rgb"]["high"]) == wilson_interval(5, 5)
    assert set(middle["accuracy"]) == {"rgb", "rgnir", "both"}
    assert set(light["accuracy"]) == {"rgb", "rgnir"}  # the joint judge has none of these pairs
    wet = found[1]["bins"]
    assert [one["rate"]["value"] for one in wet] == [0, 0, 1]  # the other way round


def test_pairs_without_measures_are_left_out():
    few = quality()
    found = strata(judges(), SENSORS, PAIRS, few[~few["pair_id"].isin(PAIRS[:1])], HOW)
    assert found == []  # 29 of 30 are too few
