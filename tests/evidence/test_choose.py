"""Which leaves are the worst, and on which the sensors differ most."""

import numpy as np
import pandas as pd
import pytest

from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evidence.choose import most_divergent_pairs, worst_pairs
from tests.fake_attribution import write_attribution
from tests.fakes import write_fake_run


@pytest.fixture
def store(tmp_path):
    found = write_fake_run(tmp_path / "run")
    write_attribution(found)
    return found


def test_the_worse_of_a_pairs_two_maps_counts(store):
    trust = store.read_table("trust")
    worse = {("id_0011", "rgnir"): -0.3, ("id_0007", "rgb"): -0.1}
    for (pair_id, sensor), score in worse.items():
        own = (trust["pair_id"] == pair_id) & (trust["sensor"] == sensor) & (trust["method"] == "grad_cam")
        trust.loc[own, "score"] = score
    store.write_table("trust", trust)
    assert worst_pairs(store, 3) == ["id_0011", "id_0007", "id_0003"]
    assert len(worst_pairs(store, 200)) == 6  # all that were measured


def test_it_is_the_score_above_random_maps_that_counts(store):
    trust = store.read_table("trust")
    trust.loc[trust["pair_id"] == "id_0015", "random_score"] = 0.9
    store.write_table("trust", trust)
    assert worst_pairs(store, 1) == ["id_0015"]


def test_only_the_last_layer_counts(store):
    document = store.read_document("attribution")
    first = {**document["maps"][0], "layer": "layer3", "file": "grad_cam.layer3.npy"}
    store.write_document("attribution", {**document, "maps": [first, *document["maps"]]})
    trust = store.read_table("trust")
    poor = trust[trust["method"] == "grad_cam"].assign(layer="layer3", score=-1.0)
    poor = poor[poor["pair_id"] == "id_0019"]
    store.write_table("trust", pd.concat([trust, poor]))
    assert worst_pairs(store, 1) == ["id_0003"]


def test_the_most_divergent_are_those_of_a_slow_loop(store):
    table = store.read_table("predictions").set_index(["pair_id", "sensor"])["probabilities"]
    found = {}
    for pair_id in {pair for pair, _ in table.index}:
        p, q = (np.array(table[pair_id, name], dtype=float) for name in ("rgb", "rgnir"))
        middle = (p + q) / 2
        found[pair_id] = sum((p * np.log2(p / middle) + q * np.log2(q / middle)) / 2)
    assert most_divergent_pairs(store, 5) == sorted(found, key=lambda pair: -found[pair])[:5]


@pytest.mark.parametrize("count", [0, 201])
def test_counts_are_bounded(store, count):
    with pytest.raises(InputError, match=f"--worst is {count}: take 1 to 200"):
        worst_pairs(store, count)
    with pytest.raises(InputError, match=f"--disagree is {count}: take 1 to 200"):
        most_divergent_pairs(store, count)


def test_what_lacks_is_told(tmp_path):
    store = write_fake_run(tmp_path / "bare")
    with pytest.raises(ArtifactError, match="no attribution.json"):
        worst_pairs(store, 1)
    table = store.read_table("predictions")
    store.write_table("predictions", table[table["sensor"] == "rgb"])
    with pytest.raises(ArtifactError, match="no pair that two sensors judged"):
        most_divergent_pairs(store, 1)
    store.remove("predictions.parquet")
    with pytest.raises(ArtifactError, match="no predictions.parquet"):
        most_divergent_pairs(store, 1)


def test_attribution_without_grad_cam_is_told(store):
    document = store.read_document("attribution")
    store.write_document("attribution", {**document, "maps": document["maps"][1:]})
    with pytest.raises(ArtifactError, match="no Grad-CAM that was measured"):
        worst_pairs(store, 1)
