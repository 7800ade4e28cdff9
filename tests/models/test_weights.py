import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from rice_ssl.config import EncoderConfig
from rice_ssl.errors import ArtifactError
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.swav import SwAV
from rice_ssl.models.weights import load_weights, save_weights


def network(seed):
    torch.manual_seed(seed)
    encoder = Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]}))
    return SwAV(encoder, hidden=6, projection=4, prototypes=5)


def test_full_precision_comes_back_exactly(tmp_path):
    one, other = network(1), network(2)
    save_weights(one, tmp_path / "w.safetensors", half=False)
    load_weights(other, tmp_path / "w.safetensors")
    for key, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[key]), key


def test_half_precision_moves_embeddings_and_logits_by_less_than_one_part_in_300(tmp_path):
    one, other = network(1), network(2)
    one.train()
    for _ in range(5):
        one(torch.randn(16, 3, 64, 64) * 2 + 1)  # running statistics that are not those of a new network
    save_weights(one, tmp_path / "w.safetensors")
    load_weights(other, tmp_path / "w.safetensors")
    images = torch.randn(8, 3, 64, 64)
    with torch.no_grad():
        before, after = one.eval()(images), other.eval()(images)
    for a, b in zip(before, after, strict=True):
        assert float((a - b).norm() / a.norm()) < 1 / 300


def test_statistics_and_values_beyond_float16_stay_in_float32(tmp_path):
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        module[0].weight.fill_(1e5)
        module[1].running_var.fill_(1e6)
    save_weights(module, tmp_path / "w.safetensors", metadata={"made_by": "a test"})
    stored = load_file(tmp_path / "w.safetensors")
    assert stored["0.weight"].dtype == torch.float32
    assert float(stored["0.weight"][0, 0]) == 1e5
    assert stored["1.running_var"].tolist() == [1e6, 1e6]
    assert stored["0.bias"].dtype == torch.float16
    with safe_open(tmp_path / "w.safetensors", "pt") as file:
        assert file.metadata() == {"made_by": "a test"}


def test_the_encoder_is_taken_out_of_a_whole_network(tmp_path):
    one, other = network(1), network(2)
    save_weights(one, tmp_path / "w.safetensors", half=False)
    load_weights(other.encoder, tmp_path / "w.safetensors", prefix="encoder.")
    assert torch.equal(other.encoder.network.conv1[0].weight, one.encoder.network.conv1[0].weight)
    assert not torch.equal(other.prototypes.weight, one.prototypes.weight)


def test_what_does_not_fit_is_named(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), path)
    with pytest.raises(ArtifactError, match=r"has 1.bias, which is unknown; has 1.weight, which is unknown"):
        load_weights(nn.Sequential(nn.Linear(2, 3)), path)
    with pytest.raises(ArtifactError, match=r"lacks 2.weight"):
        load_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1), nn.Linear(1, 1)), path)
    with pytest.raises(ArtifactError, match=r"has 1.weight of shape \(1, 3\) where \(4, 3\) is expected"):
        load_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), path)


def test_a_missing_or_damaged_file_is_named_with_the_command(tmp_path):
    with pytest.raises(ArtifactError, match="no weights at.*rice-ssl pretrain here"):
        load_weights(nn.Linear(1, 1), tmp_path / "none.safetensors", made_by="rice-ssl pretrain here")
    (tmp_path / "bad.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(ArtifactError, match="bad.safetensors cannot be read"):
        load_weights(nn.Linear(1, 1), tmp_path / "bad.safetensors")


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    save_weights(nn.Linear(1, 1), path)
    before = path.read_bytes()

    def full_disk(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr("rice_ssl.models.weights.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_weights(nn.Linear(1, 1), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]
