"""``rice-ssl evaluate``: figures of a run's predictions and cross-validation, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.figure_text import figure_text
from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.report import build_report


@dataclass(frozen=True)
class EvaluateSummary:
    """What ``report.json`` holds."""

    report: dict[str, Any]

    def text(self) -> str:
        """Readable summary."""
        lines = [line for split, part in self.report["splits"].items() for line in _split_lines(split, part)]
        if not any(part["sensors"] for part in self.report["splits"].values()):
            lines.append("Fewer than two pairs outside the training split have a label: there is nothing to judge.")
        lines.append(
            f"[{100 * self.report['confidence']:g}% intervals: Wilson of shares, Bonett-Price of differences "
            f"of accuracy, {self.report['bootstrap']} bootstrap repetitions over pairs of the others]"
        )
        return "\n".join(["figures", *lines])


def run_evaluate(store: RunStore, config: RunConfig) -> EvaluateSummary:
    """Compute ``report.json``; labels are those of the manifest as it is now, so that test labels may come later.

    Validation and test pairs are those of the predictions; pairs judged out of fold (``oof``), and test pairs where
    there are no predictions, those of the cross-validation. With the audit's measures of images there are strata, too.

    Raises:
        ArtifactError: the run has neither predictions nor a cross-validation, or one of them cannot be used.
    """
    info = store.info()
    report = build_report(
        _judged_pairs(store),
        list(info["classes"]),
        [sensor["name"] for sensor in info["sensors"]],
        bootstrap=config.evaluate.bootstrap,
        confidence=config.evaluate.confidence,
        seed=config.seed,
        quality=store.read_table("quality") if store.has("quality") else None,
    )
    store.write_document("report", report)
    return EvaluateSummary(report)


def _judged_pairs(store: RunStore) -> pd.DataFrame:
    """Predictions of the splits that are judged, with the manifest's labels."""
    columns = ["pair_id", "sensor", "probabilities", "fold"]
    now = store.read_table("manifest", ["pair_id", "label", "split"]).groupby("pair_id").first()
    parts = []
    if store.has("predictions"):
        parts.append(store.read_table("predictions", columns).join(now, on="pair_id"))
    if store.has("cross_validation"):
        folded = store.read_table("cross_validation", [*columns, "split"]).join(now["label"], on="pair_id")
        parts.append(folded[folded["split"] == "oof"] if parts else folded)
    if not parts:
        raise ArtifactError(
            f"{store.root} has neither predictions nor a cross-validation, so nothing can be judged. "
            f"Make one with `rice-ssl embed {store.root}` or `rice-ssl cross-validate {store.root}`."
        )
    return pd.concat(parts, ignore_index=True)


def _split_lines(split: str, part: dict[str, Any]) -> list[str]:
    """Figures of one split in words."""
    lines = []
    for sensor, one in part["sensors"].items():
        figures = "  ".join(f"{name} {figure_text(figure)}" for name, figure in one["figures"].items())
        lines.append(f"{split:5} {sensor:6} n={one['n']:<5} {figures}")
    agreement, together = part["agreement"], part["complementarity"]
    if agreement:
        first, second = agreement["sensors"]
        line = f"{split:5} {first} and {second} agree on {figure_text(agreement['rate'])}"
        test = agreement["mcnemar"]
        lines.append(line + (f"; equally often right: p={test['p']:.3g} (McNemar, {test['method']})" if test else ""))
    if together and together["joint"]:
        best, gain = together["best_single"]["sensor"], together["gain_of_fusion"]
        lines.append(f"{split:5} all images against {best} alone: accuracy {figure_text(gain)}")
    if part["unknown_labels"]:
        lines.append(f"{split:5} {part['unknown_labels']} labels are none of the classes and left out")
    return lines
