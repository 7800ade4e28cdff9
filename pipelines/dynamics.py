"""Where the loss dropped and which event of the recipe that coincides with: of a run's own log, or of any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.dynamics.analysis import Dynamics, analyse
from rice_ssl.dynamics.generalisation import early_generalisation
from rice_ssl.dynamics.logs import log_of_run
from rice_ssl.dynamics.loss_settings import settings_of_run
from rice_ssl.dynamics.read_log import read_log
from rice_ssl.dynamics.recipe import Recipe
from rice_ssl.dynamics.recipe_settings import recipe_from_mapping
from rice_ssl.dynamics.run_log import analyse_run_log
from rice_ssl.dynamics.verdict import SENTENCES
from rice_ssl.errors import ArtifactError, InputError
from rice_ssl.run_config import config_to_dict


@dataclass(frozen=True)
class LogAnalysis:
    """What a log shows: the fields of dynamics.json.

    Each drop has split, step, step_low, step_high, size, size_in_noise, share, p_null, tolerance, events and p_chance.
    """

    source: str
    metric: str
    unit: str
    drops: list[dict[str, Any]]
    verdict: str
    evidence: list[str]
    missing: list[str]
    events: list[dict[str, Any]]
    notes: list[str]
    generalisation: dict[str, Any]

    def text(self) -> str:
        """Readable summary."""
        lines = [f"{SENTENCES.get(self.verdict, self.verdict)} (verdict: {self.verdict})"]
        for title, sentences in (
            ("Evidence", self.evidence),
            ("What would decide it", self.missing),
            ("Validation and training", [self.generalisation["sentence"]]),
            ("Log", self.notes),
        ):
            if sentences:
                lines += [f"{title}:", *(f"  - {sentence}" for sentence in sentences)]
        return "\n".join(lines)


class DynamicsSummary(LogAnalysis):
    """The same, of a run's own log, as written to its dynamics.json."""


def run_dynamics(store: RunStore, config: RunConfig, *, progress: bool = True) -> DynamicsSummary:
    """Search a run's pretraining log for drops and write dynamics.json.

    Args:
        store: the run; its metrics.parquet must be there.
        config: the run's configuration.
        progress: accepted for uniformity; it takes a second or two.

    Raises:
        ArtifactError: the log is missing or cannot be read.
        InputError: nothing usable was logged.
    """
    del progress
    _refuse_foreign_weights(store)
    metrics, settings = store.read_table("metrics"), config_to_dict(config)
    found = analyse_run_log(
        metrics,
        store.events(),
        stage="pretrain",
        config=settings,
        confidence=config.dynamics.confidence,
        bootstrap=config.dynamics.bootstrap,
        seed=config.seed,
    )
    document = found.document()
    document["generalisation"] = early_generalisation(
        log_of_run(metrics, "pretrain"), recipe=settings_of_run(settings, "pretrain"), seed=config.seed
    ).document()
    store.write_document("dynamics", document)
    return DynamicsSummary(**document)


def analyse_log(
    path: Path,
    *,
    recipe: Path | None = None,
    metric: str = "loss",
    step_column: str | None = None,
    loss_columns: dict[str, str] | None = None,
) -> LogAnalysis:
    """Search the log of any program for drops.

    Args:
        path: CSV, JSON lines, or TensorBoard event files, see :func:`rice_ssl.dynamics.read_log.parse_log`.
        recipe: YAML of settings, see :func:`rice_ssl.dynamics.recipe_settings.recipe_from_mapping`.
        metric: to search; lower is better.
        step_column: name of the step or epoch column, when it is not recognised.
        loss_columns: column, key or tag -> split (``train`` or ``val``), when they are not recognised.

    Raises:
        InputError: the log or the recipe cannot be used; the message is one sentence.
    """
    settings, notes = _read_recipe(recipe) if recipe is not None else (Recipe(), ())
    log = read_log(path, step_column=step_column, loss_columns=loss_columns)
    found: Dynamics = analyse(log, metric=metric, events=settings.schedule(log.unit), floors=settings.entropy_floors())
    document = found.document()
    document["notes"] += [*notes, *settings.unplaced(log.unit)]
    document["generalisation"] = early_generalisation(log, metric=metric, recipe=settings).document()
    return LogAnalysis(**document)


def refuse_options(log: Path, options: Mapping[str, object]) -> None:
    """Refuse what holds for CSV logs alone where a run is analysed.

    Args:
        log: the run directory, or its YAML.
        options: of the command line -> value, None where it was not given.

    Raises:
        InputError: one was given.
    """
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise InputError(
            f"{' and '.join(given)} cannot be used with the run {log}, whose own log and events are analysed: "
            f"leave {'it' if len(given) == 1 else 'them'} out, or name a CSV log."
        )


def _refuse_foreign_weights(store: RunStore) -> None:
    """Say where the log is when the run's weights, and so their log, are another run's."""
    info = store.info() if store.exists else {}
    if info.get("weights_from") and not store.has("metrics"):
        raise ArtifactError(
            f"{store.root} was not trained: its weights and their log are those of the run {info['weights_from']}. "
            f"Analyse that one: `rice-ssl dynamics {info.get('weights_run', 'RUN')}`."
        )


def _read_recipe(path: Path) -> tuple[Recipe, tuple[str, ...]]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"Recipe {path} cannot be read ({error}). Give the path of a YAML file.") from None
    except yaml.YAMLError as error:
        raise InputError(f"Recipe {path} is not YAML ({' '.join(str(error).split())}). Correct it there.") from None
    return recipe_from_mapping(content, f"Recipe {path.name}")
