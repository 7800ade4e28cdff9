"""``rice-ssl evaluate``: figures of a run's predictions, with intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rice_ssl.artifacts import RunStore
from rice_ssl.config import RunConfig
from rice_ssl.evaluation.report import build_report


@dataclass(frozen=True)
class EvaluateSummary:
    """What ``report.json`` holds."""

    report: dict[str, Any]

    def text(self) -> str:
        """Readable summary."""
        lines = []
        for split, part in self.report["splits"].items():
            for sensor, one in part["sensors"].items():
                figures = "  ".join(
                    f"{name} {f['value']:.3f} [{f['low']:.3f}, {f['high']:.3f}]" for name, f in one["figures"].items()
                )
                lines.append(f"{split:5} {sensor:6} n={one['n']:<5} {figures}")
            agreement = part["agreement"]
            if agreement:
                rate = agreement["rate"]
                first, second = agreement["sensors"]
                lines.append(
                    f"{split:5} {first} and {second} agree on {rate['value']:.3f} "
                    f"[{rate['low']:.3f}, {rate['high']:.3f}]"
                )
        if not lines:
            lines.append("No pair outside the training split has a label, so there is nothing to judge.")
        percent = 100 * self.report["confidence"]
        lines.append(f"[{percent:g}% intervals, {self.report['bootstrap']} bootstrap repetitions over pairs]")
        return "\n".join(["figures", *lines])


def run_evaluate(store: RunStore, config: RunConfig) -> EvaluateSummary:
    """Compute ``report.json``; labels are those of the manifest as it is now, so that test labels may come later.

    Raises:
        ArtifactError: the run has no predictions.
    """
    info = store.info()
    now = store.read_table("manifest", ["pair_id", "label", "split"]).groupby("pair_id").first()
    predictions = store.read_table("predictions").drop(columns=["label", "split"]).join(now, on="pair_id")
    report = build_report(
        predictions,
        list(info["classes"]),
        [sensor["name"] for sensor in info["sensors"]],
        bootstrap=config.evaluate.bootstrap,
        confidence=config.evaluate.confidence,
        seed=config.seed,
    )
    store.write_document("report", report)
    return EvaluateSummary(report)
