import math
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from rice_ssl.artifacts import RunStore
from rice_ssl.config import EncoderConfig, FinetuneConfig, PretrainConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.errors import ArtifactError, InputError, TrainingError
from rice_ssl.models.classifier import Classifier
from rice_ssl.models.encoder import Encoder
from rice_ssl.models.weights import load_weights, save_weights
from rice_ssl.sensors import RGB, RGNIR
from rice_ssl.training.batches import LabelledRows, Pictures
from rice_ssl.training.finetune import Finetuning, Task
from rice_ssl.training.pretrain import build_swav

ENCODER = EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})
TINY = {
    "start": "random",
    "epochs": 4,
    "batch_size": 4,
    "lr": 1e-2,
    "encoder_lr_factor": 1.0,
    "log_every": 1,
    "checkpoint_every": 5,
    "accelerator": "cpu",
}  # 12 training pairs: 3 steps an epoch, 12 in all; the first 3 with a frozen encoder
PAIRS, TRAIN = 18, 12
CLASSES = ("blast", "brown", "healthy")


def pictures(missing=()):
    """Pairs of 24x24 px; pair k has class k % 3, whose band is bright. Row 2 k + s is sensor s of pair k."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 80, (PAIRS, 2, 24, 24, 3))
    for pair in range(PAIRS):
        images[pair, ..., pair % 3] += 150
    rows = np.arange(2 * PAIRS).reshape(PAIRS, 2)
    for pair, slot in missing:
        rows[pair, slot] = -1
    flat = images.astype(np.uint8).reshape(-1, 24, 24, 3)
    return Pictures(ImageCache(flat, {}), ["rgb", "rgnir"] * PAIRS, (RGB, RGNIR), torch.device("cpu")), rows


def labelled(rows, pairs, shift=0):
    return LabelledRows(rows[pairs], np.array([(pair + shift) % 3 for pair in pairs], dtype=np.int64))


def begin(
    folder, *, train=range(TRAIN), val=range(TRAIN, PAIRS), shift=0, missing=(), seed=3, classes=CLASSES, **changes
):
    """``shift`` gives validation pairs another class than their colour's."""
    store = RunStore(folder)
    if not store.exists:
        store.create({"name": "tiny"})
    data, rows = pictures(missing)
    parts = labelled(rows, list(train)), labelled(rows, list(val), shift)
    config = FinetuneConfig(**{**TINY, **changes})
    return Finetuning(store, Task(data, *parts, classes, ("rgb", "rgnir")), ENCODER, config, seed=seed)


def stop_after(training, steps, monkeypatch):
    """Run ``steps`` steps, as far as SIGTERM lets it."""
    step, left = training._step, [steps]

    def counted():
        step()
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(training, "_step", counted)
    return training.run(show=False)


def weights(folder):
    return load_file(folder / "weights" / "classifier.safetensors")


def figures(folder, name, split="val"):
    table = RunStore(folder).read_table("metrics")
    return table[(table["split"] == split) & (table["name"] == name)]["value"].tolist()


