"""Cross-validation: each labelled pair judged by networks that saw neither it nor its group."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from rice_ssl.artifacts import RunStore, atomic_path
from rice_ssl.config import CrossValidationConfig, EncoderConfig, FinetuneConfig
from rice_ssl.data.splits import assign_folds
from rice_ssl.errors import InputError
from rice_ssl.models.classifier import PairClassifier, build_classifier, used_slots
from rice_ssl.models.weights import load_ready
from rice_ssl.training.batches import LabelledRows, Pictures, Rows
from rice_ssl.training.finetune import FinetuneResult, Task, fine_tune
from rice_ssl.training.judging import judge_rows

_JUDGED = "judged.npz"
Numbers = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """The pairs of a run that are learnt from or judged.

    Attributes:
        ids: of the pairs, P in all.
        rows: manifest rows, shape (P, S), -1 for a missing picture.
        targets: class numbers, -1 where unknown, shape (P,).
        folds: fold of each labelled pair, -1 of the others, shape (P,).
        groups: group of each pair, shape (P,).
        test: whether the pair is a test pair, bool, shape (P,): it is never learnt from.
    """

    ids: list[str]
    rows: Rows
    targets: Numbers
    folds: Numbers
    groups: npt.NDArray[np.str_]
    test: npt.NDArray[np.bool_]

    @property
    def learnt(self) -> npt.NDArray[np.bool_]:
        """Whether a pair is learnt from in the folds that are not its own, shape (P,)."""
        return ~self.test & (self.targets >= 0) & (self.folds >= 0)


@dataclass(frozen=True)
class Recipe:
    """How the folds' networks are made."""

    encoder: EncoderConfig
    finetune: FinetuneConfig
    validation: CrossValidationConfig
    classes: tuple[str, ...]
    sensors: tuple[str, ...]


@dataclass(frozen=True)
class Fold:
    """One network of the cross-validation, and where its files are."""

    seed: int
    fold: int
    store: RunStore

    @property
    def training_seed(self) -> int:
        """Seed of its training: another one for each fold."""
        return int(np.random.SeedSequence([self.seed, self.fold]).generate_state(1)[0])


@dataclass(frozen=True)
class Judged:
    """What a fold's network says of pairs.

    Attributes:
        pairs: their places among all pairs, shape (Q,); the fold's own first, then the test pairs.
        single: logits of each image judged alone, shape (Q, S, C); of a missing one they mean nothing.
        joint: logits of the pairs, shape (Q, C).
    """

    pairs: Numbers
    single: Logits
    joint: Logits


def plan_folds(folder: Path, pairs: Pairs, seeds: Sequence[int]) -> list[Fold]:
    """Every network that is to be trained; fold by fold, so that a first answer on all pairs comes soon.

    Raises:
        InputError: the labelled pairs are in one fold only, or there is none.
    """
    folds = sorted(set(pairs.folds[pairs.learnt].tolist()))
    if len(folds) < 2:
        found = f"in {len(folds)} fold" if folds else "nowhere"
        raise InputError(
            f"Cross-validation needs labelled pairs in two folds or more, and they are {found}: label more pairs, of "
            "two groups at least."
        )
    return [Fold(seed, fold, RunStore(folder / f"seed-{seed}-fold-{fold}")) for seed in seeds for fold in folds]


def judge_fold(
    fold: Fold, pictures: Pictures, pairs: Pairs, recipe: Recipe, *, source: RunStore, show: bool, description: str
) -> Judged | None:
    """Train a fold's network, or go on with it, and let it judge the fold's pairs and the test pairs.

    Args:
        fold: which.
        pictures: decoded pictures.
        pairs: all pairs.
        recipe: how.
        source: run whose SwAV weights are the start where the recipe says so.
        show: whether to show progress bars.
        description: of the progress bar.

    Returns:
        What it says; None where the training was stopped.

    Raises:
        InputError: the other folds' pairs cannot be learnt from.
    """
    path = fold.store.root / _JUDGED
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            return Judged(kept["pairs"], kept["single"], kept["joint"])
    done = train_fold(fold, pictures, pairs, recipe, source=source, show=show, description=description)
    if not done.finished:
        return None
    network = fold_network(fold, recipe, pictures.device)
    chosen = np.concatenate([held_out(pairs, fold.fold), np.flatnonzero(pairs.test)])
    single, joint = judge_rows(network, pictures, pairs.rows[chosen], views=recipe.validation.views)
    judged = Judged(chosen, single.double().numpy(), joint.double().numpy())
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, pairs=judged.pairs, single=judged.single, joint=judged.joint)
    shutil.rmtree(fold.store.root / "checkpoints", ignore_errors=True)
    return judged


def held_out(pairs: Pairs, fold: int) -> Numbers:
    """Places of the labelled pairs of a fold."""
    return np.flatnonzero(pairs.learnt & (pairs.folds == fold))


