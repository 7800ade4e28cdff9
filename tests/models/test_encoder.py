import pytest
import timm
import torch

from rice_ssl.config import EncoderConfig
from rice_ssl.errors import InputError
from rice_ssl.models.encoder import Encoder

THIN = {"channels": [8, 8, 8, 8]}


def thin(pooling="concat"):
    torch.manual_seed(0)
    return Encoder(EncoderConfig("resnet10t", THIN, pooling)).eval()


def test_pooling_values_by_hand():
    features = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]], [[-1.0, -1.0], [-1.0, 0.0]]]])
    expected = {"avg": [4.0, -0.75], "max": [7.0, 0.0], "concat": [7.0, 0.0, 4.0, -0.75]}
    for pooling, values in expected.items():
        assert thin(pooling).pool(features)[0].tolist() == values


@pytest.mark.parametrize(("pooling", "size"), [("avg", 8), ("max", 8), ("concat", 16)])
def test_an_embedding_is_the_pooled_feature_map(pooling, size):
    encoder, images = thin(pooling), torch.randn(2, 3, 64, 96)
    assert encoder.embedding_size == size
    features = encoder.feature_map(images)
    assert features.shape == (2, 8, 2, 3)
    torch.testing.assert_close(encoder(images), encoder.pool(features))


def test_average_pooling_equals_timm():
    encoder, images = thin("avg"), torch.randn(2, 3, 64, 64)
    peer = timm.create_model("resnet10t", pretrained=False, num_classes=0, channels=(8, 8, 8, 8)).eval()
    peer.load_state_dict(encoder.network.state_dict())
    torch.testing.assert_close(encoder(images), peer(images))


def test_xresnet34_is_resnet34d():
    assert Encoder(EncoderConfig("xresnet34")).network.default_cfg["architecture"] == "resnet34d"
    assert Encoder(EncoderConfig("xresnet34")).embedding_size == 1024


def test_tokens_of_a_vision_transformer_are_laid_out_on_their_grid():
    """The feature at row r and column c is the token of that patch; the class token is left out."""
    options = {"img_size": [32, 48], "embed_dim": 24, "depth": 1, "num_heads": 2}
    encoder = Encoder(EncoderConfig("vit_tiny_patch16_224", options, "avg")).eval()
    images = torch.randn(1, 3, 32, 48)
    tokens = encoder.network.forward_features(images)
    features = encoder.feature_map(images)
    assert tokens.shape == (1, 7, 24)
    assert features.shape == (1, 24, 2, 3)
    for row in range(2):
        for column in range(3):
            torch.testing.assert_close(features[0, :, row, column], tokens[0, 1 + 3 * row + column])


def test_channels_last_features_are_turned():
    encoder = Encoder(EncoderConfig("swin_tiny_patch4_window7_224", {"img_size": 64, "window_size": 2}, "avg")).eval()
    images = torch.randn(1, 3, 64, 64)
    expected = encoder.network.forward_features(images)  # (1, 2, 2, 768)
    torch.testing.assert_close(encoder.feature_map(images), expected.permute(0, 3, 1, 2))


def test_a_convnext_gives_its_map():
    encoder = Encoder(EncoderConfig("convnext_atto", {"dims": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}, "concat")).eval()
    assert encoder.embedding_size == 32
    assert encoder.feature_map(torch.randn(1, 3, 64, 64)).shape == (1, 16, 2, 2)


def test_a_name_with_a_weights_tag_is_known():
    assert Encoder(EncoderConfig("resnet10t.c3_in1k", THIN, "avg")).embedding_size == 8


def test_an_unknown_name_is_refused_with_close_ones():
    with pytest.raises(InputError, match="encoder.name is 'resnet34dd'.*Did you mean.*resnet34d"):
        Encoder(EncoderConfig("resnet34dd"))


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="encoder.options.*'chanels'.*do not fit resnet10t"):
        Encoder(EncoderConfig("resnet10t", {"chanels": 8}))


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [
        ("vit_tiny_patch16_224", {"embed_dim": 24, "depth": 1, "num_heads": 2}, (96, 96)),
        ("resnet10t", {**THIN, "in_chans": 1}, (64, 64)),
    ],
)
def test_images_that_it_does_not_take_are_refused_before_any_work(name, options, size):
    encoder = Encoder(EncoderConfig(name, options, "avg"))
    with pytest.raises(InputError, match=f"encoder {name} .*does not take images of {size[0]}x{size[1]} px"):
        encoder.refuse_unfit(size)


def test_images_that_it_takes_change_nothing():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig("resnet10t", THIN, "avg")).train()
    before = {key: value.clone() for key, value in encoder.state_dict().items()}
    encoder.refuse_unfit((64, 48))
    assert encoder.training
    assert all(torch.equal(value, before[key]) for key, value in encoder.state_dict().items())
