"""The log of a training stage: metrics by step, and schedule events, in the run directory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.errors import ArtifactError
from rice_ssl.training.loggers import Logger

_COLUMNS = list(TABLES["metrics"].columns)


class MetricLog:
    """Collects a stage's metrics and events; ``flush`` puts them beside those of the other stages.

    Args:
        store: the run.
        stage: ``pretrain`` or ``finetune``.
        resume_step: what was logged at this step or later is dropped, as it is about to be done again; 0 drops all.
        writes: whether this process is the one that writes; the others of a training log nothing.
        loggers: told of every value, too.
    """

    def __init__(
        self,
        store: RunStore,
        stage: str,
        resume_step: int = 0,
        *,
        writes: bool = True,
        loggers: Sequence[Logger] = (),
    ) -> None:
        """Take up what the run has logged before ``resume_step``."""
        self.store, self.stage, self.writes, self.loggers = store, stage, writes, loggers
        self._rows: list[tuple[str, int, float, str, str, float]] = []
        self._events: list[dict[str, Any]] = []
        if not writes:
            return
        store.clear_leftovers()
        if store.has("metrics"):
            noted = self._noted()
            kept = noted[(noted["stage"] == stage) & (noted["step"] < resume_step)]
            self._rows = list(kept[_COLUMNS].itertuples(index=False, name=None))
        self._events = [e for e in store.events() if e.get("stage") == stage and e.get("step", 0) < resume_step]

    def _noted(self) -> pd.DataFrame:
        """The table as it is on disk.

        A process killed between writing the table and noting its hash leaves the two apart. The table is whole all the
        same (it is renamed into place), so its hash is noted again; a table that cannot be read is still refused.
        """
        try:
            return self.store.read_table("metrics")
        except ArtifactError:
            self.store.note_hash(TABLES["metrics"].file)
            return self.store.read_table("metrics")

    def add(self, step: int, epoch: float, split: str, **values: float) -> None:
        """Log named values at a step; those that are not finite are left out."""
        finite = {name: float(value) for name, value in values.items() if math.isfinite(value)}
        self._rows += [(self.stage, step, epoch, split, name, value) for name, value in finite.items()]
        for logger in self.loggers:
            logger.log(step, {f"{split}/{name}": value for name, value in finite.items()})

    def event(self, kind: str, step: int, epoch: float, detail: str) -> None:
        """Log a schedule event."""
        self._events.append({"stage": self.stage, "kind": kind, "step": step, "epoch": epoch, "detail": detail})

    def frame(self) -> pd.DataFrame:
        """This stage's metrics so far."""
        return pd.DataFrame(self._rows, columns=_COLUMNS)

    def flush(self) -> None:
        """Write metrics and events atomically; other stages' rows stay."""
        if not self.writes:
            return
        frames = [self.frame()]
        if self.store.has("metrics"):
            noted = self._noted()
            frames.insert(0, noted[noted["stage"] != self.stage])
        frames = [frame for frame in frames if len(frame)]
        if frames:
            self.store.write_table("metrics", pd.concat(frames, ignore_index=True))
        others = [event for event in self.store.events() if event.get("stage") != self.stage]
        self.store.write_events([*others, *self._events])

    def close(self) -> None:
        """Close the other loggers; the run directory needs no closing."""
        for logger in self.loggers:
            logger.close()
