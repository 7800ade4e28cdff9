"""``rice-ssl channels``: what a run's classifier answers when a band of its pictures is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from pipelines.figure_text import figure_text
from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.attribution.band_values import REPLACEMENTS, band_means, source_as_dict
from rice_ssl.attribution.channels import JudgedPairs, channel_table
from rice_ssl.attribution.predict import ClassifierPredict
from rice_ssl.config import RunConfig
from rice_ssl.data.manifest import sensor_from_dict
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.evaluation.channel_summary import channel_summary
from rice_ssl.models.classifier import build_classifier, used_slots
from rice_ssl.models.weights import load_ready
from rice_ssl.run_config import config_of_run
from rice_ssl.sensors import FUSED, Sensor
from rice_ssl.training.batches import Pictures
from rice_ssl.training.device import launch
from rice_ssl.training.run_pictures import class_numbers, run_pictures, usable_rows

JUDGED = ("val", "test")
_ORDER = {"oof": 0, "val": 1, "test": 2}
TRAINING_PAIRS, JUDGED_PAIRS = "the training pairs", "the judged pairs"


@dataclass(frozen=True)
class ChannelsSummary:
    """Pairs asked about, the figures of ``channels.json``, and pictures of the run that could not be decoded."""

    pairs: int
    questions: list[dict[str, Any]]
    faults: int

    def text(self) -> str:
        """Readable summary."""
        faults = f"; {self.faults} pictures could not be decoded" if self.faults else ""
        lines = [f"{self.pairs} pairs{faults}; share of predictions that became another one"]
        for one in self.questions:
            share, joint = one["flipped"], one["joint"]
            pair = "" if joint is None else f"   pair {figure_text(joint['flipped'])}"
            replaced = f"{one['band']} by {one['replacement'].replace('_', ' ')}"
            lines.append(f"{one['split']:5} {one['sensor']:6} {replaced:30} {figure_text(share)}{pair}")
        return "\n".join(lines)


def run_channels(store: RunStore, config: RunConfig, *, progress: bool = True) -> ChannelsSummary:
    """Ask the run's classifier about its validation and test pairs, each band replaced in turn.

    A band's mean is over the training pairs; over the pairs that are judged where the run has no training pair (a run
    with another one's weights).

    Raises:
        ArtifactError: there is no classifier, or no manifest.
        InputError: there is no validation or test pair, or no picture can be decoded.
    """
    device = launch(config.embed.accelerator, "32-true").device
    classes, predict, seen = load_predict(store, device)
    pictures, table, names = run_pictures(store, config, device, progress=progress)
    sensors = run_sensors(store)
    judged = judged_pairs(table[table["split"].isin(JUDGED)], names, classes, pictures)
    if not judged.ids:
        raise InputError(f"{store.root} has no validation or test pair to ask about: import more labelled pairs.")
    _, rows = usable_rows(table[table["split"] == "train"], names, pictures)
    over, rows = (TRAINING_PAIRS, rows) if len(rows) else (JUDGED_PAIRS, judged.rows)
    means = band_means(pictures, rows)
    found = channel_table(
        predict,
        pictures,
        judged,
        sensors,
        classes,
        means,
        seen=seen,
        batch_size=config.embed.batch_size,
        seed=config.seed,
        progress=progress,
    )
    by_band = {
        sensor.name: {band: float(mean) for band, mean in zip(sensor.bands, own, strict=True) if np.isfinite(mean)}
        for sensor, own in zip(sensors, means, strict=True)
    }
    faults = len(pictures.cache.faults)
    about = {"judged_by": "the run's classifier", "mean_over": over, "means": by_band, "faults": faults}
    questions = write_channels(store, config, found, about, splits=JUDGED)
    return ChannelsSummary(int(found["pair_id"].nunique()), questions, faults)


def load_predict(store: RunStore, device: torch.device) -> tuple[list[str], ClassifierPredict, list[str]]:
    """A run's own classifier, or that of the run whose weights it uses.

    Returns:
        Names of its classes, the classifier, and the sensors whose pictures it learnt from.

    Raises:
        ArtifactError: there is none, its run is not where it was, or it joins pictures of other sensors.
        InputError: it learnt from a sensor that this run does not have.
    """
    source = store.source_of_weights()
    if not source.exists:
        raise ArtifactError(
            f"{store.root} was made with the weights of the run {source.root}, which is not there: put it back, or "
            f"name it where it is now with `rice-ssl embed {store.root} --weights RUN`."
        )
    trained, classes, made_by = (
        config_of_run(source),
        list(source.info()["classes"]),
        f"rice-ssl finetune {source.root}",
    )
    own, learnt = ([sensor.name for sensor in run_sensors(one)] for one in (store, source))
    if trained.finetune.sensors == FUSED and own != learnt:
        raise ArtifactError(
            f"The classifier of {source.root} joins pictures of {', '.join(learnt)}, and {store.root} has "
            f"{', '.join(own)}: import the images with the same sensors in the same order."
        )
    slots = used_slots(trained.finetune, own)
    classifier = build_classifier(trained.encoder, trained.finetune, len(classes), learnt)
    load_ready(classifier, source.checked_weights("classifier", made_by), device, made_by=made_by)
    return classes, ClassifierPredict(classifier), [own[slot] for slot in slots]


def run_sensors(store: RunStore) -> list[Sensor]:
    """The sensors of a run."""
    return [sensor_from_dict(entry) for entry in store.info()["sensors"]]


def judged_pairs(
    table: pd.DataFrame, sensors: Sequence[str], classes: Sequence[str], pictures: Pictures
) -> JudgedPairs:
    """Pairs of some rows of a manifest, with the index of the whole, that have a picture that could be decoded."""
    ids, rows = usable_rows(table, sensors, pictures)
    first = table.groupby("pair_id")[["label", "split", "group"]].first().reindex(ids).fillna({"group": ""})
    targets = class_numbers(first["label"], classes)
    return JudgedPairs(ids, rows, targets, first["split"].tolist(), first["group"].tolist())


def write_channels(
    store: RunStore, config: RunConfig, table: pd.DataFrame, about: dict[str, Any], *, splits: Sequence[str]
) -> list[dict[str, Any]]:
    """Write ``channels.parquet`` and ``channels.json``; what they hold of other splits stays.

    Args:
        store: the run.
        config: its configuration.
        table: from :func:`rice_ssl.attribution.channels.channel_table`, of pairs of ``splits``.
        about: what is noted of each of its splits: ``judged_by`` and ``mean_over`` (in words), and what else there is.
        splits: whose former rows are dropped, also where ``table`` has none of them.

    Returns:
        The figures of all splits, as :func:`rice_ssl.evaluation.channel_summary.channel_summary` gives them.
    """
    kept, noted = _other_splits(store, splits)
    noted |= {str(split): about for split in dict.fromkeys(table["split"])}
    whole = pd.concat([kept, table], ignore_index=True) if len(kept) else table
    whole = whole.sort_values("split", key=lambda names: names.map(_ORDER), kind="stable", ignore_index=True)
    sensors = run_sensors(store)
    questions = channel_summary(
        whole, bootstrap=config.evaluate.bootstrap, confidence=config.evaluate.confidence, seed=config.seed
    )
    over = " or ".join(dict.fromkeys(str(one["mean_over"]) for one in noted.values()))
    store.remove("channels.json")  # a call cut short leaves no figures of another table
    store.write_table("channels", whole)
    store.write_document(
        "channels",
        {
            "confidence": config.evaluate.confidence,
            "bootstrap": config.evaluate.bootstrap,
            "seed": config.seed,
            "replacements": {name: words.format(mean_over=over) for name, words in REPLACEMENTS.items()},
            "sources": [
                source
                for slot, sensor in enumerate(sensors)
                for band in range(len(sensor.bands))
                if (source := source_as_dict(sensors, slot, band)) is not None
            ],
            "splits": noted,
            "questions": questions,
        },
    )
    return questions


def forget_channels(store: RunStore, config: RunConfig, split: str) -> None:
    """Drop what ``channels.parquet`` and ``channels.json`` hold of a split, which no longer holds."""
    if not store.has("channels"):
        return
    table = store.read_table("channels")
    if not (table["split"] == split).any():
        return
    if (table["split"] == split).all():
        store.remove("channels.json", TABLES["channels"].file)
    else:
        write_channels(store, config, table.iloc[:0], {}, splits=(split,))


def _other_splits(store: RunStore, replaced: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rows and notes of the splits that stay; nothing where they cannot be read."""
    try:
        table, noted = store.read_table("channels"), store.read_document("channels")["splits"]
    except (ArtifactError, KeyError):
        return pd.DataFrame(columns=list(TABLES["channels"].columns)), {}
    kept = {split: about for split, about in noted.items() if split not in replaced}
    return table[table["split"].isin(list(kept))], kept
