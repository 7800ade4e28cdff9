import dataclasses
import math
import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from rice_ssl.artifacts import RunStore
from rice_ssl.config import EncoderConfig, PretrainConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.errors import ArtifactError, InputError, TrainingError
from rice_ssl.sensors import RGB, RGNIR
from rice_ssl.training.batches import LabelledRows, Pictures, step_generator
from rice_ssl.training.pretrain import PretrainData, Pretraining, build_swav
from rice_ssl.training.validation import Validation

ENCODER = EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})
TINY = {
    "epochs": 4,
    "batch_size": 4,
    "global_size": 24,
    "local_size": 16,
    "local_crops": 1,
    "hidden": 8,
    "projection": 4,
    "prototypes": 6,
    "epsilon": 0.03,
    "queue_length": 8,
    "warmup": 0.25,
    "log_every": 1,
    "checkpoint_every": 5,
    "accelerator": "cpu",
}  # 12 training pairs: 3 steps an epoch, 12 in all
PAIRS, TRAIN = 16, 12
TIMING = ["images_per_second", "data_wait"]


def pair_data(sensors=(RGB, RGNIR), seed=0):
    """Pairs of 24x24 px whose brightness and pattern depend on the pair; row k * S + s is sensor s of pair k."""
    rng = np.random.default_rng(seed)
    count = len(sensors)
    base = rng.integers(0, 255, (PAIRS, 1, 6, 6, 3)).repeat(4, axis=2).repeat(4, axis=3).repeat(count, axis=1)
    images = (base // 2 + rng.integers(0, 60, base.shape)).astype(np.uint8).reshape(-1, 24, 24, 3)
    names = [sensor.name for sensor in sensors] * PAIRS
    rows = np.arange(PAIRS * count).reshape(PAIRS, count)
    pictures = Pictures(ImageCache(images, {}), names, sensors, torch.device("cpu"))
    targets = np.arange(PAIRS) % 3
    train, val = LabelledRows(rows[:TRAIN], targets[:TRAIN]), LabelledRows(rows[TRAIN:], targets[TRAIN:])
    return PretrainData(pictures, train, val, tuple(s.name for s in sensors), (24, 24))


def begin(folder, data=None, seed=3, classes=3, **changes):
    store = RunStore(folder)
    if not store.exists:
        store.create({"name": "tiny"})
    config = PretrainConfig(**{**TINY, **changes})
    return Pretraining(store, data or pair_data(), ENCODER, config, seed=seed, classes=classes)


def metrics(folder):
    table = RunStore(folder).read_table("metrics")
    return table[~table["name"].isin(TIMING)].reset_index(drop=True)


def weights(folder):
    return load_file(folder / "weights" / "swav.safetensors")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted training, and how it ended."""
    folder = tmp_path_factory.mktemp("pretrain") / "run"
    return folder, begin(folder).run(show=False)


def test_it_writes_exactly_these_files(whole):
    folder, _ = whole
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "run.json",
        "metrics.parquet",
        "events.jsonl",
        "weights/swav.safetensors",
        "checkpoints/pretrain/last.pt",
        "checkpoints/pretrain/previous.pt",
    }
    info = RunStore(folder).info()
    assert info["effective_views"] == "paired-augmented"
    assert set(info["hashes"]) == {"metrics.parquet", "weights/swav.safetensors"}


def test_result_states_what_was_done(whole):
    folder, done = whole
    assert (done.finished, done.steps, done.progress.step) == (True, 12, 12)
    table = metrics(folder)
    losses = table[(table["split"] == "train") & (table["name"] == "loss")]
    assert losses["step"].tolist() == list(range(12))
    assert done.progress.first_loss == losses["value"].iloc[0]
    assert done.progress.last_loss == losses["value"].iloc[-1]
    val = table[(table["split"] == "val") & (table["name"] == "loss")]
    assert val["step"].tolist() == [2, 5, 8, 11]
    assert val["epoch"].tolist() == [1, 2, 3, 4]
    assert done.progress.val_loss == val["value"].iloc[-1]
    assert done.images_per_second > 0
    assert 0 <= done.data_wait < 1


def test_every_metric_is_logged_at_every_interval(whole):
    folder, _ = whole
    table = metrics(folder)
    counts = table[table["split"] == "train"].groupby("name")["step"].count().to_dict()
    always = ("loss", "code_entropy", "kl", "grad_norm", "lr", "sensor_agreement", "effective_rank")
    assert {name: counts[name] for name in always} == dict.fromkeys(always, 12)
    assert counts["prototype_perplexity"] == counts["dead_prototypes"] == 12
    assert counts["reference_loss"] == 6  # from the queue's start at step 6
    parts = table[table["split"] == "train"].pivot_table(index="step", columns="name", values="value")
    np.testing.assert_allclose(parts["loss"], parts["code_entropy"] + parts["kl"], atol=1e-6)
    assert parts["lr"].iloc[:4].tolist() == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3, 1e-3])


def test_events_stand_at_their_steps(whole):
    events = [(e["kind"], e["step"], e["epoch"]) for e in RunStore(whole[0]).events()]
    assert events == [("warmup_end", 3, 1.0), ("queue_start", 6, 2.0)]


def test_prototypes_have_unit_length_at_the_end(whole):
    stored = weights(whole[0])["prototypes.weight"].float()
    torch.testing.assert_close(stored.norm(dim=1), torch.ones(6), rtol=0, atol=1e-3)  # float16 on disk


def test_stopped_after_every_step_and_resumed_it_is_the_same_to_the_last_bit(whole, tmp_path):
    for step in range(12):
        done = begin(tmp_path).run(show=False, max_minutes=0)
        assert (done.progress.step, done.finished) == (step + 1, step == 11)
    pd.testing.assert_frame_equal(metrics(tmp_path), metrics(whole[0]), check_exact=True)
    one, other = weights(whole[0]), weights(tmp_path)
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert torch.equal(value, other[key]), key
    resumed = [e["step"] for e in RunStore(tmp_path).events() if e["kind"] == "resume"]
    assert resumed == list(range(1, 12))


def test_a_lost_newest_checkpoint_costs_steps_but_no_bit(whole, tmp_path):
    for _ in range(8):
        begin(tmp_path).run(show=False, max_minutes=0)
    (tmp_path / "checkpoints" / "pretrain" / "last.pt").write_bytes(b"cut short")
    training = begin(tmp_path)
    assert training.progress.step == 7
    training.run(show=False)
    pd.testing.assert_frame_equal(metrics(tmp_path), metrics(whole[0]), check_exact=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_step_saves_and_the_rest_follows_exactly(whole, tmp_path, monkeypatch, number):
    training = begin(tmp_path)
    before = signal.getsignal(signal.SIGINT)  # a shell's background job ignores it
    monkeypatch.setattr(training, "_end_epoch", lambda: os.kill(os.getpid(), number))
    done = training.run(show=False)
    assert (done.finished, done.progress.step) == (False, 3)
    assert signal.getsignal(signal.SIGINT) is before
    assert not (tmp_path / "weights").exists()
    begin(tmp_path).run(show=False)
    table = metrics(whole[0])
    expected = table[(table["split"] == "train") | (table["step"] > 2)].reset_index(drop=True)
    pd.testing.assert_frame_equal(metrics(tmp_path), expected, check_exact=True)


def test_done_is_done(whole):
    before = metrics(whole[0])
    done = begin(whole[0]).run(show=False)
    assert done.finished
    pd.testing.assert_frame_equal(metrics(whole[0]), before, check_exact=True)
    assert [e["kind"] for e in RunStore(whole[0]).events()] == ["warmup_end", "queue_start"]


def test_validation_sees_the_same_crops_every_time(tmp_path):
    training = begin(tmp_path)
    losses = []
    for _ in range(2):
        training.model.eval()
        losses.append(training.validation.losses(training.model, training.network.prototypes.weight, None))
    assert losses[0] == losses[1]


def test_frozen_prototypes_do_not_move_and_then_do(tmp_path):
    torch.manual_seed(3)
    start = build_swav(ENCODER, PretrainConfig(**TINY)).prototypes.weight.detach().clone()
    training = begin(tmp_path, freeze_prototypes_steps=4, checkpoint_every=1)
    moved = []
    for _ in range(6):
        training.run(show=False, max_minutes=0)
        moved.append(float((training.network.prototypes.weight.detach() - start).abs().max()) > 1e-6)
    assert moved == [False] * 4 + [True] * 2
    training.run(show=False)
    assert ("prototypes_unfrozen", 4) in [(e["kind"], e["step"]) for e in RunStore(tmp_path).events()]


def test_a_queue_that_starts_at_one_is_never_used(tmp_path):
    begin(tmp_path, queue_start=1.0).run(show=False)
    assert "reference_loss" not in set(metrics(tmp_path).query("split == 'train'")["name"])


def test_one_sensor_alone_is_trained_on_and_called_so(tmp_path):
    for views in ("paired-augmented", "paired"):
        done = begin(tmp_path / views, pair_data((RGB,)), views=views, epochs=1).run(show=False)
        assert done.effective_views == "rgb-only"
        assert RunStore(tmp_path / views).info()["effective_views"] == "rgb-only"
        assert "sensor_agreement" not in set(metrics(tmp_path / views)["name"])


@pytest.mark.parametrize("views", ["paired", "rgb-only", "rgnir-only", "mixed"])
def test_other_views_train_too(tmp_path, views):
    done = begin(tmp_path, views=views, epochs=1).run(show=False)
    assert done.finished
    assert done.steps == (6 if views == "mixed" else 3)
    assert math.isfinite(done.progress.val_loss)


def test_under_autocast_codes_stay_in_float32(tmp_path):
    training = begin(tmp_path, precision="bf16-mixed", epochs=1, local_size=24)  # see test_gradients
    seen = []
    before = training.objective.codes
    training.objective.codes = lambda *arguments: seen.append(before(*arguments)) or seen[-1]
    assert training.run(show=False).finished
    assert {code.dtype for codes in seen for code in codes} == {torch.float32}
    assert float(seen[0][0].sum(dim=1).sub(1).abs().max()) < 1e-5


def test_settings_that_do_not_fit_the_data_are_refused(tmp_path):
    for changes, message in (
        (
            {"batch_size": 13, "queue_length": 0},
            "pretrain.batch_size is 13, but the training split has 12 samples: take at most 12",
        ),
        ({"global_size": 32}, "pretrain.global_size is 32 px, but pictures are 24x24 px"),
        ({"local_size": 32}, "pretrain.local_size is 32 px"),
        ({"prototypes": 2}, "pretrain.prototypes is 2, but there are 3 classes"),
        ({"accumulate": 4}, "pretrain.batch_size is 4 times pretrain.accumulate 4, but .* 12 samples: take at most 3"),
        ({"queue_start": "step 12"}, r"pretrain.queue_start is 'step 12', but the training ends after 12 steps"),
        ({"queue_start": "epoch 4"}, r"'epoch 4', but .* after 12 steps \(4 epochs\): name an earlier epoch, or 1.0"),
        ({"precision": "16-mixed"}, "precision is '16-mixed', which needs a CUDA device"),
    ):
        with pytest.raises(InputError, match=message):
            begin(tmp_path, **changes)
    with pytest.raises(InputError, match="pretrain.views is 'rgnir-only', but the images are of rgb"):
        begin(tmp_path, pair_data((RGB,)), views="rgnir-only")


def test_a_checkpoint_of_other_settings_is_refused_by_name(tmp_path):
    begin(tmp_path).run(show=False, max_minutes=0)
    begin(tmp_path, log_every=2)  # changes no number
    with pytest.raises(ArtifactError, match="another setting of epsilon, lr. Remove that folder"):
        begin(tmp_path, lr=5e-4, epsilon=0.05)
    data = pair_data()
    fewer = dataclasses.replace(data, train=LabelledRows(data.train.rows[:-1], data.train.targets[:-1]))
    with pytest.raises(ArtifactError, match="another setting of samples"):
        begin(tmp_path, fewer)


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(tmp_path):
    begin(tmp_path).run(show=False, max_minutes=0)
    training = begin(tmp_path)
    with torch.no_grad():
        training.network.head[3].weight.fill_(math.nan)
    with pytest.raises(TrainingError, match=r"loss became nan at step 1: lower pretrain.lr \(0.001\)"):
        training.run(show=False)
    assert begin(tmp_path).progress.step == 1


def test_a_collapse_is_named_and_stops(tmp_path):
    """With temperature and epsilon of 100, codes and predictions are even: the loss is ln K and nothing is learnt."""
    training = begin(tmp_path, temperature=100.0, epsilon=100.0, epochs=20, queue_length=0, log_every=20)
    with pytest.raises(TrainingError, match=r"collapsed at step 24: for 20 steps the loss has stayed at ln K = 1.792"):
        training.run(show=False)
    assert begin(tmp_path, temperature=100.0, epsilon=100.0, epochs=20, queue_length=0).progress.step == 20


def no_validation(data):
    nobody = LabelledRows(data.val.rows[:0], data.val.targets[:0])
    return dataclasses.replace(data, val=nobody)


@pytest.mark.parametrize("changes", [{"patience": 2}, {"keep": "best"}])
def test_without_validation_pairs_nothing_can_be_judged_on_them(tmp_path, changes):
    with pytest.raises(InputError, match=f"pretrain.{next(iter(changes))} is .*validation pairs, and there are none"):
        begin(tmp_path, no_validation(pair_data()), **changes)
    assert begin(tmp_path, no_validation(pair_data())).run(show=False).finished


@pytest.mark.parametrize(
    ("start", "step"), [(0.25, 3), (0.75, 9), ("step 7", 7), ("epoch 3", 9), (0.0, 2), (1.0, None)]
)
def test_the_queue_starts_when_it_is_told_and_not_before_it_is_full(tmp_path, start, step):
    begin(tmp_path, queue_start=start).run(show=False)
    found = [e["step"] for e in RunStore(tmp_path).events() if e["kind"] == "queue_start"]
    assert found == ([] if step is None else [step])


def test_two_batches_a_step_are_the_mean_of_their_gradients(tmp_path):
    """Against the same two batches by hand; codes are of each batch, the queue takes both."""
    changes = {"accumulate": 2, "batch_size": 4, "optimizer": "sgd", "lr": 0.1, "warmup": 0.0, "weight_decay": 0.0}
    training = begin(tmp_path, **changes)
    assert training.time.steps == 4
    start = {key: value.clone() for key, value in training.network.state_dict().items()}
    slow = begin(tmp_path / "slow", **changes)
    slow.network.load_state_dict(start)
    slow.model.train()
    torch.manual_seed(step_generator(3, 0, torch.device("cpu"), purpose=4).initial_seed())
    total, losses = {}, []
    for number in (0, 1):
        crops = slow.cut(number)
        outputs = slow.objective.outputs(slow.model, (crops.assigned, crops.local))
        result, _ = slow.objective.loss(outputs, slow.network.prototypes.weight, None)
        losses.append(float(result.loss.detach()))
        grads = torch.autograd.grad(result.loss, list(slow.network.parameters()))
        for (name, _), grad in zip(slow.network.named_parameters(), grads, strict=True):
            total[name] = total.get(name, 0) + grad / 2
    training.run(show=False, max_minutes=0)
    assert training.progress.last_loss == pytest.approx(sum(losses) / 2, abs=1e-6)
    assert int(training.queue.filled) == 8
    for name, parameter in training.network.named_parameters():
        expected = start[name] - 0.1 * 1.9 * total[name]  # Nesterov's momentum of .9, at its first step
        if name == "prototypes.weight":
            expected = expected / (expected**2).sum(dim=1, keepdim=True).sqrt()
        torch.testing.assert_close(parameter.detach(), expected, rtol=1e-4, atol=1e-6, msg=name)


def test_patience_ends_it_and_the_best_weights_are_kept(tmp_path, monkeypatch):
    """Reference losses 3, 2, 2.5, 2.4: the second epoch is the best, and two epochs later patience of 2 is over."""
    references = iter([3.0, 2.0, 2.5, 2.4, 2.3])
    seen = []

    def losses(self, model, prototypes, queue):
        seen.append(prototypes.detach().clone())
        return 9.0, next(references)

    monkeypatch.setattr(Validation, "losses", losses)
    done = begin(tmp_path, epochs=8, patience=2, keep="best", lr=5e-3).run(show=False)
    assert (done.finished, done.progress.step, done.progress.best_epoch, done.progress.best_loss) == (True, 12, 2, 2.0)
    assert [(e["kind"], e["step"]) for e in RunStore(tmp_path).events()][-1] == ("early_stop", 12)
    torch.testing.assert_close(weights(tmp_path)["prototypes.weight"].float(), seen[1], rtol=0, atol=1e-3)
    assert float((seen[1] - seen[3]).abs().max()) > 2e-3
    again = begin(tmp_path, epochs=8, patience=2, keep="best", lr=5e-3).run(show=False)
    assert (again.finished, again.progress.step) == (True, 12)


def test_best_weights_survive_a_resume(tmp_path, monkeypatch):
    references = iter([3.0, 2.0, 2.5, 2.4])
    monkeypatch.setattr(Validation, "losses", lambda self, *given: (9.0, next(references)))
    best = None
    for step in range(1, 13):
        training = begin(tmp_path, keep="best")
        training.run(show=False, max_minutes=0)
        if step == 6:
            best = training.network.prototypes.weight.detach().clone()
    torch.testing.assert_close(weights(tmp_path)["prototypes.weight"].float(), best, rtol=0, atol=1e-3)


def test_online_knn_is_logged_every_so_many_epochs_and_at_the_end(tmp_path):
    begin(tmp_path, knn_every=3).run(show=False)
    table = metrics(tmp_path)
    for sensor in ("rgb", "rgnir"):
        assert table[table["name"] == f"knn_accuracy_{sensor}"]["epoch"].tolist() == [3, 4]
    begin(tmp_path / "never", knn_every=0).run(show=False)
    assert not metrics(tmp_path / "never")["name"].str.startswith("knn").any()


def test_one_cycle_moves_momentum_against_the_learning_rate(tmp_path):
    training = begin(tmp_path, schedule="one-cycle", momentum=(0.95, 0.85), warmup=0.25)
    found = []
    for step in (0, 3, 11):
        rate = training.time.set_rates(training.optimizer, step)
        group = training.optimizer.param_groups[0]
        found.append((rate, group["betas"][0], group["betas"][1]))
    assert [beta for _, beta, _ in found] == pytest.approx(
        [0.95, 0.85, 0.95], abs=4e-3
    )  # the last step is one before the end
    assert found[1][0] == pytest.approx(1e-3)
    assert {second for _, _, second in found} == {0.999}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lamb", "lars"])
def test_every_optimizer_takes_steps(tmp_path, optimizer):
    training = begin(tmp_path, optimizer=optimizer, epochs=1)
    before = training.network.head[0].weight.detach().clone()
    assert training.run(show=False).finished
    assert float((training.network.head[0].weight.detach() - before).abs().max()) > 0


def test_the_original_queue_is_used_from_its_first_step_with_the_batch_counted_twice(tmp_path):
    training = begin(tmp_path, queue="original", queue_start=0.0, views="rgb-only")
    pushed, before = [], training.objective.codes
    push = training.queue.push
    training.queue.push = lambda batch: (pushed.append(batch[0].clone()), push(batch))
    joined = []

    def codes(projections, prototypes, queue):
        if queue is not None:
            joined.append(queue.view(0).clone())
        return before(projections, prototypes, queue)

    training.objective.codes = codes
    training.run(show=False, max_minutes=0)
    assert torch.equal(joined[0][:4], pushed[0])  # in the queue before its own codes are computed
    assert [e["step"] for e in RunStore(tmp_path).events() if e["kind"] == "queue_start"] == [0]


def test_compiled_it_computes_the_same(tmp_path):
    plain, compiled = begin(tmp_path / "plain"), begin(tmp_path / "compiled", compile=True)
    for training in (plain, compiled):
        training.run(show=False, max_minutes=0)
    assert compiled.progress.last_loss == pytest.approx(plain.progress.last_loss, abs=1e-4)
    assert set(compiled.network.state_dict()) == set(plain.network.state_dict())


def test_patience_does_not_call_a_collapsed_training_done(tmp_path):
    """Stuck at ln K, the reference loss never gets better: patience is over long before a collapse is looked for."""
    stuck = {"temperature": 100.0, "epsilon": 100.0, "epochs": 60, "queue_length": 0, "patience": 8}
    with pytest.raises(TrainingError, match="collapsed at step .* the loss has stayed at ln K"):
        begin(tmp_path, **stuck).run(show=False)
    assert not (tmp_path / "weights").exists()
