"""Recipes of fine-tuning: what each setting does to a training, and that each resumes to the last bit."""

import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from rice_ssl.artifacts import RunStore
from rice_ssl.config import FinetuneConfig
from rice_ssl.errors import InputError
from rice_ssl.training.finetune import Finetuning, Task, fine_tune
from rice_ssl.training.judging import judge_rows
from tests.training.test_finetune import (
    CLASSES,
    ENCODER,
    PAIRS,
    TINY,
    TRAIN,
    begin,
    figures,
    kept_log_loss,
    labelled,
    pictures,
    stop_after,
    weights,
)

RICH = {
    "sensors": "fused",
    "hidden": 6,
    "optimizer": "ranger",
    "momentum": (0.95, 0.85),
    "layer_decay": 0.7,
    "unfreeze_epochs": 1,
    "mixup": 0.4,
    "cutmix": 1.0,
    "sensor_dropout": 0.3,
    "class_weights": "balanced",
    "ema": 0.9,
}


def rate_by_stage(training):
    return [group["lr"] for group in training.optimizer.param_groups]


@pytest.mark.parametrize("recipe", [RICH, {"optimizer": "sgd", "mix_across": 0.5, "ema": 0.5}])
def test_stopped_and_resumed_any_recipe_is_the_same_to_the_last_bit(tmp_path, monkeypatch, recipe):
    assert begin(tmp_path / "whole", **recipe).run(show=False).finished
    for _ in range(3):
        done = stop_after(begin(tmp_path / "parts", **recipe), 4, monkeypatch)
    assert done.finished
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    assert figures(tmp_path / "whole", "loss", "train") == figures(tmp_path / "parts", "loss", "train")


def test_each_stage_of_the_encoder_has_its_rate(tmp_path):
    training = begin(tmp_path, encoder_lr_factor=0.5, layer_decay=0.1, warmup=0.0, schedule="cosine", lr=0.02)
    training._step()
    assert rate_by_stage(training) == pytest.approx([0.02 * 0.5 * 0.1**k for k in (4, 3, 2, 1, 0)] + [0.02])


def test_the_stages_thaw_one_after_another(tmp_path):
    """Three steps an epoch: frozen for one epoch, then a stage more in each."""
    training = begin(tmp_path, frozen_epochs=1, unfreeze_epochs=1, epochs=4)
    learning = []
    for _ in range(12):
        training._step()
        learning.append(sum(stage[0].requires_grad for stage in training.stages))
    assert learning == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    details = [event["detail"] for event in training.log._events if event["kind"] == "encoder_unfrozen"]
    assert details == [f"The encoder's last {k} of 5 stages learn from here on." for k in (1, 2, 3)]


def test_what_is_kept_is_the_average_of_the_weights(tmp_path):
    """With timm's warm-up the decay is min(0.9, 1 - step^(-2/3)): the first updates take the weights as they are."""
    training = begin(tmp_path, ema=0.9, val=[], frozen_epochs=0)
    head = training.network.head[-1].weight
    expected = None
    for step in range(4):
        training._step()
        decay = 0.0 if step == 0 else min(0.9, 1 - step ** (-2 / 3))
        now = head.detach().clone()
        expected = now if expected is None else decay * expected + (1 - decay) * now
    torch.testing.assert_close(training.judging_network().head[-1].weight, expected, rtol=1e-5, atol=1e-7)
    assert training.run(show=False).finished
    stored = weights(tmp_path)["head.2.weight"].float()
    torch.testing.assert_close(stored, training.judging_network().head[-1].weight.detach(), rtol=1e-3, atol=1e-4)
    assert not torch.allclose(stored, training.network.head[-1].weight.detach(), atol=1e-4)


def test_training_ends_early_where_validation_gets_no_better(tmp_path):
    """Validation labels contradict the colours: what is learnt makes it worse."""
    done = begin(tmp_path, shift=1, epochs=30, patience=3).run(show=False)
    epochs = len(figures(tmp_path, "log_loss"))
    assert done.finished
    assert done.progress.ended_early
    assert epochs == done.progress.best_epoch + 3 < 30
    assert [event["kind"] for event in RunStore(tmp_path).events()][-1] == "early_stop"
    again = begin(tmp_path, shift=1, epochs=30, patience=3).run(show=False)
    assert (again.finished, again.progress.step) == (True, done.progress.step)


