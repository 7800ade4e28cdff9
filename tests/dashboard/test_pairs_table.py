"""What was said of each pair, against a slow loop over pairs."""

import numpy as np
import pandas as pd
import pytest

from dashboard.pairs import first_of_pair, pairs_table

CLASSES = ["a", "b", "c"]


def draw(seed, sensors):
    """Some pairs, some of them unlabelled, and what was said of some of their images, in no order."""
    rng = np.random.default_rng(seed)
    ids = [f"p{k}" for k in rng.permutation(int(rng.integers(2, 12)))]
    rows = [(pair_id, rng.choice(["a", "b", None]), "train") for pair_id in ids for _ in sensors]
    manifest = pd.DataFrame(rows, columns=["pair_id", "label", "split"]).astype("str")
    said = [(i, sensor, rng.choice(CLASSES)) for sensor in [*sensors, "both"] for i in [*ids, "unknown"]]
    judged = pd.DataFrame(said, columns=["pair_id", "sensor", "prediction"]).astype("str")
    judged = judged.sample(frac=rng.choice([0.6, 1]), random_state=seed).reset_index(drop=True)
    return manifest, judged, rng.dirichlet([1, 1, 1], len(judged)).astype(np.float32)


def slow_divergence(p, q):
    middle = (p + q) / 2
    parts = [sum(v * np.log2(v / m) for v, m in zip(side, middle, strict=True) if v > 0) for side in (p, q)]
    return min(max(sum(parts) / 2, 0), 1)


@pytest.mark.parametrize("sensors", [["rgb"], ["rgb", "rgnir"], ["rgb", "rgnir", "thermal"]])
@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_a_slow_loop_finds(seed, sensors):
    manifest, judged, probabilities = draw(seed, sensors)
    frame = first_of_pair(manifest)
    assert frame.index.tolist() == sorted(set(manifest["pair_id"]))
    found = pairs_table(frame, judged, probabilities, sensors)
    said = {(row.pair_id, row.sensor): row.Index for row in judged.itertuples()}
    judges = sorted({row.sensor for row in judged.itertuples()})
    two = [name for name in sensors if name in judges][:2]
    for pair_id, row in found.iterrows():
        labels = [label for label in manifest.loc[manifest["pair_id"] == pair_id, "label"] if isinstance(label, str)]
        assert row["label"] == labels[0] if labels else pd.isna(row["label"])
        right = {}
        for judge in judges:
            place = said.get((pair_id, judge))
            if place is None:
                assert pd.isna([row[f"{judge}_{name}"] for name in ("prediction", "confidence", "correct")]).all()
                continue
            assert row[f"{judge}_prediction"] == judged["prediction"][place]
            assert row[f"{judge}_confidence"] == probabilities[place].max()
            right[judge] = judged["prediction"][place] == labels[0] if labels else None
            assert pd.isna(row[f"{judge}_correct"]) if not labels else row[f"{judge}_correct"] == right[judge]
        places = [said.get((pair_id, name)) for name in two]
        if len(two) < 2 or None in places:
            assert pd.isna([row.get(name) for name in ("divergence", "agree", "who_is_right")]).all()
            continue
        expected = slow_divergence(*(probabilities[place].astype(np.float64) for place in places))
        assert row["divergence"] == pytest.approx(expected, abs=1e-12)
        assert row["agree"] == (judged["prediction"][places[0]] == judged["prediction"][places[1]])
        if not labels:
            assert pd.isna(row["who_is_right"])
            continue
        verdict = {
            (True, True): "both",
            (True, False): f"{two[0]} only",
            (False, True): f"{two[1]} only",
            (False, False): "neither",
        }
        assert row["who_is_right"] == verdict[right[two[0]], right[two[1]]]


def test_nothing_said_leaves_the_pairs_as_they_are():
    manifest, judged, _ = draw(0, ["rgb"])
    frame = first_of_pair(manifest)
    pd.testing.assert_frame_equal(pairs_table(frame, judged.iloc[:0], None, ["rgb"]), frame)


def test_first_of_pair_is_that_of_a_grouping():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "pair_id": [f"p{k}" for k in rng.integers(0, 20, 60)],
            "label": rng.choice(["x", "y", None], 60),
            "fold": rng.integers(0, 5, 60),
        }
    ).astype({"pair_id": "str", "label": "str"})
    pd.testing.assert_frame_equal(first_of_pair(frame), frame.groupby("pair_id").first())
