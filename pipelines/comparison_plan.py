"""The classifiers of a comparison: which there are, how each is configured, and whether it is done."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.run import images_changed
from pipelines.stages import STAGES, fingerprints, is_current
from rice_ssl.artifacts import RunStore
from rice_ssl.config import ComparisonConfig, RunConfig
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.run_config import parse_config
from rice_ssl.sensors import FUSED, SHARED

_WORDS = {"swav": "SwAV weights", "encoder": "given weights", "random": "random weights"}


@dataclass(frozen=True)
class Condition:
    """One classifier of a comparison, cross-validated."""

    sensors: str
    start: str
    label_fraction: float
    run: RunConfig

    @property
    def title(self) -> str:
        """How it is called on screen."""
        labels = "" if self.label_fraction >= 1 else f", {100 * self.label_fraction:g}% of the labels"
        return f"{self.sensors}, {_WORDS[self.start]}{labels}"

    @property
    def store(self) -> RunStore:
        """Its run directory."""
        return RunStore(Path(self.run.run))

    def is_current(self, stage: str) -> bool:
        """Whether a stage is done, by whichever process, of these settings and data."""
        try:
            if images_changed(self.store, self.run):
                return False
            wanted = fingerprints(self.store, self.run)[stage]
            return is_current(self.store, stage, wanted, STAGES[stage].outputs)
        except ArtifactError:
            return False


def plan_conditions(config: ComparisonConfig) -> list[Condition]:
    """The classifiers: all sensors from each start first, then those with fewer labels, the least first."""
    wanted = [(sensors, start, 1.0) for start in config.starts for sensors in config.sensors]
    shares = sorted(config.label_fractions)
    wanted += [(config.label_sensors, start, share) for share in shares for start in config.starts]
    return [Condition(*one, condition_config(config, *one)) for one in wanted]


def pretrain_config(config: ComparisonConfig) -> RunConfig:
    """The run whose SwAV weights the classifiers start from."""
    folds = {"folds": config.pretrain_folds, "validation_fold": 0}
    changes: dict[str, Any] = {"finetune": {}, "cross_validation": None}  # the classifiers' own
    run = (Path(config.out) / "pretraining").as_posix()
    return _config(config, "SwAV weights", {"run": run, **changes}, data=folds)


def condition_config(config: ComparisonConfig, sensors: str, start: Any, label_fraction: float) -> RunConfig:
    """Configuration of one classifier.

    Raises:
        InputError: it does not validate; the message names the classifier.
    """
    labels = "" if label_fraction >= 1 else f"-{100 * label_fraction:g}-percent"
    folder = f"{sensors}-{start}{labels}".replace(".", "-")
    finetune = {**_section(config, "finetune"), **config.finetune.get(start, {}), "start": start, "sensors": sensors}
    if start == "swav":
        finetune["swav_run"] = (Path(config.out) / "pretraining").as_posix()
    if sensors != FUSED:
        finetune.pop("sensor_dropout", None)
    if sensors != SHARED:
        finetune.pop("mix_across", None)
    changes = {
        "run": (Path(config.out) / "runs" / folder).as_posix(),
        "finetune": finetune,
        "cross_validation": {**_section(config, "cross_validation"), "label_fraction": label_fraction},
    }
    return _config(config, f"{sensors}, {_WORDS[start]}{labels}", changes)


def _config(
    config: ComparisonConfig, name: str, changes: dict[str, Any], data: dict[str, Any] | None = None
) -> RunConfig:
    where = {"cache": (Path(config.out) / "cache").as_posix(), **_section(config, "data"), **(data or {})}
    content = {**copy.deepcopy(config.settings), "data": where, "seed": config.seed, "name": f"{config.name}: {name}"}
    return parse_config({**content, **changes}, f"{name!r} of comparison {config.name!r}")


def _section(config: ComparisonConfig, name: str) -> dict[str, Any]:
    found = copy.deepcopy(config.settings.get(name, {}))
    if not isinstance(found, dict):
        raise InputError(f"settings.{name} of comparison {config.name!r} is {found!r}: give a mapping of settings.")
    return found
