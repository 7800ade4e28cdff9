import numpy as np
import pandas as pd
import pytest
import torch

from pipelines.embed import predictions_table, scaled_means
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.config import EncoderConfig
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder

CLASSES = ["a", "b", "c"]


def images(*rows):
    """Manifest rows (pair, sensor, label, split) with columns that predictions do not have."""
    table = pd.DataFrame(rows, columns=["pair_id", "sensor", "label", "split"])
    return table.assign(path="x.jpg", fold=range(len(table)), sha256="0")


PICTURES = images(
    ("q", "rgb", "a", "val"), ("p", "rgb", None, "test"), ("q", "rgnir", "a", "val"), ("r", "rgnir", "b", "train")
)
LOGITS = np.array([[0.0, np.log(2), 0.0], [np.log(3), 0.0, 0.0], [0.0, np.log(8), np.log(4)], [0.0, 0.0, np.log(6)]])


def both(table):
    return table[table["sensor"] == "both"].set_index("pair_id")


def test_predictions_of_pictures_by_hand():
    table = predictions_table(PICTURES, LOGITS, CLASSES, scaled_means(PICTURES, LOGITS, 1.5))
    assert set(table) == set(TABLES["predictions"].columns)
    single = table.iloc[:4]
    assert single["pair_id"].tolist() == ["q", "p", "q", "r"]
    assert single["sensor"].tolist() == ["rgb", "rgb", "rgnir", "rgnir"]
    expected = [[1 / 4, 2 / 4, 1 / 4], [3 / 5, 1 / 5, 1 / 5], [1 / 13, 8 / 13, 4 / 13], [1 / 8, 1 / 8, 6 / 8]]
    assert np.stack(single["probabilities"]) == pytest.approx(np.array(expected))
    assert np.stack(single["logits"]).tolist() == LOGITS.tolist()
    assert single["prediction"].tolist() == ["b", "a", "b", "c"]
    assert single["fold"].tolist() == [0, 1, 2, 3]


def test_a_pair_is_judged_from_the_scaled_mean_of_its_logits():
    """Twice the mean of the logits is their sum: soft-max weights 1, 2 * 8 and 1 * 4."""
    pair = both(predictions_table(PICTURES, LOGITS, CLASSES, scaled_means(PICTURES, LOGITS, 2.0))).loc["q"]
    assert pair["logits"] == pytest.approx(np.log([1, 16, 4]))
    assert pair["probabilities"] == pytest.approx(np.array([1, 16, 4]) / 21)
    assert (pair["prediction"], pair["label"], pair["split"]) == ("b", "a", "val")


def test_a_pair_with_one_picture_is_judged_as_that_picture():
    pairs = both(predictions_table(PICTURES, LOGITS, CLASSES, scaled_means(PICTURES, LOGITS, 2.0)))
    assert pairs.index.tolist() == ["q", "p", "r"]
    assert pairs.loc["p", "logits"].tolist() == LOGITS[1].tolist()
    assert pairs.loc["r", "logits"].tolist() == LOGITS[3].tolist()
    assert pairs["prediction"].tolist() == ["b", "a", "c"]
    assert pairs["split"].tolist() == ["val", "test", "train"]
    assert pairs["label"].isna().tolist() == [False, True, False]


def test_both_sensors_equals_the_classifiers_join():
    torch.manual_seed(0)
    classifier = Classifier(Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})), 3)
    logits, present = torch.randn(9, 2, 3), torch.rand(9, 2) < 0.6
    present[:, 0] |= ~present.any(dim=1)
    joined = classifier.join(logits, present).detach().numpy()
    there = [(pair, slot) for pair in range(9) for slot in range(2) if present[pair, slot]]
    rows = images(*[(f"p{pair}", ("rgb", "rgnir")[slot], None, "test") for pair, slot in there])
    values = np.stack([logits[pair, slot].numpy() for pair, slot in there])
    table = predictions_table(rows, values, CLASSES, scaled_means(rows, values, classifier.log_scale.exp().item()))
    np.testing.assert_allclose(np.stack(both(table)["logits"]), joined, atol=1e-6)


def test_large_logits_give_finite_probabilities():
    table = predictions_table(PICTURES, 1e4 * LOGITS, CLASSES, scaled_means(PICTURES, 1e4 * LOGITS, 1.5))
    assert np.isfinite(np.stack(table["probabilities"])).all()
    assert np.stack(table["probabilities"]).sum(axis=1) == pytest.approx(np.ones(7))


def test_the_table_can_be_stored_and_read_back(tmp_path):
    store = RunStore(tmp_path)
    store.create({})
    table = predictions_table(PICTURES, LOGITS, CLASSES, scaled_means(PICTURES, LOGITS, 1.5))
    store.write_table("predictions", table)
    read = store.read_table("predictions")
    assert read["prediction"].tolist() == table["prediction"].tolist()
    assert read["label"].isna().tolist() == [False, True, False, False, False, True, False]
    np.testing.assert_allclose(np.stack(read["probabilities"]), np.stack(table["probabilities"]), atol=1e-6)
