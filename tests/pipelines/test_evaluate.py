"""``rice-ssl evaluate`` on runs with predictions, with a cross-validation, with both and with neither."""

import numpy as np
import pandas as pd
import pytest

from pipelines.evaluate import run_evaluate
from rice_ssl.artifacts import RunStore
from rice_ssl.errors import ArtifactError
from rice_ssl.run_config import parse_config

CLASSES, SENSORS, PAIRS = ["blast", "brown"], ("rgb", "rgnir"), 40
IDS = [f"id_{k:03d}" for k in range(PAIRS)]
SPLITS = ["test" if k % 4 == 3 else "val" if k % 4 == 2 else "train" for k in range(PAIRS)]


def judged(pairs, splits, seed):
    """Each pair by both sensors and jointly; the table's own labels are not those of the manifest."""
    rng = np.random.default_rng(seed)
    rows = []
    for pair in pairs:
        for sensor in (*SENSORS, "both"):
            chance = rng.uniform(0.05, 0.95)
            rows.append(
                {
                    "pair_id": IDS[pair],
                    "sensor": sensor,
                    "logits": np.log([chance, 1 - chance]),
                    "probabilities": np.array([chance, 1 - chance]),
                    "prediction": CLASSES[int(chance < 0.5)],
                    "confidence": max(chance, 1 - chance),
                    "label": "healthy",
                    "split": splits[pair],
                    "fold": -1 if splits[pair] == "test" else pair % 5,
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture
def store(tmp_path):
    """A run with a manifest, and nothing else; test pairs have labels, the first pair one that is no class."""
    store = RunStore(tmp_path / "run")
    store.create({"classes": CLASSES, "sensors": [{"name": name} for name in SENSORS]})
    rows = [(pair, sensor) for pair in range(PAIRS) for sensor in SENSORS]
    store.write_table(
        "manifest",
        pd.DataFrame(
            {
                "pair_id": [IDS[pair] for pair, _ in rows],
                "sensor": [sensor for _, sensor in rows],
                "path": "a.jpg",
                "label": ["other" if pair == 0 else CLASSES[pair // 4 % 2] for pair, _ in rows],
                "split": [SPLITS[pair] for pair, _ in rows],
                "fold": [pair % 5 for pair, _ in rows],
                "group": "",
                "width": 5,
                "height": 4,
                "sha256": "",
            }
        ),
    )
    return store


def predictions():
    return judged(range(PAIRS), SPLITS, seed=1).drop(columns="confidence")


def folded():
    return judged(range(PAIRS), ["test" if split == "test" else "oof" for split in SPLITS], seed=2)


def evaluate(store):
    config = parse_config(
        {"name": "tiny", "run": "run", "data": {"root": "images"}, "evaluate": {"bootstrap": 100}}, "test"
    )
    summary = run_evaluate(store, config)
    assert store.read_document("report") == summary.report
    return summary


def accuracy(table, split):
    """Of rgb, by the manifest's labels, one pair at a time."""
    right = [
        CLASSES[int(row.probabilities[0] < 0.5)] == CLASSES[IDS.index(row.pair_id) // 4 % 2]
        for row in table[(table["split"] == split) & (table["sensor"] == "rgb")].itertuples()
        if row.pair_id != IDS[0]
    ]
    return pytest.approx(sum(right) / len(right))


def of_rgb(summary, split):
    return summary.report["splits"][split]["sensors"]["rgb"]["figures"]["accuracy"]["value"]


def test_predictions_alone(store):
    store.write_table("predictions", predictions())
    summary = evaluate(store)
    assert list(summary.report["splits"]) == ["val", "test"]
    for split in ("val", "test"):
        assert of_rgb(summary, split) == accuracy(predictions(), split)
        assert "folds" not in summary.report["splits"][split]


def test_a_cross_validation_alone(store):
    store.write_table("cross_validation", folded())
    summary = evaluate(store)
    parts = summary.report["splits"]
    assert list(parts) == ["oof", "test"]
    for split in parts:
        assert of_rgb(summary, split) == accuracy(folded(), split)
    assert (parts["oof"]["folds"], parts["oof"]["pairs"], parts["oof"]["unknown_labels"]) == (5, 30, 1)
    assert parts["oof"]["sensors"]["rgb"]["n"] == 29


def test_both_give_three_splits(store):
    store.write_table("predictions", predictions())
    store.write_table("cross_validation", folded())
    summary = evaluate(store)
    assert list(summary.report["splits"]) == ["oof", "val", "test"]
    assert of_rgb(summary, "oof") == accuracy(folded(), "oof")
    assert of_rgb(summary, "test") == accuracy(predictions(), "test")


def test_neither_names_the_remedy(store):
    with pytest.raises(ArtifactError, match="neither predictions nor a cross-validation.*`rice-ssl embed .*run`"):
        evaluate(store)
    assert not store.has("report")


def test_measured_images_give_strata(store):
    store.write_table("cross_validation", folded())
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"pair_id": np.repeat(IDS, 2), "sensor": SENSORS * PAIRS})
    measures = {name: rng.random(2 * PAIRS) for name in ("brightness", "sharpness", "clipped", "leaf_area")}
    store.write_table("quality", rows.assign(**measures))
    found = evaluate(store).report["splits"]["oof"]["agreement"]["strata"]
    assert [(one["measure"], one["sensor"]) for one in found] == [
        (measure, sensor) for measure in ("brightness", "sharpness", "leaf_area") for sensor in SENSORS
    ]
    assert [one["pairs"] for one in found[0]["bins"]] == [10, 10, 10]


def test_the_summary_says_what_was_found(store):
    store.write_table("cross_validation", folded())
    summary = evaluate(store)
    part, text = summary.report["splits"]["oof"], summary.text()
    brier = part["sensors"]["rgb"]["figures"]["brier"]
    assert f"brier {brier['value']:.3f} [{brier['low']:.3f}, {brier['high']:.3f}]" in text
    assert "oof   1 labels are none of the classes" in text
    assert f"(McNemar, {part['agreement']['mcnemar']['method']})" in text
    best = part["complementarity"]["best_single"]["sensor"]
    assert f"all images against {best} alone: accuracy {part['complementarity']['gain_of_fusion']['value']:.3f}" in text


def test_nothing_to_judge_is_said(store):
    manifest = store.read_table("manifest").assign(label=None)
    store.write_table("manifest", manifest)
    store.write_table("predictions", predictions())
    summary = evaluate(store)
    assert summary.report["splits"]["val"]["sensors"] == {}
    assert "there is nothing to judge" in summary.text()
    assert "agree on" in summary.text()
