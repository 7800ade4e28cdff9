import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score, normalized_mutual_info_score

from rice_ssl.evaluation.ablation import measures, summarise

SENSORS, TITLES = ("rgb", "rgnir"), {"rgb": "RGB", "rgnir": "RGNIR"}


def cell(hits, first=(0, 1, 2, 0), second=(0, 1, 2, 1)):
    """Four pairs: recall is ``hits``; the probe judged only the first two."""
    return pd.DataFrame(
        {
            "probe_rgb": [1.0, 0.0, np.nan, np.nan],
            "recall_1": hits,
            "prototype_rgb": first,
            "prototype_rgnir": second,
        },
        index=list("abcd"),
    )


def figure(found, condition, measure):
    return next(e for e in found["figures"] if (e["condition"], e["measure"]) == (condition, measure))


def summary(cells, baseline="one", **changes):
    settings = {"bootstrap": 400, "confidence": 0.95, **changes}
    return summarise(cells, measures(SENSORS, TITLES), baseline, **settings)


def test_values_are_means_over_pairs_and_seeds():
    found = summary({("one", 0): cell([1, 0, 0, 0]), ("one", 1): cell([1, 1, 0, 0])})
    entry = figure(found, "one", "recall_1")
    assert (entry["value"], entry["seeds"], entry["pairs"]) == (0.375, 2, 4)
    probe = figure(found, "one", "probe_rgb")
    assert (probe["value"], probe["pairs"]) == (0.5, 2)  # pairs without a judgement are no part of it
    assert {e["measure"] for e in found["figures"]} == {
        "probe_rgb",
        "recall_1",
        "assignment_kappa",
        "assignment_nmi",
        "prototype_perplexity",
    }
    single = [e["value"] for e in found["cells"] if e["measure"] == "recall_1"]
    assert single == [0.25, 0.5]


def test_agreement_is_that_of_scikit_learn_and_perplexity_by_hand():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 5, 60)
    second = np.where(rng.random(60) < 0.6, first, rng.integers(0, 5, 60))
    table = pd.DataFrame({"prototype_rgb": first, "prototype_rgnir": second})
    found = summary({("one", 0): table}, None)
    assert figure(found, "one", "assignment_kappa")["value"] == pytest.approx(cohen_kappa_score(first, second))
    assert figure(found, "one", "assignment_nmi")["value"] == pytest.approx(normalized_mutual_info_score(first, second))
    even = pd.DataFrame({"prototype_rgb": [0, 1], "prototype_rgnir": [2, 3]})
    assert figure(summary({("one", 0): even}, None), "one", "prototype_perplexity")["value"] == pytest.approx(4)


def test_one_prototype_for_all_is_no_agreement():
    """The two images of every pair have the same prototype, as have those of any two pairs."""
    found = summary({("one", 0): cell([0, 0, 0, 0], (3, 3, 3, 3), (3, 3, 3, 3))}, None)
    for name in ("assignment_kappa", "assignment_nmi"):
        assert figure(found, "one", name)["value"] == 0
    assert figure(found, "one", "prototype_perplexity")["value"] == pytest.approx(1)


def test_the_interval_is_that_of_a_slow_bootstrap_over_seeds_and_pairs():
    rng = np.random.default_rng(1)
    tables = [pd.DataFrame({"recall_1": (rng.random(80) < p).astype(float)}) for p in (0.3, 0.5, 0.6)]
    found = summary({("one", seed): table for seed, table in enumerate(tables)}, None, bootstrap=4000)
    values = np.stack([table["recall_1"].to_numpy() for table in tables])
    repeated = []
    for _ in range(4000):
        pairs = rng.integers(0, 80, 80)
        of_all = values[:, pairs].mean()
        drawn = np.mean([values[seed, pairs].mean() for seed in rng.integers(0, 3, 3)])
        repeated.append(of_all + (drawn - of_all) * math.sqrt(3 / 2))
    low, high = np.quantile(repeated, [0.025, 0.975])
    entry = figure(found, "one", "recall_1")
    assert entry["low"] == pytest.approx(low, abs=0.012)
    assert entry["high"] == pytest.approx(high, abs=0.012)


def test_differences_are_paired_and_over_the_seeds_that_both_have():
    """The other is one pair better in every draw that holds pair b, whatever the seeds: never worse."""
    cells = {("one", 0): cell([1, 0, 0, 0]), ("one", 1): cell([0, 0, 1, 0])}
    cells |= {("other", 0): cell([1, 1, 0, 0]), ("other", 1): cell([0, 1, 1, 0]), ("other", 2): cell([0, 0, 0, 0])}
    found = summary(cells)
    gap = next(e for e in found["differences"] if e["measure"] == "recall_1")
    assert (gap["condition"], gap["baseline"], gap["value"], gap["seeds"]) == ("other", "one", 0.25, 2)
    assert gap["low"] == 0.0
    assert 0.5 <= gap["high"] <= 1.0
    assert figure(found, "other", "recall_1")["value"] == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert all(e["condition"] != "one" for e in found["differences"])
    assert summary(cells, None)["differences"] == []
    assert summary({("other", 2): cell([0, 0, 0, 0])})["differences"] == []


def test_one_sensor_has_nothing_to_compare():
    names = [measure.name for measure in measures(("rgb",), TITLES)]
    assert names == ["probe_rgb", "knn_rgb"]
    assert all(math.isfinite(e["value"]) for e in summary({("one", 0): cell([1, 0, 0, 0])})["figures"])


def test_the_bias_of_drawing_pairs_twice_is_taken_off():
    """60 pairs on 30 prototypes, sensors independent: the NMI of drawn pairs is higher, their prototypes are fewer."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"prototype_rgb": rng.integers(0, 30, 60), "prototype_rgnir": rng.integers(0, 30, 60)})
    found = summary({("one", 0): table}, None)
    for name in ("assignment_nmi", "prototype_perplexity"):
        entry = figure(found, "one", name)
        assert entry["low"] < entry["value"] < entry["high"]
        assert abs((entry["low"] + entry["high"]) / 2 - entry["value"]) < 0.25 * (entry["high"] - entry["low"])
