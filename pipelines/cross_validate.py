"""``rice-ssl cross-validate``: every labelled pair of a run judged by networks that did not see its group."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipelines.channels import forget_channels, run_sensors, write_channels
from pipelines.finetune import swav_source
from rice_ssl.artifacts import RunStore
from rice_ssl.attribution.band_values import band_means
from rice_ssl.attribution.channels import JudgedPairs, channel_table
from rice_ssl.attribution.predict import ClassifierPredict
from rice_ssl.config import RunConfig
from rice_ssl.errors import InputError
from rice_ssl.evaluation.calibration import cross_fitted, scaled
from rice_ssl.evaluation.metrics import log_losses
from rice_ssl.models.classifier import used_slots
from rice_ssl.sensors import BOTH
from rice_ssl.training.batches import Pictures
from rice_ssl.training.cross_validation import (
    Fold,
    Gathered,
    Judged,
    Pairs,
    Recipe,
    fold_network,
    fold_parts,
    gather,
    held_out,
    judge_fold,
    plan_folds,
)
from rice_ssl.training.device import launch
from rice_ssl.training.run_pictures import class_numbers, run_pictures, usable_rows

STAGE = "cross-validate"
OOF, TEST = "oof", "test"


@dataclass(frozen=True)
class CrossValidateSummary:
    """What came of it; ``log_loss`` in nats and ``temperatures`` by judge, of the labelled pairs."""

    networks: int
    planned: int
    pairs: int
    log_loss: dict[str, float]
    temperatures: dict[str, float]
    seconds: float
    finished: bool

    def text(self) -> str:
        """Readable summary."""
        if not self.finished:
            return f"stopped after {self.networks} of {self.planned} networks, the same command resumes"
        figures = ", ".join(
            f"{judge} {loss:.3f} (temperature {self.temperatures[judge]:.2f})" for judge, loss in self.log_loss.items()
        )
        return f"{self.networks} networks judged {self.pairs} labelled pairs that they had not seen; log loss {figures}"


def run_cross_validate(store: RunStore, config: RunConfig, *, progress: bool = True) -> CrossValidateSummary:
    """Train a network for each fold and seed, and write ``cross_validation.parquet``.

    Labelled pairs get the mean logits of the networks that did not see their fold, test pairs those of all networks.
    Probabilities are at a temperature that was fitted on other folds' pairs (test pairs: on all labelled ones).

    Raises:
        InputError: ``config.cross_validation`` is not given, or the labelled pairs cannot be learnt from.
        ArtifactError: SwAV weights are asked for, and are missing or of another network.
    """
    validation = config.cross_validation
    if validation is None:
        raise InputError(
            f"The configuration of {store.root} has no section cross_validation: add it, e.g. `cross_validation: {{}}`."
        )
    started = time.perf_counter()
    device = launch(config.finetune.accelerator, "32-true").device
    pictures, table, sensors = run_pictures(store, config, device, progress=progress)
    classes = tuple(store.info()["classes"])
    pairs = pairs_of(table, sensors, classes, pictures)
    recipe = Recipe(config.encoder, config.finetune, validation, classes, tuple(sensors))
    folds = plan_folds(store.root / "checkpoints" / STAGE, pairs, validation.seeds)
    judged: list[Judged] = []
    for number, fold in enumerate(folds, 1):
        told = f"network {number} of {len(folds)}"
        one = judge_fold(
            fold, pictures, pairs, recipe, source=swav_source(store, config.finetune), show=progress, description=told
        )
        if one is None:
            seconds = time.perf_counter() - started
            return CrossValidateSummary(number - 1, len(folds), 0, {}, {}, seconds, False)
        judged.append(one)
        if progress:
            print(f"{told} has judged {len(held_out(pairs, fold.fold))} labelled pairs", file=sys.stderr)  # noqa: T201
    found, temperatures = cross_validation_table(judged, pairs, recipe)
    if validation.channels:
        _ask_channels(store, config, folds, pictures, pairs, recipe, progress=progress)
    else:
        forget_channels(store, config, OOF)
    store.write_table("cross_validation", found)
    learnt = [len(fold_parts(fold, pairs, recipe)[0]) for fold in folds]
    store.update_info(temperatures=temperatures, labelled=round(float(np.mean(learnt))))
    own = found[found["split"] == OOF]
    numbers = {name: number for number, name in enumerate(classes)}
    losses = {
        str(judge): float(
            log_losses(np.stack(part["probabilities"].to_list()), part["label"].map(numbers).to_numpy(dtype=int)).mean()
        )
        for judge, part in own.groupby("sensor", sort=False)
    }
    seconds = time.perf_counter() - started
    count = int(own["pair_id"].nunique())
    return CrossValidateSummary(len(folds), len(folds), count, losses, temperatures, seconds, True)


def pairs_of(table: pd.DataFrame, sensors: Sequence[str], classes: Sequence[str], pictures: Pictures) -> Pairs:
    """The pairs of a manifest that have a picture that could be decoded."""
    ids, rows = usable_rows(table, sensors, pictures)
    first = table.groupby("pair_id")[["label", "fold", "group", "split"]].first().reindex(ids)
    return Pairs(
        ids,
        rows,
        class_numbers(first["label"], classes),
        first["fold"].to_numpy(dtype=np.int64),
        first["group"].fillna("").to_numpy(dtype=str),
        (first["split"] == TEST).to_numpy(dtype=bool),
    )


def cross_validation_table(
    judged: Sequence[Judged], pairs: Pairs, recipe: Recipe
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The table of the run directory, and the temperature of each judge.

    A network that learnt from one sensor judges the other one's images too (transfer), but not the pair.
    """
    several = len(used_slots(recipe.finetune, recipe.sensors)) > 1
    names = [*recipe.sensors, BOTH] if several else list(recipe.sensors)
    parts, temperatures = [], {}
    for name, one in zip(names, gather(judged, pairs, range(len(recipe.sensors)), joint=several), strict=True):
        if len(one.pairs) == 0:
            continue
        part, temperatures[name] = _judge_table(name, one, pairs, recipe.classes)
        parts.append(part)
    return pd.concat(parts, ignore_index=True), temperatures