def fold_network(fold: Fold, recipe: Recipe, device: torch.device) -> PairClassifier:
    """A fold's trained network, in evaluation mode."""
    network = build_classifier(recipe.encoder, recipe.finetune, len(recipe.classes), recipe.sensors)
    path, made_by = fold.store.weights_path("classifier"), "rice-ssl cross-validate RUN"
    return load_ready(network, path, device, made_by=made_by)


def train_fold(
    fold: Fold, pictures: Pictures, pairs: Pairs, recipe: Recipe, *, source: RunStore, show: bool, description: str
) -> FinetuneResult:
    """Train a fold's network on the labelled pairs of the other folds, or some of them.

    Where the recipe chooses an epoch, it is chosen on an inner fold of these; the fold that is judged has no part in
    it. A batch is made smaller where there are fewer pairs than it asks for.
    """
    train, val = fold_parts(fold, pairs, recipe)
    size = min(recipe.finetune.batch_size, max(2, len(train)))
    learnt, judged = (LabelledRows(pairs.rows[part], pairs.targets[part]) for part in (train, val))
    try:
        return fine_tune(
            fold.store,
            Task(pictures, learnt, judged, recipe.classes, recipe.sensors),
            recipe.encoder,
            replace(recipe.finetune, batch_size=size),
            seed=fold.training_seed,
            source=source,
            show=show,
            description=description,
        )
    except InputError as error:
        raise InputError(f"Fold {fold.fold} cannot be judged. {error}") from None


def fold_parts(fold: Fold, pairs: Pairs, recipe: Recipe) -> tuple[Numbers, Numbers]:
    """Places of the pairs that a fold's network learns from, and of those on which its epoch is chosen, if on any."""
    others = np.flatnonzero(pairs.learnt & (pairs.folds != fold.fold))
    others = others[(pairs.rows[others][:, used_slots(recipe.finetune, recipe.sensors)] >= 0).any(axis=1)]
    subset = label_subset(pairs.targets[others], recipe.validation.label_fraction, fold.seed)
    return _inner_split(others[subset], pairs, recipe, fold)


def _inner_split(chosen: Numbers, pairs: Pairs, recipe: Recipe, fold: Fold) -> tuple[Numbers, Numbers]:
    """The pairs that are learnt from, and those on which the epoch is chosen.

    None are where no epoch is chosen, where all are one group, or where a class would be left out of what is learnt.
    """
    nothing: Numbers = np.zeros(0, dtype=np.int64)
    if recipe.finetune.keep == "last" and recipe.finetune.patience == 0:
        return chosen, nothing
    groups = pd.Series(pairs.groups[chosen])
    count = min(recipe.validation.inner_folds, groups.nunique())
    if count < 2:
        return chosen, nothing
    labels = pd.Series(pairs.targets[chosen])
    inner = assign_folds(labels, groups, folds=count, seed=fold.seed).to_numpy()
    train, val = chosen[inner != 0], chosen[inner == 0]
    same = set(pairs.targets[train].tolist()) == set(pairs.targets[chosen].tolist())
    return (train, val) if same else (chosen, nothing)


def label_subset(targets: Numbers, fraction: float, seed: int) -> Numbers:
    """Places of a share of labelled pairs: the same share of each class, and of each class at least one.

    A smaller share with the same seed is part of a larger one.

    Args:
        targets: class numbers, shape (P,).
        fraction: in (0, 1].
        seed: of the choice.

    Returns:
        Places, rising.
    """
    if fraction >= 1 or len(targets) == 0:
        return np.arange(len(targets))
    order = np.random.default_rng([seed, 11]).permutation(len(targets))
    kept = []
    for number in np.unique(targets):
        own = order[targets[order] == number]
        kept.append(own[: max(1, round(fraction * len(own)))])
    return np.sort(np.concatenate(kept))


@dataclass(frozen=True)
class Gathered:
    """Logits of one judge (a sensor, or the pair) for the pairs that it judged, places and logits (Q, C)."""

    pairs: Numbers
    logits: Logits


def gather(judged: Sequence[Judged], pairs: Pairs, slots: Sequence[int], *, joint: bool) -> Iterator[Gathered]:
    """Mean logits over the networks that judged a pair: of each sensor in turn, and last of the pair.

    Args:
        judged: what each fold's network says; a labelled pair is judged by one network a seed, a test pair by all.
        pairs: all pairs.
        slots: places of the sensors.
        joint: whether the pair is judged from all its images, too.
    """
    for slot in slots:
        there = np.asarray(pairs.rows[:, slot] >= 0)
        yield _mean([(one.pairs, one.single[:, slot]) for one in judged], there)
    if joint:
        yield _mean([(one.pairs, one.joint) for one in judged], np.asarray((pairs.rows >= 0).any(axis=1)))


def _mean(parts: Sequence[tuple[Numbers, Logits]], there: npt.NDArray[np.bool_]) -> Gathered:
    total = np.zeros((len(there), parts[0][1].shape[1]))
    count = np.zeros(len(there), dtype=np.int64)
    for places, logits in parts:
        total[places] += logits
        count[places] += 1
    chosen = np.flatnonzero(there & (count > 0))
    return Gathered(chosen, total[chosen] / count[chosen, None])