def kept_log_loss(folder, shift=0):
    """Validation log loss of the weights on disk, pair by pair."""
    network = Classifier(Encoder(ENCODER), 3).eval()
    load_weights(network, folder / "weights" / "classifier.safetensors")
    data, rows = pictures()
    losses = []
    for pair in range(TRAIN, PAIRS):
        with torch.no_grad():
            logits = network(data.whole(rows[pair]))
            joined = logits.mean(dim=0) * network.log_scale.exp()
        losses.append(-float(functional.log_softmax(joined, dim=0)[(pair + shift) % 3]))
    return sum(losses) / len(losses)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted training, and how it ended."""
    folder = tmp_path_factory.mktemp("finetune") / "run"
    return folder, begin(folder).run(show=False)


def test_it_writes_exactly_these_files(whole):
    folder, _ = whole
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "run.json",
        "metrics.parquet",
        "events.jsonl",
        "weights/classifier.safetensors",
        "checkpoints/finetune/last.pt",
        "checkpoints/finetune/previous.pt",
    }
    assert set(RunStore(folder).info()["hashes"]) == {"metrics.parquet", "weights/classifier.safetensors"}


def test_it_learns_which_band_is_bright(tmp_path):
    done = begin(tmp_path, epochs=12).run(show=False)
    assert done.progress.best_accuracy == 1
    assert done.progress.best_log_loss < 0.3 < math.log(3) < figures(tmp_path, "loss", "train")[0]
    assert kept_log_loss(tmp_path) == pytest.approx(done.progress.best_log_loss, abs=5e-3)  # float16 on disk


def test_the_result_states_what_was_done(whole):
    folder, done = whole
    assert (done.finished, done.steps, done.progress.step) == (True, 12, 12)
    assert done.progress.last_loss == figures(folder, "loss", "train")[-1]
    assert len(figures(folder, "loss", "train")) == 12
    assert len(figures(folder, "log_loss")) == 4
    events = [(e["kind"], e["step"]) for e in RunStore(folder).events()]
    assert events == [("warmup_end", 1), ("encoder_unfrozen", 3)]


@pytest.mark.parametrize("shift", [0, 1])
def test_the_epoch_with_the_lowest_validation_log_loss_is_kept(tmp_path, shift):
    """With shift 1 the validation labels contradict the colours: what is learnt makes it worse."""
    done = begin(tmp_path, shift=shift, epochs=8).run(show=False)
    losses = figures(tmp_path, "log_loss")
    assert done.progress.best_log_loss == min(losses)
    assert done.progress.best_epoch == 1 + losses.index(min(losses))
    assert done.progress.best_accuracy == figures(tmp_path, "accuracy")[losses.index(min(losses))]
    assert kept_log_loss(tmp_path, shift) == pytest.approx(min(losses), abs=5e-3)
    if shift:
        assert losses[-1] > min(losses) + 0.1  # so the last epoch is not the one on disk


def test_without_validation_pairs_the_last_epoch_is_kept(whole, tmp_path):
    training = begin(tmp_path, val=[])
    done = training.run(show=False)
    assert (done.progress.best_epoch, math.isinf(done.progress.best_log_loss)) == (-1, True)
    stored = weights(tmp_path)
    for key, value in training.network.state_dict().items():
        torch.testing.assert_close(stored[key].to(value.dtype), value, rtol=1e-3, atol=1e-6)
    assert figures(tmp_path, "loss", "train") == figures(whole[0], "loss", "train")


def same(folder, whole):
    one, other = weights(whole), weights(folder)
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key
    tables = [RunStore(where).read_table("metrics") for where in (folder, whole)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_stopped_after_every_step_and_resumed_it_is_the_same_to_the_last_bit(whole, tmp_path, monkeypatch):
    for step in range(12):
        done = stop_after(begin(tmp_path), 1, monkeypatch)
        assert (done.progress.step, done.finished) == (step + 1, step == 11)
        assert (tmp_path / "weights").exists() == (step == 11)
    same(tmp_path, whole[0])
    assert [e["step"] for e in RunStore(tmp_path).events() if e["kind"] == "resume"] == list(range(1, 12))


def test_killed_between_two_checkpoints_it_goes_on_from_the_last(whole, tmp_path, monkeypatch):
    training = begin(tmp_path)
    step = training._step

    def fail_at_eight():
        if training.progress.step == 8:
            raise RuntimeError("killed")
        step()

    monkeypatch.setattr(training, "_step", fail_at_eight)
    with pytest.raises(RuntimeError, match="killed"):
        training.run(show=False)
    resumed = begin(tmp_path)
    assert resumed.progress.step == 5
    resumed.run(show=False)
    same(tmp_path, whole[0])


def test_a_best_epoch_before_the_stop_is_still_kept(tmp_path, monkeypatch):
    begin(tmp_path / "whole", shift=1).run(show=False)
    best = begin(tmp_path / "whole", shift=1).progress.best_epoch
    assert best < 4
    stop_after(begin(tmp_path / "other", shift=1), 10, monkeypatch)
    assert begin(tmp_path / "other", shift=1).run(show=False).progress.best_epoch == best
    same(tmp_path / "other", tmp_path / "whole")


def test_done_is_done(whole):
    before = weights(whole[0])
    done = begin(whole[0]).run(show=False)
    assert (done.finished, done.progress.best_epoch) == (True, whole[1].progress.best_epoch)
    assert all(torch.equal(value, before[key]) for key, value in weights(whole[0]).items())


def test_another_seed_gives_other_weights(whole, tmp_path):
    begin(tmp_path, seed=4).run(show=False)
    assert any(not torch.equal(value, weights(tmp_path)[key]) for key, value in weights(whole[0]).items())


def test_a_frozen_encoder_does_not_move_and_then_does(tmp_path):
    training = begin(tmp_path, frozen_epochs=1)
    start = {key: value.clone() for key, value in training.network.encoder.state_dict().items()}
    moved = []
    for _ in range(5):
        head = training.network.head[2].weight.detach().clone()
        training._step()
        now = training.network.encoder.state_dict()
        moved.append(any(not torch.equal(value, now[key]) for key, value in start.items()))
        assert not torch.equal(head, training.network.head[2].weight)
    assert moved == [False] * 3 + [True] * 2


def test_it_starts_from_the_swav_encoder(tmp_path):
    store = RunStore(tmp_path)
    store.create({"name": "tiny"})
    torch.manual_seed(11)
    swav = build_swav(ENCODER, PretrainConfig(hidden=8, projection=4, prototypes=6))
    save_weights(swav, store.weights_path("swav"), half=False)
    training = begin(tmp_path, start="swav")
    for key, value in training.network.encoder.state_dict().items():
        assert torch.equal(value, swav.encoder.state_dict()[key]), key


def test_without_swav_weights_the_remedy_is_named(tmp_path):
    with pytest.raises(
        ArtifactError, match="There are no weights at .*swav.safetensors. Make them with `rice-ssl pretrain"
    ):
        begin(tmp_path, start="swav")


def test_of_a_missing_picture_nothing_is_learnt(tmp_path):
    """Pairs 0 to 5 lack RGNIR: whatever the file row holds that would be theirs, the training is the same."""
    trained = []
    for name, noise in (("one", False), ("other", True)):
        training = begin(tmp_path / name, missing=[(pair, 1) for pair in range(6)], epochs=2)
        if noise:
            training.pictures.cache.images[1:12:2] = 255
        assert training.run(show=False).finished
        trained.append(weights(tmp_path / name))
    assert all(torch.equal(value, trained[1][key]) for key, value in trained[0].items())


def test_pairs_with_one_picture_leave_the_scale_as_it_is(tmp_path):
    training = begin(tmp_path, missing=[(pair, 1) for pair in range(PAIRS)], epochs=1)
    training.run(show=False)
    assert training.network.log_scale.grad == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": []}, "No pair of the training split has a label, so there is nothing to fine-tune on: add labels"),
        ({"train": [0, 3, 6, 9]}, r"The training pairs have one class only .*: a classifier needs two"),
        ({"train": [0, 3, 6, 9], "classes": ("blast",)}, r"have one class only \(blast\): a classifier needs two"),
        (
            {"train": [0, 1, 2]},
            "finetune.batch_size is 4, but 3 labelled training pairs are there: take at most 3",
        ),
    ],
)
def test_pairs_that_cannot_be_trained_on_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        begin(tmp_path, **changes)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    stop_after(begin(tmp_path), 2, monkeypatch)
    training = begin(tmp_path)
    with torch.no_grad():
        training.network.head[2].weight.fill_(math.nan)
    with pytest.raises(TrainingError, match=r"loss became nan at step 2: lower finetune.lr \(0.01\)"):
        training.run(show=False)
    assert begin(tmp_path).progress.step == 2


def test_a_checkpoint_of_other_settings_or_data_is_refused_by_name(tmp_path, monkeypatch):
    stop_after(begin(tmp_path), 6, monkeypatch)
    begin(tmp_path, log_every=2)  # changes no number
    with pytest.raises(ArtifactError, match="another setting of dropout, lr. Remove that folder"):
        begin(tmp_path, lr=0.5, dropout=0.9)
    with pytest.raises(ArtifactError, match="another setting of samples"):
        begin(tmp_path, train=range(TRAIN - 1))
    with pytest.raises(ArtifactError, match="another setting of classes"):
        begin(tmp_path, classes=("a", "b", "c"))


def test_a_gpu_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="this machine has no CUDA device"):
        begin(tmp_path, accelerator="cuda")
