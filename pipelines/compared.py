"""From the run directories of a comparison to the content of ``comparison.json``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.comparison_plan import Condition
from pipelines.cross_validate import OOF
from rice_ssl.config import ComparisonConfig
from rice_ssl.evaluation.comparison import Compared, differences, figures_by_judge, label_efficiency, transfer
from rice_ssl.evaluation.resampling import Bootstrap
from rice_ssl.submission import judges_for


def compare_results(
    config: ComparisonConfig,
    planned: Sequence[Condition],
    done: Sequence[Condition],
    frozen: dict[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    """What ``comparison.json`` holds.

    Args:
        config: the comparison.
        planned: every condition.
        done: those whose answers are there, one at least.
        frozen: figures of frozen encoders, from :func:`pipelines.frozen.frozen_figures`.
    """
    info = done[0].store.info()
    classes = list(info["classes"])
    how = Bootstrap(config.bootstrap, config.confidence, config.seed)
    compared = [_compared(condition) for condition in done]
    figures = [figures_by_judge(one, classes, how) for one in compared]
    labelled = [int(condition.store.info()["labelled"]) for condition in done]
    sensors = [sensor["name"] for sensor in info["sensors"]]
    return {
        "name": config.name,
        "simulated": bool(info["simulated"]),
        "data_root": info["data_root"],
        "classes": classes,
        "sensors": [{"name": sensor["name"], "title": sensor["title"]} for sensor in info["sensors"]],
        "confidence": config.confidence,
        "bootstrap": config.bootstrap,
        "folds": done[0].run.data.folds,
        "seeds": list(info["config"]["cross_validation"]["seeds"]),
        "planned": len(planned),
        "done": len(done),
        "conditions": [
            {
                "name": one.name,
                "folder": f"runs/{condition.store.root.name}",
                "sensors": one.sensors,
                "start": one.start,
                "label_fraction": one.label_fraction,
                "labelled": count,
                "judge": one.judge,
                "figures": own,
                "temperatures": condition.store.info().get("temperatures", {}),
                "seconds": condition.store.info()["stages"].get("cross-validate", {}).get("seconds"),
            }
            for condition, one, own, count in zip(done, compared, figures, labelled, strict=True)
        ],
        "differences": differences(compared, classes, how),
        "label_efficiency": [
            *label_efficiency(compared, figures, config.label_sensors, labelled),
            *frozen["label_efficiency"],
        ],
        "transfer": [*transfer(compared, figures, sensors), *frozen["transfer"]],
        "settings": {
            "settings": config.settings,
            "finetune": config.finetune,
            "sensors": list(config.sensors),
            "starts": list(config.starts),
            "label_fractions": list(config.label_fractions),
            "seed": config.seed,
        },
    }


def _compared(condition: Condition) -> Compared:
    answers = condition.store.read_table("cross_validation", ["pair_id", "sensor", "probabilities", "label", "split"])
    answers = answers[(answers["split"] == OOF) & answers["label"].notna()]
    judges = judges_for(condition.sensors, [sensor["name"] for sensor in condition.store.info()["sensors"]])
    there = set(answers["sensor"])
    judge = next((one for one in judges if one in there), judges[0])
    return Compared(condition.title, condition.sensors, condition.start, condition.label_fraction, judge, answers)
