import pickle

import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file
from torch import nn

from pipelines.import_encoder import run_import_encoder
from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.foreign import import_encoder
from rice_ssl.models.weights import begin_encoder
from tests.models.xresnet import xresnet34


@pytest.fixture(scope="module")
def original():
    """An xresnet34 in evaluation mode whose batch statistics are not the initial ones."""
    torch.manual_seed(0)
    network = xresnet34()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def wrapped(original, how):
    """The state as other programs keep it: alone, inside SwAV's module, in a classifier, with an optimiser beside."""
    state = original.state_dict()
    if how == "alone":
        return state
    if how == "swav":
        head = {"projector.0.weight": torch.zeros(2), "prototypes.weight": torch.zeros(3)}
        return {**{f"encoder.{key}": value for key, value in state.items()}, **head}
    if how == "classifier":
        return {**{f"0.{key}": value for key, value in state.items()}, "1.1.weight": torch.zeros(3)}
    return {"model": {f"module.encoder.{key}": value for key, value in state.items()}, "opt": {"hypers": [{"lr": 0.1}]}}


@pytest.mark.parametrize("how", ["alone", "swav", "classifier", "learner"])
def test_a_fastai_encoder_gives_the_same_embeddings(original, tmp_path, how):
    torch.save(wrapped(original, how), tmp_path / "mwalimu.pth")
    found = import_encoder(tmp_path / "mwalimu.pth", EncoderConfig("xresnet34"))
    images = torch.randn(2, 3, 65, 72, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = original(images)
        ours = found.encoder.eval()(images)
    assert ours.shape == (2, 1024)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prefix", ["", "model.", "module.encoder."])
def test_a_timm_encoder_is_read_by_timms_names(tmp_path, prefix):
    torch.manual_seed(0)
    network = timm.create_model("resnet10t", num_classes=3, channels=(8, 8, 8, 8)).eval()
    torch.save({f"{prefix}{key}": value for key, value in network.state_dict().items()}, tmp_path / "timm.pth")
    config = EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]}, "avg")
    found = import_encoder(tmp_path / "timm.pth", config)
    images = torch.randn(2, 3, 32, 32)
    expected = network.forward_features(images).mean(dim=(2, 3))
    torch.testing.assert_close(found.encoder.eval()(images), expected)
    assert sorted(found.unused) == ["fc.bias", "fc.weight"]


def test_the_command_writes_safetensors_that_a_run_begins_with(original, tmp_path):
    torch.save(original.state_dict(), tmp_path / "mwalimu.pth")
    summary = run_import_encoder(tmp_path / "mwalimu.pth", "xresnet34")
    assert {path.name for path in tmp_path.iterdir()} == {"mwalimu.pth", "mwalimu.safetensors"}
    assert summary.embedding_size == 1024
    told = yaml.safe_load(summary.text().partition("YAML: ")[2])["encoder"]
    assert told == {"name": "xresnet34", "options": {}, "pooling": "concat", "weights": summary.out}
    encoder = Encoder(EncoderConfig("xresnet34"))
    config = EncoderConfig("xresnet34", weights=summary.out)
    assert begin_encoder(encoder, config) is not None
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(encoder.eval()(images), original(images), rtol=1e-4, atol=1e-4)
    stored = load_file(summary.out)
    assert stored["network.conv1.0.weight"].dtype == torch.float32
    assert begin_encoder(encoder, EncoderConfig("xresnet34")) is None


def test_options_are_given_to_timm(tmp_path):
    network = timm.create_model("resnet10t", num_classes=0, channels=(8, 8, 8, 8))
    torch.save(network.state_dict(), tmp_path / "thin.pth")
    out = tmp_path / "out.safetensors"
    summary = run_import_encoder(
        tmp_path / "thin.pth", "resnet10t", out=out, pooling="max", options=["channels=[8, 8, 8, 8]"]
    )
    assert (summary.out, summary.embedding_size) == (out.as_posix(), 8)
    with pytest.raises(InputError, match="--option 'channels' lacks '='"):
        run_import_encoder(tmp_path / "thin.pth", "resnet10t", options=["channels"])
    for option in ("channels=[8", "channels=", "channels={a: 1}", "channels=2024-01-01"):
        with pytest.raises(InputError, match="--option.*(give a|quote it)"):
            run_import_encoder(tmp_path / "thin.pth", "resnet10t", options=[option])
    with pytest.raises(InputError, match="is the file itself"):
        run_import_encoder(tmp_path / "thin.pth", "resnet10t", out=tmp_path / "thin.pth")


def test_a_file_that_does_not_fit_says_which_keys_and_shapes(original, tmp_path):
    state = original.state_dict()
    state["0.0.weight"] = torch.zeros(16, 3, 3, 3)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"no xresnet34: 0.0.weight has shape \(16, 3, 3, 3\) where \(32, 3, 3, 3\)"):
        import_encoder(tmp_path / "other.pth", EncoderConfig("xresnet34"))
    del state["0.0.weight"], state["7.2.convpath.1.1.bias"]
    state["0.0.weight"] = original.state_dict()["0.0.weight"]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(InputError, match="it lacks layer4.2.bn2.bias"):
        import_encoder(tmp_path / "other.pth", EncoderConfig("xresnet34"))
    with pytest.raises(InputError, match=r"is no resnet10t: it lacks conv1.0.weight.*and \d+ more"):
        import_encoder(tmp_path / "other.pth", EncoderConfig("resnet10t"))


def test_weights_that_are_not_finite_are_refused(original, tmp_path):
    state = {key: value.clone() for key, value in original.state_dict().items()}
    state["2.0.weight"][0, 0] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    with pytest.raises(InputError, match="not finite in 2.0.weight"):
        import_encoder(tmp_path / "nan.pth", EncoderConfig("xresnet34"))


class Dangerous:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    "content",
    [b"not a file of PyTorch", b"", b"0", b"a.", b"\xff\xd8\xff\xe0 a JPEG", pickle.dumps(Dangerous())],
    ids=["text", "empty", "digit", "short", "jpeg", "pickle"],
)
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_what_is_no_state_dictionary_is_refused_and_not_executed(tmp_path, capsys, content):
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(InputError, match="is no PyTorch file of tensors alone"):
        import_encoder(tmp_path / "bad.pth", EncoderConfig("xresnet34"))
    torch.save({"model": Dangerous()}, tmp_path / "worse.pth")
    with pytest.raises(InputError, match="is no PyTorch file of tensors alone"):
        import_encoder(tmp_path / "worse.pth", EncoderConfig("xresnet34"))
    assert "executed" not in capsys.readouterr().out
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="holds no state dictionary"):
        import_encoder(tmp_path / "list.pth", EncoderConfig("xresnet34"))
    with pytest.raises(InputError, match="There is no file"):
        import_encoder(tmp_path / "none.pth", EncoderConfig("xresnet34"))


def test_weights_that_are_not_there_are_named(tmp_path):
    config = EncoderConfig("xresnet34", weights=str(tmp_path / "none.safetensors"))
    with pytest.raises(InputError, match="encoder.weights is .*none.safetensors', which is no file"):
        begin_encoder(nn.Identity(), config)
