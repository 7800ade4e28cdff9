"""Three figures of a run's prototypes: flow between the sensors, what one tells of the other, and purity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rice_ssl.evaluation.assignment_flow import AssignmentAgreement, assignment_agreement, paired_assignments
from rice_ssl.evaluation.prototype_purity import Purity, overall_purity
from rice_ssl.evaluation.prototypes import perplexity, prototype_table

NARROW = 0.5
"""A sensor that uses less than this share of the other's effective number of prototypes uses few."""


@dataclass(frozen=True)
class PrototypeFigures:
    """The figures, each with its interval and its null.

    Attributes:
        table: see :func:`rice_ssl.evaluation.prototypes.prototype_table`.
        sensors: names in order.
        effective: effective number of prototypes of each sensor's images (perplexity).
        agreement: of the first two sensors; None where no pair has both.
        purity: None where no image is labelled.
    """

    table: pd.DataFrame
    sensors: tuple[str, ...]
    effective: dict[str, float]
    agreement: AssignmentAgreement | None
    purity: Purity | None

    @property
    def cautions(self) -> tuple[str, ...]:
        """Sentences on how a figure would be misread here."""
        return tuple(_cautions(self))

    @property
    def dead(self) -> int:
        """Prototypes without an image."""
        return int(self.table["dead"].sum())

    @property
    def lone(self) -> tuple[int, int]:
        """Prototypes that hold images of one sensor only, and those of them that do so beyond chance."""
        return int(self.table["only"].notna().sum()), int(self.table["only_beyond_chance"].sum())


def prototype_figures(
    assignments: pd.DataFrame, labels: pd.Series, prototypes: int, sensors: Sequence[str], *, seed: int = 0
) -> PrototypeFigures:
    """The figures of a run.

    Args:
        assignments: columns ``pair_id``, ``sensor``, ``prototype``.
        labels: label of each pair, indexed by pair_id; null where unknown.
        prototypes: K.
        sensors: names in order.
        seed: of shuffles and bootstraps.
    """
    table = prototype_table(assignments, labels, prototypes, sensors)
    effective = {name: perplexity(table[name].to_numpy()) for name in sensors}
    agreement = None
    if len(sensors) > 1:
        pairs = paired_assignments(assignments, sensors[0], sensors[1])
        if len(pairs):
            agreement = assignment_agreement(pairs["first"].to_numpy(), pairs["second"].to_numpy(), seed=seed)
    purity = overall_purity(assignments, labels, seed=seed)
    return PrototypeFigures(table, tuple(sensors), effective, agreement, purity)


def _cautions(figures: PrototypeFigures) -> list[str]:
    """What a reader of the bare figures would get wrong."""
    found = []
    agreement, purity = figures.agreement, figures.purity
    lone, beyond = figures.lone
    if agreement is not None:
        few, many = sorted(figures.sensors[:2], key=lambda name: figures.effective[name])
        sizes = figures.effective[few], figures.effective[many]
        if sizes[0] < NARROW * sizes[1]:
            found.append(
                f"The {few} images share {sizes[0]:.1f} prototypes in effect, the {many} images {sizes[1]:.1f}: the "
                "encoder hardly tells the former apart, and a low agreement says no more than that."
            )
        if agreement.nmi_beyond_chance and not agreement.beyond_chance:
            found.append(
                "The prototype of one image tells that of the other, but it is another one: the sensors are grouped "
                "alike and apart."
            )
        if agreement.pairs and agreement.null_mean > 0.2:
            found.append(
                f"Shuffled pairs agree in {100 * agreement.null_mean:.0f}% already, as few prototypes hold most images."
            )
        if beyond > 0.25 * max(1, int((~figures.table["dead"]).sum())):
            found.append(
                f"{beyond} prototypes hold one sensor only, beyond chance: a pair that has one of them cannot agree, "
                "and their purity is of one sensor's images."
            )
    if purity is not None and purity.base > 0.5:
        found.append(f"{100 * purity.base:.0f}% of the labelled images have one label, so that purity cannot be lower.")
    return found


def markdown_table(runs: dict[str, PrototypeFigures]) -> str:
    """The figures of several runs side by side, with 95% intervals in brackets and chance after them."""
    lines: dict[str, list[str]] = {}
    for figures in runs.values():
        used, (lone, beyond) = len(figures.table) - figures.dead, figures.lone
        agreement, purity = figures.agreement, figures.purity
        cells = {
            "Prototypes used, of all": f"{used} of {len(figures.table)}",
            "Effective number by sensor": ", ".join(f"{n} {v:.1f}" for n, v in figures.effective.items()),
            "One sensor only (beyond chance)": f"{lone} ({beyond})",
            "Both images of a pair in one prototype": "no pairs"
            if agreement is None
            else f"{_span(100, agreement.rate, agreement.low, agreement.high, 1)}%; shuffled "
            f"{_span(100, agreement.null_mean, agreement.null_low, agreement.null_high, 1)}%",
            "NMI of the two sensors": "no pairs"
            if agreement is None
            else f"{_span(1, agreement.nmi, agreement.nmi_low, agreement.nmi_high, 3)}; shuffled "
            f"{_span(1, agreement.nmi_null, agreement.nmi_null_low, agreement.nmi_null_high, 3)}",
            "Purity, all prototypes": "no labels"
            if purity is None
            else f"{_span(100, purity.value, purity.low, purity.high, 1)}%; labels shuffled "
            f"{_span(100, purity.null_mean, purity.null_low, purity.null_high, 1)}%",
            "Purity of a prototype, median (quartiles)": _quartiles(figures.table),
            "Pure beyond the run's mix": _pure(figures),
        }
        for name, text in cells.items():
            lines.setdefault(name, []).append(text)
    head = ["", *runs]
    rows = [head, ["---"] * len(head), *([name, *texts] for name, texts in lines.items())]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _span(scale: float, value: float, low: float, high: float, digits: int) -> str:
    value, low, high = scale * value, scale * low, scale * high
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _quartiles(table: pd.DataFrame) -> str:
    values = table["purity"].dropna().to_numpy()
    if not len(values):
        return "no labels"
    low, middle, high = 100 * np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.0f}% ({low:.0f} to {high:.0f})"


def _pure(figures: PrototypeFigures) -> str:
    """Prototypes whose purity's interval lies above the share of the most frequent label of all."""
    if figures.purity is None:
        return "no labels"
    labelled = figures.table["labelled"] > 0
    return f"{int((figures.table['purity_low'] > figures.purity.base).sum())} of {int(labelled.sum())}"
