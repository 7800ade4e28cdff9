"""Which pairs a fold's network learns from and judges, and how their answers are gathered."""

import numpy as np
import pytest
import torch

from rice_ssl.artifacts import RunStore
from rice_ssl.config import CrossValidationConfig, EncoderConfig, FinetuneConfig
from rice_ssl.data.loading import ImageCache
from rice_ssl.errors import InputError
from rice_ssl.sensors import RGB, RGNIR
from rice_ssl.training import cross_validation
from rice_ssl.training.batches import Pictures
from rice_ssl.training.cross_validation import (
    Fold,
    Judged,
    Pairs,
    Recipe,
    gather,
    held_out,
    judge_fold,
    label_subset,
    plan_folds,
)

PAIRS = 24
SENSORS = ("rgb", "rgnir")
CLASSES = ("blast", "brown", "healthy")
ENCODER = EncoderConfig("resnet10t", {"channels": [8, 8, 8, 8]})
LAST = {"start": "random", "epochs": 2, "batch_size": 8, "keep": "last", "accelerator": "cpu"}


def pairs(missing=(), test=4):
    """Pair k has class k % 3, group k // 2 and fold (k // 2) % 3; the last ``test`` are test pairs."""
    rows = np.arange(2 * PAIRS).reshape(PAIRS, 2)
    for pair, slot in missing:
        rows[pair, slot] = -1
    number = np.arange(PAIRS)
    is_test = number >= PAIRS - test
    return Pairs(
        [f"p{k:02}" for k in number],
        rows,
        np.where(is_test, -1, number % 3),
        np.where(is_test, -1, (number // 2) % 3),
        (number // 2).astype(str),
        is_test,
    )


def pictures():
    """Class k % 3 has a bright band."""
    images = np.random.default_rng(0).integers(0, 80, (PAIRS, 2, 24, 24, 3))
    for pair in range(PAIRS):
        images[pair, ..., pair % 3] += 150
    flat = images.astype(np.uint8).reshape(-1, 24, 24, 3)
    return Pictures(ImageCache(flat, {}), ["rgb", "rgnir"] * PAIRS, (RGB, RGNIR), torch.device("cpu"))


def recipe(validation=None, **finetune):
    return Recipe(
        ENCODER,
        FinetuneConfig(**{**LAST, **finetune}),
        CrossValidationConfig(**{"views": 1, **(validation or {})}),
        CLASSES,
        SENSORS,
    )


@pytest.fixture
def learnt(monkeypatch):
    """What each training was given, in place of a training."""
    seen = []

    class Done:
        finished = True

    def note(store, task, encoder, config, **others):
        seen.append((task, config, others))
        return Done()

    monkeypatch.setattr(cross_validation, "fine_tune", note)
    return seen


def train(fold, learnt, of=None, validation=None, **finetune):
    of = of or pairs()
    where = Fold(0, fold, RunStore("nowhere"))
    how = recipe(validation, **finetune)
    cross_validation.train_fold(where, pictures(), of, how, source=where.store, show=False, description="")
    return learnt[-1]


def test_no_pair_of_the_fold_and_no_test_pair_is_learnt_from(learnt):
    for fold in range(3):
        task, _, _ = train(fold, learnt)
        places = task.train.rows[:, 0] // 2
        assert len(task.val.targets) == 0
        assert sorted(places) == [k for k in range(20) if (k // 2) % 3 != fold]
        assert task.train.targets.tolist() == [k % 3 for k in places]


def test_every_labelled_pair_is_held_out_once():
    found = np.concatenate([held_out(pairs(), fold) for fold in range(3)])
    assert sorted(found) == list(range(20))


@pytest.mark.parametrize("chosen", [{"keep": "best"}, {"patience": 2}])
def test_an_epoch_is_chosen_on_other_groups_of_the_learnt_folds(learnt, chosen):
    task, _, _ = train(1, learnt, validation={"inner_folds": 4}, **chosen)
    one, other = (set((side.rows[:, 0] // 2 // 2).tolist()) for side in (task.train, task.val))
    assert not one & other
    assert one | other == {group for group in range(10) if group % 3 != 1}
    assert 1 <= len(other) <= 3


def test_each_fold_and_seed_trains_with_a_seed_of_its_own():
    seeds = {Fold(seed, fold, RunStore("x")).training_seed for seed in range(3) for fold in range(5)}
    assert len(seeds) == 15


def test_smaller_shares_of_the_labels_are_part_of_larger_ones():
    targets = np.repeat([0, 1, 2], [200, 90, 10])
    before: set[int] = set()
    for fraction in (0.01, 0.05, 0.1, 0.25, 1.0):
        chosen = label_subset(targets, fraction, 7)
        counts = np.bincount(targets[chosen], minlength=3).tolist()
        assert counts == [max(1, round(fraction * n)) for n in (200, 90, 10)]
        assert before <= set(chosen.tolist())
        before = set(chosen.tolist())
    assert label_subset(targets, 0.1, 8).tolist() != label_subset(targets, 0.1, 7).tolist()


def test_a_batch_is_no_larger_than_the_pairs_learnt_from(learnt):
    task, config, _ = train(0, learnt, validation={"label_fraction": 0.3}, batch_size=16)
    assert (len(task.train.targets), config.batch_size) == (4, 4)


def test_pairs_without_the_sensor_that_is_learnt_from_are_left_out(learnt):
    task, _, _ = train(0, learnt, of=pairs(missing=[(2, 1), (3, 1), (4, 0)]), sensors="rgnir")
    assert 2 not in task.train.rows[:, 0] // 2
    assert sorted(set((task.train.rows.max(axis=1) // 2).tolist())) == [4, 5, 8, 9, 10, 11, 14, 15, 16, 17]


def test_one_fold_alone_cannot_judge(tmp_path):
    of = pairs()
    of.folds[:] = np.where(of.folds >= 0, 0, -1)
    with pytest.raises(InputError, match="labelled pairs in two folds or more, and they are in 1 fold"):
        plan_folds(tmp_path, of, (0,))
    of.targets[:] = -1
    with pytest.raises(InputError, match="and they are nowhere"):
        plan_folds(tmp_path, of, (0,))


def test_a_fold_whose_others_have_one_class_is_named(tmp_path):
    of = pairs()
    of.targets[of.targets >= 0] = np.where(of.folds[of.targets >= 0] == 2, 1, 0)
    fold = plan_folds(tmp_path, of, (0,))[2]
    with pytest.raises(InputError, match="Fold 2 cannot be judged. The training pairs have one class only"):
        judge_fold(fold, pictures(), of, recipe(), source=fold.store, show=False, description="")


def test_answers_are_means_over_the_networks_that_judged_a_pair():
    of = pairs(missing=[(0, 1)], test=22)
    of.targets[:2], of.folds[:2] = [0, 1], [0, 1]

    def says(place, value):
        single = np.full((len(place), 2, 3), float(value))
        single[:, 1] += 10
        return Judged(np.array(place), single, np.full((len(place), 3), value + 0.5))

    judged = [says([0, 2], 1), says([1, 2], 3), says([0, 2], 5), says([1, 2], 7)]  # two folds, two seeds
    rgb, rgnir, both = gather(judged, of, (0, 1), joint=True)
    assert (rgb.pairs.tolist(), rgb.logits[:, 0].tolist()) == ([0, 1, 2], [3.0, 5.0, 4.0])
    assert (rgnir.pairs.tolist(), rgnir.logits[:, 0].tolist()) == ([1, 2], [15.0, 14.0])
    assert both.logits[:, 0].tolist() == [3.5, 5.5, 4.5]
    assert len(list(gather(judged, of, (0, 1), joint=False))) == 2


def test_a_fold_is_judged_by_a_network_that_learnt_the_bands(tmp_path):
    of, how = pairs(), recipe(epochs=12, lr=1e-2, encoder_lr_factor=1.0)
    fold = plan_folds(tmp_path, of, (0,))[0]
    found = judge_fold(fold, pictures(), of, how, source=fold.store, show=False, description="")
    own = held_out(of, 0)
    assert found.pairs.tolist() == [*own.tolist(), 20, 21, 22, 23]
    right = found.joint.argmax(axis=1) == found.pairs % 3
    assert right.mean() > 0.8
    assert {p.name for p in fold.store.root.iterdir()} == {"weights", "metrics.parquet", "events.jsonl", "judged.npz"}
    again = judge_fold(fold, pictures(), of, how, source=fold.store, show=False, description="")
    np.testing.assert_array_equal(again.joint, found.joint)


def test_no_inner_fold_is_taken_where_a_class_would_be_lost(learnt):
    """Two pairs of two classes, in two groups: an inner fold of one would leave one class."""
    of = pairs(test=20)
    of.targets[:4], of.folds[:4] = [0, 1, 0, 1], [0, 0, 1, 1]
    of.groups[:] = [str(k) for k in range(PAIRS)]
    task, _, _ = train(0, learnt, of=of, keep="best")
    assert (task.train.targets.tolist(), len(task.val.targets)) == ([0, 1], 0)


def test_of_no_pairs_there_is_no_share():
    assert label_subset(np.zeros(0, dtype=np.int64), 0.1, 0).tolist() == []
