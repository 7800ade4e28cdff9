"""Early generalisation: where validation loss lies below training loss, for how long, and what is known about why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.below_stretches import (
    Crossing,
    Estimate,
    Resampling,
    Stretch,
    block_mean,
    crossing_of,
    stretches_below,
)
from rice_ssl.dynamics.generalisation_causes import Cause, causes_of
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.dynamics.loss_settings import LossSettings, settings_of_recipe
from rice_ssl.dynamics.paired_losses import PairedLosses, pair_losses
from rice_ssl.dynamics.recipe import Recipe
from rice_ssl.errors import InputError

Where = Literal["nowhere", "early", "throughout", "scattered", "not known"]
THROUGHOUT = 0.9
"""Share of the rows from which on validation lies below training throughout."""
SURE = 0.05
"""Chance of as clear an order of the rows up to which a part of the log counts as early."""
MOST_SHOWN = 2000
"""Rows, and a fortieth of it stretches, that a document holds: a picture shows no more."""


@dataclass(frozen=True)
class Generalisation:
    """Where validation loss lies below training loss.

    Attributes:
        metric: compared; lower is better.
        unit: of the steps.
        paired: the losses, one row for each validation.
        where: ``early`` (below up to a crossing, above behind it, in an order that chance gives at most once in 20),
            ``throughout`` (in nine of ten rows or more), ``nowhere``, ``scattered``, or ``not known``.
        stretches: in which it lies below, as logged.
        main: the longest stretch; where ``early``, all rows from the first that lies below to the crossing.
        share: of the rows that lie below.
        length: of what lies below, rows times their distance, in the log's unit.
        crossing: from which on it lies above.
        averaged: how much of the main stretch's gap is the age of the training values; None where not known.
        corrected_gap: mean gap of the main stretch with the corrected training loss; None where not known.
        corrected_stretches: as ``stretches``, with the corrected training loss.
        corrected_share: as ``share``, likewise, of the rows that have one.
        causes: what log and recipe say about each.
        nothing: sentence on why nothing could be compared; empty where it could.
    """

    metric: str
    unit: str
    paired: PairedLosses
    where: Where
    stretches: tuple[Stretch, ...] = ()
    main: Stretch | None = None
    share: float | None = None
    length: float = 0.0
    crossing: Crossing | None = None
    averaged: Estimate | None = None
    corrected_gap: Estimate | None = None
    corrected_stretches: tuple[Stretch, ...] = ()
    corrected_share: float | None = None
    causes: tuple[Cause, ...] = ()
    nothing: str = ""

    @property
    def sentence(self) -> str:
        """The finding."""
        rows, main, unit = len(self.paired.steps), self.main, self.unit
        if self.share is None:
            return self.nothing
        below = round(self.share * rows)
        if main is None:
            above = -float((self.paired.train - self.paired.val).mean())
            return (
                f"Validation loss lies below training loss nowhere: in none of {rows} rows; it is {above:.3g} higher."
            )
        gap = main.mean_gap
        interval = "" if gap.low is None or gap.high is None else f" ({gap.low:.3g} to {gap.high:.3g})"
        span = f"at {unit} {main.start:,g}"
        if main.rows > 1:
            span = f"from {unit} {main.start:,g} to {main.stop:,g}"
        said = (
            f"Validation loss lies below training loss in {below} of {rows} rows ({self.share:.0%}), {self._place()}: "
            f"{span} by {gap.value:.3g} nats on average{interval}, "
            f"{main.largest_gap:.3g} at most"
        )
        if self.where != "early" or self.crossing is None:
            return f"{said}."
        cross = self.crossing
        later = int((self.paired.train > self.paired.val)[self.paired.steps > cross.step].sum())
        but = f", but for {later} row{'' if later == 1 else 's'}, the last at {cross.last_below:,g}" if later else ""
        return f"{said}; from {unit} {cross.step:,g} ({cross.low:,g} to {cross.high:,g}) on it lies above{but}."

    def _place(self) -> str:
        return {"early": "early only", "throughout": "throughout"}.get(self.where, "here and there, longest")

    def document(self) -> dict[str, Any]:
        """As JSON: what dynamics.json holds under ``generalisation``."""
        every = -(-len(self.paired.steps) // MOST_SHOWN) or 1
        curves = {"step": self.paired.steps, "val": self.paired.val, "train": self.paired.train}
        curves |= {"beside": self.paired.beside, "corrected": self.paired.corrected}
        longest = sorted(self.stretches, key=lambda stretch: -stretch.rows)[: MOST_SHOWN // 40]
        return {
            "metric": self.metric,
            "unit": self.unit,
            "sentence": self.sentence,
            "where": self.where,
            "rows": len(self.paired.steps),
            "share": self.share,
            "length": self.length,
            "main": None if self.main is None else self.main.document(),
            "stretches": [stretch.document() for stretch in sorted(longest, key=lambda stretch: stretch.start)],
            "stretches_found": len(self.stretches),
            "crossing": None if self.crossing is None else self.crossing.document(),
            "averaging": self.paired.averaging,
            "averaged": None if self.averaged is None else self.averaged.document(),
            "corrected_gap": None if self.corrected_gap is None else self.corrected_gap.document(),
            "corrected_share": self.corrected_share,
            "corrected_stretches_found": len(self.corrected_stretches),
            "causes": [cause.document() for cause in self.causes],
            "curves": {name: _plain(values[::every]) for name, values in curves.items()},
        }


def early_generalisation(
    log: TrainingLog,
    *,
    metric: str = "loss",
    recipe: Recipe | LossSettings | None = None,
    confidence: float = 0.95,
    bootstrap: int = 1000,
    seed: int = 0,
) -> Generalisation:
    """Find where validation loss lies below training loss, and say what can be said about why.

    Args:
        log: with the metric in train and val.
        metric: a name in the log, in nats; lower is better.
        recipe: dropout, label smoothing, MixUp, classes and what the logged training loss is an average of.
        confidence: of the intervals, in (0, 1).
        bootstrap: resamples, >= 1.
        seed: of every draw.

    Returns:
        The result; where there is nothing to compare, it says why in ``nothing``.

    Raises:
        InputError: the log has no such metric.
    """
    splits = log.splits(metric)
    if not splits:
        raise InputError(f"{log.source} has no metric {metric!r}; it has {', '.join(log.metrics()) or 'none'}.")
    settings = recipe if isinstance(recipe, LossSettings) else settings_of_recipe(recipe or Recipe())
    paired = pair_losses(log, metric, settings)
    lacking = {"train", "val"} - set(splits)
    if lacking:
        nothing = f"Training and validation cannot be compared: the log has no {lacking.pop()} {metric}."
        return Generalisation(metric, log.unit, paired, "not known", nothing=nothing)
    if len(paired.steps) < 2:
        nothing = f"Training and validation cannot be compared: they share {len(paired.steps)} of the two rows needed."
        return Generalisation(metric, log.unit, paired, "not known", nothing=nothing)
    draws = Resampling(confidence, bootstrap, seed)
    steps, gaps = paired.steps, paired.train - paired.val
    stretches = stretches_below(steps, gaps, draws)
    crossing = crossing_of(steps, gaps > 0, draws)
    share = float((gaps > 0).mean())
    where = _where(share, crossing)
    rows = _main_rows(steps, gaps, stretches, crossing if where == "early" else None)
    main, averaged, corrected = None, None, None
    if len(rows):
        mean = block_mean(gaps[rows], draws)
        main = Stretch(float(steps[rows[0]]), float(steps[rows[-1]]), len(rows), mean, float(gaps[rows].max()))
        known = rows[np.isfinite(paired.corrected[rows])]
        if len(known):
            averaged = block_mean((paired.train - paired.corrected)[known], draws)
            corrected = block_mean((paired.corrected - paired.val)[known], draws)
    known_gaps = (paired.corrected - paired.val)[np.isfinite(paired.corrected)]
    causes = causes_of(paired.val[rows], main.mean_gap.value, averaged, paired.averaging, settings) if main else []
    return Generalisation(
        metric,
        log.unit,
        paired,
        where,
        stretches,
        main,
        share,
        float((gaps > 0).sum() * np.median(np.diff(steps))),
        crossing,
        averaged,
        corrected,
        stretches_below(steps, paired.corrected - paired.val, draws),
        float((known_gaps > 0).mean()) if len(known_gaps) else None,
        tuple(causes),
    )


def _where(share: float, crossing: Crossing | None) -> Where:
    if share == 0:
        return "nowhere"
    if crossing is not None and crossing.p_chance <= SURE:
        return "early"
    return "throughout" if share >= THROUGHOUT else "scattered"


def _main_rows(
    steps: npt.NDArray[np.float64],
    gaps: npt.NDArray[np.float64],
    stretches: tuple[Stretch, ...],
    crossing: Crossing | None,
) -> npt.NDArray[np.intp]:
    """Rows of the stretch that the finding speaks of; before a crossing rows above may lie within it."""
    if not stretches:
        return np.array([], np.intp)
    longest = max(stretches, key=lambda stretch: (stretch.rows, stretch.mean_gap.value))
    chosen = (steps >= longest.start) & (steps <= longest.stop)
    if crossing is not None:
        early = steps < crossing.step
        first = steps[early & (gaps > 0)][0]
        chosen = early & (steps >= first)
    return np.flatnonzero(chosen)


def _plain(values: npt.NDArray[np.float64]) -> list[float | None]:
    """As JSON, which has no NaN."""
    return [float(value) if np.isfinite(value) else None for value in values]