def _judge_table(judge: str, found: Gathered, pairs: Pairs, classes: Sequence[str]) -> tuple[pd.DataFrame, float]:
    own = ~pairs.test[found.pairs]
    targets, folds = pairs.targets[found.pairs], pairs.folds[found.pairs]
    probabilities = np.empty_like(found.logits)
    probabilities[own], temperature = cross_fitted(found.logits[own], targets[own], folds[own])
    probabilities[~own] = scaled(found.logits[~own], temperature)
    best = probabilities.argmax(axis=1)
    table = pd.DataFrame(
        {
            "pair_id": [pairs.ids[place] for place in found.pairs],
            "sensor": judge,
            "logits": list(found.logits),
            "probabilities": list(probabilities),
            "prediction": [classes[number] for number in best],
            "confidence": probabilities.max(axis=1),
            "label": [classes[number] if number >= 0 else None for number in targets],
            "split": np.where(own, OOF, TEST),
            "fold": np.where(own, folds, -1),
        }
    )
    return table, temperature


def _ask_channels(
    store: RunStore,
    config: RunConfig,
    folds: Sequence[Fold],
    pictures: Pictures,
    pairs: Pairs,
    recipe: Recipe,
    *,
    progress: bool,
) -> None:
    """Ask each fold's network of the first seed about the fold's pairs, each band replaced in turn."""
    sensors = run_sensors(store)
    seen = [recipe.sensors[slot] for slot in used_slots(recipe.finetune, recipe.sensors)]
    parts = []
    for fold in folds:
        if fold.seed != folds[0].seed:
            continue
        chosen = held_out(pairs, fold.fold)
        learnt = np.flatnonzero(pairs.learnt & (pairs.folds != fold.fold))
        asked = JudgedPairs(
            [pairs.ids[place] for place in chosen],
            pairs.rows[chosen],
            pairs.targets[chosen],
            [OOF] * len(chosen),
            pairs.groups[chosen].tolist(),
        )
        parts.append(
            channel_table(
                ClassifierPredict(fold_network(fold, recipe, pictures.device)),
                pictures,
                asked,
                sensors,
                recipe.classes,
                band_means(pictures, pairs.rows[learnt]),
                seen=seen,
                batch_size=config.embed.batch_size,
                seed=config.seed,
                progress=progress,
            )
        )
    about: dict[str, Any] = {"judged_by": "each fold's network", "mean_over": "the other folds' pairs"}
    write_channels(store, config, pd.concat(parts, ignore_index=True), about, splits=(OOF,))