def test_the_last_epoch_is_kept_where_that_is_asked_for(tmp_path):
    done = begin(tmp_path, shift=1, epochs=8, keep="last").run(show=False)
    losses = figures(tmp_path, "log_loss")
    assert losses[-1] > min(losses) + 0.1
    assert kept_log_loss(tmp_path, 1) == pytest.approx(losses[-1], abs=2e-2)
    assert done.progress.best_log_loss == min(losses)


def test_few_labels_are_learnt_from_for_so_many_steps_at_least(tmp_path):
    training = begin(tmp_path, epochs=2, least_steps=10)
    assert (training.per_epoch, training.steps) == (3, 12)
    assert begin(tmp_path / "more", epochs=9, least_steps=10).steps == 27


def test_one_sensor_alone_is_seen(tmp_path):
    """Whatever the other sensor's files hold, the training is the same; a pair without the sensor is left out."""
    trained = []
    for name, noise in (("one", False), ("other", True)):
        training = begin(tmp_path / name, sensors="rgnir", missing=[(0, 1), (1, 1)], batch_size=5)
        if noise:
            training.pictures.cache.images[0::2] = 255
        assert training.train.rows.shape == (10, 1)
        training.run(show=False)
        trained.append(weights(tmp_path / name))
    assert all(torch.equal(value, trained[1][key]) for key, value in trained[0].items())


def test_without_any_image_of_the_sensor_it_is_refused(tmp_path):
    with pytest.raises(InputError, match="No labelled training pair has an image of rgnir: take another"):
        begin(tmp_path, sensors="rgnir", missing=[(pair, 1) for pair in range(PAIRS)])


def test_a_fused_classifier_learns_to_do_with_either_sensor(tmp_path):
    training = begin(tmp_path, sensors="fused", sensor_dropout=0.3, epochs=30, batch_size=6, frozen_epochs=0)
    done = training.run(show=False)
    assert done.progress.best_accuracy == 1
    data, rows = pictures()
    for slot in (0, 1):
        alone = rows[TRAIN:].copy()
        alone[:, 1 - slot] = -1
        _, joint = judge_rows(training.network, data, alone)
        assert (joint.argmax(dim=1).numpy() == [pair % 3 for pair in range(TRAIN, PAIRS)]).mean() >= 5 / 6


def task(**changes):
    data, rows = pictures()
    parts = labelled(rows, list(range(TRAIN))), labelled(rows, list(range(TRAIN, PAIRS)))
    return Task(data, *parts, CLASSES, ("rgb", "rgnir"))


def test_a_student_learns_from_its_teacher(tmp_path):
    """With all weight on the teacher, labels play no part: the student agrees with the teacher."""
    config = FinetuneConfig(**{**TINY, "epochs": 10, "distill": 1.0, "distill_temperature": 1.0})
    done = fine_tune(RunStore(tmp_path), task(), ENCODER, config, seed=3, show=False)
    assert done.finished
    beside = tmp_path / "checkpoints" / "finetune" / "teacher"
    assert (beside / "weights" / "classifier.safetensors").is_file()
    losses = figures(tmp_path, "loss", "train")
    assert losses[-1] < 0.3 * losses[0]
    teacher = load_file(beside / "weights" / "classifier.safetensors")
    assert any(not torch.equal(value, weights(tmp_path)[key]) for key, value in teacher.items())


def test_a_teacher_cut_short_is_taken_up_again(tmp_path, monkeypatch):
    config = FinetuneConfig(**{**TINY, "epochs": 2, "distill": 0.5})
    fine_tune(RunStore(tmp_path / "whole"), task(), ENCODER, config, seed=3, show=False)
    step, left = Finetuning._step, [4]

    def counted(self):
        step(self)
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Finetuning, "_step", counted)
    done = fine_tune(RunStore(tmp_path / "parts"), task(), ENCODER, config, seed=3, show=False)
    assert (done.finished, done.progress.step) == (False, 4)
    assert not (tmp_path / "parts" / "weights").exists()
    assert fine_tune(RunStore(tmp_path / "parts"), task(), ENCODER, config, seed=3, show=False).finished
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mix_across": 0.5, "sensors": "rgb"}, "mix_across is 0.5, but with sensors 'rgb' no image of another"),
        ({"sensor_dropout": 0.2}, "sensor_dropout is 0.2, which is of sensors fused alone, not 'shared'"),
        ({"swav_run": "runs/x", "start": "random"}, "swav_run is 'runs/x', but start is 'random'"),
        ({"momentum": (0.9, 0.8), "schedule": "cosine"}, "which schedule 'cosine' does not move"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        FinetuneConfig(**changes)
