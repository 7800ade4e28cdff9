from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rice_ssl.config import EncoderConfig, PretrainConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.embeddings import extract as module
from rice_ssl.embeddings.extract import Networks, extract
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.sensors import RGB, Sensor
from rice_ssl.training.batches import Pictures
from rice_ssl.training.pretrain import build_swav

ENCODER = EncoderConfig("resnet10t", {"channels": [8, 16, 24, 32]})
DARK = Sensor("dark", "Dark", ("a", "b", "c"), "{id}.png", (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
COUNT = 7


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    swav = build_swav(ENCODER, PretrainConfig(hidden=8, projection=4, prototypes=6)).eval()
    return Networks(swav, Classifier(Encoder(ENCODER), 3).eval())


@pytest.fixture(scope="module")
def pictures():
    images = np.random.default_rng(0).integers(0, 255, (COUNT, 40, 48, 3)).astype(np.uint8)
    names = ["rgb", "dark"] * (COUNT // 2) + ["rgb"]
    return Pictures(ImageCache(images, {}), names, (RGB, DARK), torch.device("cpu"))


def image(pictures, row):
    """One whole picture, normalised by hand with the statistics of its sensor."""
    sensor = (RGB, DARK)[row % 2]
    values = (pictures.cache.images[row] / 255.0 - np.array(sensor.mean)) / np.array(sensor.std)
    return torch.from_numpy(values.transpose(2, 0, 1)).float()[None]


def run(pictures, networks, folder, rows=None, batch_size=3):
    rows = np.arange(COUNT) if rows is None else np.array(rows)
    return extract(pictures, rows, networks, batch_size=batch_size, folder=folder, progress=False)


def close(found, expected):
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


def test_every_value_is_what_the_networks_say_of_the_whole_picture(pictures, networks, tmp_path):
    found = run(pictures, networks, tmp_path)
    assert {name: values.shape for name, values in found.items()} == {
        "embedding": (COUNT, 64),
        "projection": (COUNT, 4),
        "prototype_logits": (COUNT, 6),
        "logits": (COUNT, 3),
        "cam": (COUNT, 3, 2, 2),
    }
    prototypes = torch.nn.functional.normalize(networks.swav.prototypes.weight.detach())
    for row in range(COUNT):
        with torch.no_grad():
            embedding = networks.swav.encoder(image(pictures, row))[0]
            logits = networks.classifier(image(pictures, row))[0]
        np.testing.assert_allclose(found["embedding"][row], embedding, atol=1e-5)
        np.testing.assert_allclose(found["logits"][row], logits, atol=1e-5)
        assert np.linalg.norm(found["projection"][row]) == pytest.approx(1, abs=1e-5)
        cosines = found["projection"][row] @ prototypes.numpy().T
        np.testing.assert_allclose(found["prototype_logits"][row], cosines, atol=1e-5)


def test_batches_give_the_same_as_one_by_one(pictures, networks, tmp_path):
    close(run(pictures, networks, tmp_path / "all", batch_size=5), run(pictures, networks, tmp_path / "one", None, 1))


def test_rows_come_in_the_order_asked_for(pictures, networks, tmp_path):
    everything = run(pictures, networks, tmp_path / "all")
    some = run(pictures, networks, tmp_path / "some", [5, 0, 2])
    close(some, {name: values[[5, 0, 2]] for name, values in everything.items()})


def test_either_network_alone_gives_its_part(pictures, networks, tmp_path):
    whole = run(pictures, networks, tmp_path / "whole")
    swav = run(pictures, Networks(networks.swav, None), tmp_path / "swav")
    close(swav, {name: whole[name] for name in ("embedding", "projection", "prototype_logits")})
    classifier = run(pictures, Networks(None, networks.classifier), tmp_path / "classifier")
    with torch.no_grad():
        own = torch.cat([networks.classifier.encoder(image(pictures, row)) for row in range(COUNT)])
    close(classifier, {"logits": whole["logits"], "cam": whole["cam"], "embedding": own.numpy()})
    assert np.abs(own.numpy() - whole["embedding"]).max() > 0.01


def test_each_encoder_sees_each_image_once(pictures, networks, tmp_path, monkeypatch):
    seen = {"swav": 0, "classifier": 0}
    for name in seen:
        encoder = getattr(networks, name).encoder
        before = encoder.network.forward_features

        def count(images, name=name, before=before):
            seen[name] += len(images)
            return before(images)

        monkeypatch.setattr(encoder.network, "forward_features", count)
    run(pictures, networks, tmp_path)
    assert seen == {"swav": COUNT, "classifier": COUNT}


def test_one_encoder_for_both_sees_each_image_once(pictures, networks, tmp_path, monkeypatch):
    classifier = Classifier(networks.swav.encoder, 3).eval()
    expected = run(pictures, Networks(networks.swav), tmp_path / "swav")
    expected |= {k: v for k, v in run(pictures, Networks(None, classifier), tmp_path / "classifier").items()
                 if k != "embedding"}  # fmt: skip
    seen, original = [], networks.swav.encoder.network.forward_features
    monkeypatch.setattr(
        networks.swav.encoder.network, "forward_features", lambda batch: seen.append(len(batch)) or original(batch)
    )
    close(run(pictures, Networks(networks.swav, classifier), tmp_path / "both"), expected)
    assert sum(seen) == COUNT


def test_finished_chunks_are_taken_up_and_the_rest_is_done(pictures, networks, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 3)
    whole = run(pictures, networks, tmp_path / "whole")
    read = []

    def failing(rows):
        read.extend(rows.tolist())
        if 6 in rows:
            raise RuntimeError("killed")
        return pictures.whole(rows)

    with pytest.raises(RuntimeError, match="killed"):
        run(SimpleNamespace(whole=failing), networks, tmp_path / "cut")
    assert sorted(p.name for p in (tmp_path / "cut").iterdir()) == ["000000000.npz", "000000003.npz"]
    read.clear()
    resumed = run(
        SimpleNamespace(whole=lambda rows: read.extend(rows) or pictures.whole(rows)), networks, tmp_path / "cut"
    )
    assert read == [6]
    for name, values in whole.items():
        assert np.array_equal(resumed[name], values), name
