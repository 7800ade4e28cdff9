"""Analyse one stage of a run directory from its tables, for the pipeline and the dashboard alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rice_ssl.dynamics.analysis import Dynamics, analyse
from rice_ssl.dynamics.events import events_of_run
from rice_ssl.dynamics.logs import log_of_run
from rice_ssl.dynamics.recipe import Recipe


def analyse_run_log(
    metrics: pd.DataFrame,
    entries: Sequence[Mapping[str, Any]],
    *,
    stage: str,
    config: Mapping[str, Any] | None = None,
    metric: str = "loss",
    confidence: float = 0.95,
    bootstrap: int = 500,
    seed: int = 0,
) -> Dynamics:
    """Drops, events and verdict of one stage of a run.

    Args:
        metrics: the run's metrics table.
        entries: the run's events (events.jsonl).
        stage: ``pretrain`` or ``finetune``.
        config: the run's configuration as run.json holds it; its ``pretrain`` section gives the entropy floors.
        metric: to search.
        confidence: of the drops' intervals.
        bootstrap: resamples for the intervals.
        seed: of every draw.

    Raises:
        InputError: nothing usable was logged in that stage, or not that metric.
    """
    return analyse(
        log_of_run(metrics, stage),
        metric=metric,
        events=events_of_run(entries, stage),
        floors=floors_of_config(config or {}) if stage == "pretrain" else None,
        source=stage,
        confidence=confidence,
        bootstrap=bootstrap,
        seed=seed,
    )


def floors_of_config(config: Mapping[str, Any]) -> tuple[float, float] | None:
    """Entropy floors without and with the queue that a configuration implies, in nats; None when it does not say."""
    section = config.get("pretrain")
    if not isinstance(section, Mapping):
        return None
    counts = [section.get(name) for name in ("prototypes", "batch_size", "queue_length")]
    prototypes, batch, length = (
        n if isinstance(n, int) and not isinstance(n, bool) and n > 0 else None for n in counts
    )
    if prototypes is None or batch is None or length is None:
        return None
    return Recipe(prototypes=prototypes, batch_size=batch, queue_length=length).entropy_floors()
