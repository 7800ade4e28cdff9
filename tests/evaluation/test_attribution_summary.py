"""Summaries of attribution tables against hand-computed means and the bootstrap they are made with."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from rice_ssl.evaluation.attribution_summary import (
    agreement_summary,
    band_summary,
    localisation_summary,
    randomisation_summary,
    trust_summary,
)
from rice_ssl.evaluation.paired_tests import share_difference
from rice_ssl.evaluation.resampling import Bootstrap

MADE = Bootstrap(repetitions=300, confidence=0.9, seed=4)


def wilson(successes, count):
    found = binomtest(successes, count).proportion_ci(0.9, method="wilson")
    return pytest.approx({"value": successes / count, "low": found.low, "high": found.high})


def trust(pairs=6):
    """Grad-CAM, then the baselines, on one sensor; the last pair has another class, and no ROAD."""
    rng, rows = np.random.default_rng(0), []
    random, gaussian = rng.random(pairs) / 2, rng.random(pairs) / 2
    for method in ("grad_cam", "random", "gaussian"):
        for pair in range(pairs):
            insertion, deletion = rng.random(), rng.random()
            if method != "grad_cam":
                insertion, deletion = (random if method == "random" else gaussian)[pair] + 0.2, 0.2
            rows.append(
                {
                    "pair_id": f"p{pair}",
                    "sensor": "rgb",
                    "method": method,
                    "layer": "layer4" if method == "grad_cam" else "none",
                    "class_name": "blast" if pair < pairs - 1 else "healthy",
                    "deletion": deletion,
                    "insertion": insertion,
                    "score": insertion - deletion,
                    "random_score": random[pair],
                    "gaussian_score": gaussian[pair],
                    "p_random": np.nan
                    if method == "random"
                    else float(np.float32([0.05, 0.1, 0.05, 0.9, 0.05, 0.3][pair])),
                    "road": rng.random() if pair < pairs - 1 else np.nan,
                    "label": "blast",
                    "split": "test",
                }
            )
    return pd.DataFrame(rows)


def test_trust_of_all_and_of_each_class():
    table = trust()
    found = trust_summary(table, MADE)
    keys = [(one["method"], one["layer"], one["sensor"], one["split"], one["class"], one["pairs"]) for one in found]
    assert keys == [
        (method, layer, "rgb", "test", name, pairs)
        for method, layer in (("grad_cam", "layer4"), ("random", "none"), ("gaussian", "none"))
        for name, pairs in ((None, 6), ("blast", 5), ("healthy", 1))
    ]
    cam, random = table[table["method"] == "grad_cam"], table[table["method"] == "random"]
    every, blast, healthy = found[:3]
    for name in ("deletion", "insertion", "score"):
        assert every[name] == MADE.mean(cam[name].to_numpy())
        assert every[name]["value"] == pytest.approx(cam[name].mean())
        assert blast[name] == MADE.mean(cam[name].to_numpy()[:5])
        assert healthy[name] is None  # one pair shows no spread
    assert every["above_random"] == MADE.mean((cam["score"] - cam["random_score"]).to_numpy())
    assert every["above_gaussian"] == MADE.mean((cam["score"] - cam["gaussian_score"]).to_numpy())
    assert every["better_share"] == wilson(3, 6)
    assert blast["better_share"] == wilson(3, 5)
    assert healthy["better_share"] is None
    assert every["road"] == MADE.mean(cam["road"].to_numpy()[:5])  # where it was measured
    assert every["road_above_random"] == MADE.mean(cam["road"].to_numpy()[:5] - random["road"].to_numpy()[:5])


def test_baselines_are_not_compared_with_themselves():
    found = {one["method"]: one for one in trust_summary(trust(), MADE) if one["class"] is None}
    assert found["random"]["above_random"] is None
    assert found["random"]["road_above_random"] is None
    assert found["random"]["better_share"] is None
    assert found["gaussian"]["above_gaussian"] is None
    table = trust()
    gaussian = table[table["method"] == "gaussian"]
    assert found["gaussian"]["above_random"] == MADE.mean((gaussian["score"] - gaussian["random_score"]).to_numpy())


def test_random_maps_of_another_sensor_are_not_mixed_in():
    table = trust()
    both = pd.concat([table, table.assign(sensor="rgnir", road=0.9)], ignore_index=True)
    assert trust_summary(both, MADE)[:3] == trust_summary(table, MADE)[:3]
    other = [one for one in trust_summary(both, MADE) if one["sensor"] == "rgnir"]
    assert other[0]["road_above_random"] == {"value": 0, "low": 0, "high": 0}


def test_trust_without_road_or_random_maps():
    table = trust()
    table = table[table["method"] == "grad_cam"].assign(road=None)
    (every, *_) = trust_summary(table, MADE)
    assert (every["road"], every["road_above_random"]) == (None, None)
    assert every["score"]["value"] == pytest.approx(table["score"].mean())


def located(method, pointing, visible=True, sensor="rgb"):
    count = len(pointing)
    return pd.DataFrame(
        {
            "pair_id": [f"p{number}" for number in range(count)],
            "sensor": sensor,
            "method": method,
            "layer": "none" if method == "gaussian" else "layer4",
            "visible": visible,
            "pointing": np.array(pointing, dtype=float),
            "mass": np.linspace(0.1, 0.9, count) ** (2 if method == "gaussian" else 1),
            "rank": np.linspace(0.2, 0.3, count),
        }
    )


def test_localisation_beside_the_gaussian():
    cam, gaussian = located("grad_cam", [1, 1, 1, 0, 1]), located("gaussian", [1, 0, 0, 0, 1])
    found, centre = localisation_summary(pd.concat([cam, gaussian.iloc[::-1]]), MADE)
    assert {name: found[name] for name in ("method", "layer", "sensor", "visible", "pairs")} == {
        "method": "grad_cam",
        "layer": "layer4",
        "sensor": "rgb",
        "visible": True,
        "pairs": 5,
    }
    assert found["pointing"] == wilson(4, 5)
    difference = share_difference(cam["pointing"].to_numpy() > 0, gaussian["pointing"].to_numpy() > 0, 0.9)
    assert found["pointing_above_gaussian"] == difference.as_dict()
    assert found["pointing_above_gaussian"]["value"] == pytest.approx(2 / 5)
    assert found["mass"] == MADE.mean(cam["mass"].to_numpy())
    assert found["mass_above_gaussian"] == MADE.mean((cam["mass"] - gaussian["mass"]).to_numpy())
    assert found["rank_above_gaussian"]["value"] == pytest.approx(0)
    assert [centre[f"{name}_above_gaussian"] for name in ("pointing", "mass", "rank")] == [None] * 3


def test_pointing_with_ties_is_a_mean_and_hidden_lesions_are_apart():
    table = pd.concat([located("grad_cam", [1, 0.5, 0]), located("grad_cam", [0, 0, 1], visible=False, sensor="rgnir")])
    seen, hidden = localisation_summary(table, MADE)
    assert seen["pointing"] == MADE.mean(np.array([1, 0.5, 0]))
    assert (hidden["visible"], hidden["sensor"]) == (False, "rgnir")
    assert hidden["pointing"] == wilson(1, 3)
    assert hidden["mass_above_gaussian"] is None  # no Gaussian was measured
    assert localisation_summary(table.iloc[:0], MADE) == []


def test_agreement_above_its_null():
    rng = np.random.default_rng(1)
    names = ["overlap", "rank_correlation", "centre_distance"]
    table = pd.DataFrame({name: rng.random(5) for name in [*names, *(f"null_{name}" for name in names)]})
    table = table.assign(method="grad_cam", layer="layer4", registered=[False, False, False, False, True])
    table.loc[2, "overlap"] = np.nan
    loose, registered = agreement_summary(table, MADE)
    assert (loose["registered"], loose["pairs"], registered["registered"], registered["pairs"]) == (False, 3, True, 1)
    part = table.iloc[[0, 1, 3]]
    assert loose["overlap"] == MADE.mean(part["overlap"].to_numpy())
    assert loose["overlap_above_null"] == MADE.mean((part["overlap"] - part["null_overlap"]).to_numpy())
    below = (table["null_centre_distance"] - table["centre_distance"]).to_numpy()[:4]
    assert loose["centre_distance_below_null"] == MADE.mean(below)
    assert registered["overlap"] is None
    assert registered["rank_correlation_above_null"] is None


def test_bands_keep_their_order_and_stages_theirs():
    bands = pd.DataFrame(
        {
            "pair_id": ["a", "a", "b", "b"],
            "sensor": "rgnir",
            "band": ["red", "nir"] * 2,
            "share": [0.25, 0.75, 0.5, 0.5],
        }
    )
    red, nir = band_summary(bands, MADE)
    assert (red["sensor"], red["band"], red["pairs"], nir["band"]) == ("rgnir", "red", 2, "nir")
    assert red["share"] == MADE.mean(np.array([0.25, 0.5]))
    stages = pd.DataFrame(
        {
            "pair_id": ["a", "a", "b", "b"],
            "sensor": "rgb",
            "method": "grad_cam",
            "layer": "layer4",
            "stage": ["head", "encoder"] * 2,
            "rank_correlation": [0.5, 0.0, 0.7, 0.0],
        }
    )
    (found,) = randomisation_summary(stages, MADE)
    assert (found["method"], found["layer"], found["sensor"], found["pairs"]) == ("grad_cam", "layer4", "rgb", 2)
    assert [one["name"] for one in found["stages"]] == ["head", "encoder"]
    assert found["stages"][0]["rank_correlation"] == MADE.mean(np.array([0.5, 0.7]))
    assert found["stages"][1]["rank_correlation"] == {"value": 0, "low": 0, "high": 0}
