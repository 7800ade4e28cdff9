import torch

from rice_ssl.config import EncoderConfig
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.swav import SwAV


def network():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]}))
    return SwAV(encoder, hidden=6, projection=4, prototypes=5)


def test_prototypes_have_unit_length_at_the_start_and_after_normalising():
    model = network()
    torch.testing.assert_close(model.prototypes.weight.norm(dim=1), torch.ones(5))
    assert model.prototypes.bias is None
    with torch.no_grad():
        model.prototypes.weight.copy_(torch.tensor([[3.0, 4.0, 0.0, 0.0]]).repeat(5, 1))
    model.normalise_prototypes()
    torch.testing.assert_close(model.prototypes.weight[0], torch.tensor([0.6, 0.8, 0.0, 0.0]))


def test_logits_are_cosines_between_projections_and_prototypes():
    model = network().eval()
    embedding, projection, logits = model(torch.randn(3, 3, 32, 32))
    assert embedding.shape == (3, 16)
    for image in range(3):
        for prototype in range(5):
            cosine = torch.cosine_similarity(projection[image], model.prototypes.weight[prototype], dim=0)
            torch.testing.assert_close(logits[image, prototype], cosine)


def test_projection_is_the_head_written_out():
    """Linear, batch normalisation with the running statistics, ReLU, Linear, division by the length."""
    model = network().eval()
    first, norm, _, second = model.head
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    embedding = torch.randn(2, 16)
    hidden = embedding @ first.weight.T + first.bias
    hidden = (hidden - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    out = hidden.clamp(min=0) @ second.weight.T + second.bias
    expected = out / (out**2).sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(model.project(embedding), expected)


def test_two_sizes_go_through_the_encoder_by_themselves_and_through_the_head_together():
    model = network().train()
    large, small = torch.randn(3, 3, 32, 32), torch.randn(4, 3, 24, 24)
    model.encoder.eval()  # so that only the head's statistics tell what it saw together
    embedding, projection, logits = model(large, small)
    expected = torch.cat([model.encoder(large), model.encoder(small)])
    torch.testing.assert_close(embedding, expected)
    torch.testing.assert_close(projection, model.project(expected))
    torch.testing.assert_close(logits, projection @ model.prototypes.weight.T)


def test_a_layer_normalised_head_does_not_know_the_batch():
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]}))
    model = SwAV(encoder, hidden=6, projection=4, prototypes=5, head_norm="layer").train()
    embeddings = torch.randn(5, 16)
    torch.testing.assert_close(model.project(embeddings)[:2], model.project(embeddings[:2]))
