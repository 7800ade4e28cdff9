"""What cross-validation, evaluation, audit, channels and a comparison leave behind, in numbers that tests state."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rice_ssl.artifacts import RunStore
from tests.fakes import CLASSES, SENSORS, softmax, write_fake_run

BANDS = {"rgb": "blue", "rgnir": "near infrared"}


def spread(value, half=0.05, **more):
    return {"value": value, "low": value - half, "high": value + half, **more}


# -- report.json ----------------------------------------------------------------------------------------------------


def judge(accuracy, n=20):
    """Figures of one judge; its reliability has two bins, its abstention three thresholds."""
    return {
        "n": n,
        "figures": {
            "accuracy": spread(accuracy),
            "log_loss": spread(0.6),
            "macro_f1": spread(accuracy - 0.02),
            "brier": spread(0.31),
            "ece": spread(0.08, 0.03),
        },
        "ece_if_calibrated": spread(0.06, 0.02),
        "confusion": [[5, 1, 0], [1, 6, 1], [0, 1, 5]],
        "by_class": [
            {"name": name, "n": 7, "precision": spread(0.8), "recall": spread(0.7), "f1": 0.75} for name in CLASSES
        ],
        "reliability": [
            {"low": 0.5, "high": 0.6, "n": 8, "confidence": 0.56, "accuracy": 0.5, "accuracy_low": 0.22,
             "accuracy_high": 0.78},
            {"low": 0.9, "high": 1.0, "n": 12, "confidence": 0.95, "accuracy": 0.92, "accuracy_low": 0.65,
             "accuracy_high": 0.99},
        ],
        "abstention": [
            {"threshold": 0.0, "coverage": 1.0, "accuracy": accuracy, "low": accuracy - 0.1, "high": accuracy + 0.05,
             "n": n},
            {"threshold": 0.6, "coverage": 0.6, "accuracy": 0.92, "low": 0.65, "high": 0.99, "n": 12},
        ],
    }  # fmt: skip


def split_report(pairs=20):
    """One split: Joint .9, RGB .7, RGNIR .8; RGB alone is right on 2 pairs, RGNIR alone on 9."""
    return {
        "pairs": pairs,
        "sensors": {"rgb": judge(0.7, pairs), "rgnir": judge(0.8, pairs), "both": judge(0.9, pairs)},
        "agreement": {
            "sensors": ["rgb", "rgnir"],
            "pairs": pairs,
            "rate": spread(0.75),
            "kappa": spread(0.5, 0.2),
            "matrix": [[5, 1, 0], [1, 6, 1], [0, 1, 5]],
            "divergence": spread(0.21),
            "mcnemar": {"first_only": 2, "second_only": 9, "p": 0.0654, "method": "exact"},
            "by_class": [
                {"name": name, "pairs": 7, "rate": spread(rate), "divergence": spread(1 - rate)}
                for name, rate in zip(CLASSES, (0.6, 0.8, 0.9), strict=True)
            ],
            "strata": [
                {
                    "measure": measure,
                    "sensor": sensor,
                    "bins": [
                        {
                            "low": low,
                            "high": low + 0.2,
                            "pairs": 7,
                            "rate": spread(0.6 + low / 4),
                            "divergence": spread(0.3 - low / 4),
                            "accuracy": {"rgb": spread(0.6 + low / 5), "rgnir": spread(0.8), "both": spread(0.9)},
                        }
                        for low in (0.1, 0.3, 0.5)
                    ],
                }
                for measure in ("brightness", "sharpness", "leaf_area")
                for sensor in ("rgb", "rgnir")
            ],
        },
        "complementarity": {
            "pairs": pairs,
            "both_right": 7,
            "first_only": 2,
            "second_only": 9,
            "neither": 2,
            "oracle": spread(0.9),
            "best_single": {"sensor": "rgnir", **spread(0.8)},
            "joint": spread(0.85),
            "gain_of_fusion": spread(0.05, 0.04),
            "of_oracle_gain": 0.5,
        },
        "differences": [
            {"a": "both", "b": "rgb", "name": "accuracy", **spread(0.2)},
            {"a": "both", "b": "rgb", "name": "log_loss", **spread(-0.2)},
            {"a": "both", "b": "rgb", "name": "brier", **spread(-0.1)},
            {"a": "rgb", "b": "rgnir", "name": "accuracy", "value": -0.1, "low": -0.25, "high": 0.05},
        ],
    }


def report(*splits):
    return {
        "confidence": 0.95,
        "bootstrap": 2000,
        "classes": CLASSES,
        "splits": {split: split_report() for split in splits or ("oof", "val", "test")},
    }


# -- tables ---------------------------------------------------------------------------------------------------------


def add_cross_validation(store: RunStore, seed=3):
    """Every pair judged out of fold or by all folds; ``id_0000``, blast, is called brown by RGB and blast by RGNIR."""
    manifest = store.read_table("manifest").drop_duplicates("pair_id")
    rng = np.random.default_rng(seed)
    sensors = [sensor["name"] for sensor in store.info()["sensors"]]
    rows = []
    for pair in manifest.itertuples():
        truth = 3 * np.eye(3)[CLASSES.index(pair.label)]
        logits = {sensor: rng.normal(0, 1.2, 3) + truth for sensor in sensors}
        if pair.pair_id == "id_0000":
            logits = dict(zip(sensors, ([0.0, 4.0, 0.0], [4.0, 0.0, 0.0]), strict=False))
        if len(sensors) > 1:
            logits["both"] = sum(np.asarray(one) for one in logits.values())
        for name, values in logits.items():
            probabilities = softmax(np.asarray(values, dtype=float) / 1.5)
            rows.append(
                {
                    "pair_id": pair.pair_id,
                    "sensor": name,
                    "logits": values,
                    "probabilities": probabilities,
                    "prediction": CLASSES[int(probabilities.argmax())],
                    "confidence": float(probabilities.max()),
                    "label": pair.label,
                    "split": "test" if pair.split == "test" else "oof",
                    "fold": -1 if pair.split == "test" else pair.fold,
                }
            )
    store.write_table("cross_validation", pd.DataFrame(rows))
    store.update_info(temperatures={"rgb": 1.5, "rgnir": 1.25, "both": 1.5})


AUDIT = [
    ("duplicate", "id_0001", None, "id_0004", 0.99, "id_0001 looks like id_0004 (cosine 0.99)."),
    ("wrong_pair", "id_0002", None, None, 0.7, "The two images of id_0002 share no structure."),
    ("registration", "id_0003", "rgnir", None, 12.0, "Shifted by 12.0 px."),
    ("exposure", "id_0005", "rgb", None, 0.9, "Mean brightness 0.93."),
    ("blur", "id_0006", "rgnir", None, 0.8, "Sharpness 0.01."),
    ("saturation", "id_0007", "rgb", None, 0.4, "40% of the values are clipped."),
    ("label", "id_0000", None, None, 0.97, "Labelled blast, judged brown."),
]


def add_audit(store: RunStore, findings=tuple(AUDIT)):
    """A finding of each kind, or those given."""
    columns = ["kind", "pair_id", "sensor", "other_pair_id", "score", "detail"]
    store.write_table("audit", pd.DataFrame(findings, columns=columns))
    ids = store.read_table("manifest")["pair_id"].unique()
    rows = {"pair_id": ids, "dx": 1.5, "dy": -2.0, "confidence": 0.8, "confident": True}
    moved = pd.DataFrame(rows)
    moved.loc[moved["pair_id"] == "id_0003", ["dx", "dy"]] = [11.0, -4.8]
    store.write_table("registration", moved)
    counts = pd.Series([kind for kind, *_ in findings], dtype=object).value_counts()
    labels = {"source": "cross-validation", "agree": 0.9, "note": None}
    store.write_document(
        "audit",
        {
            "counts": {str(k): int(v) for k, v in counts.items()},
            "registration": {"pairs": len(ids)},
            "wrong_pairs": {"source": "structure", "note": "By shape."},
            "labels": labels,
        },
    )


def add_channels(store: RunStore):
    """One band of each sensor replaced by its mean: RGB flips on the first 2 of the pairs, RGNIR on the first 6."""
    manifest = store.read_table("manifest").drop_duplicates("pair_id").reset_index(drop=True)
    rows = []
    for sensor, flips in (("rgb", 2), ("rgnir", 6)):
        for number, pair in manifest.iterrows():
            flipped = number < flips
            rows.append(
                {
                    "pair_id": pair["pair_id"],
                    "sensor": sensor,
                    "band": BANDS[sensor],
                    "replacement": "mean",
                    "original": "blast",
                    "prediction": "brown" if flipped else "blast",
                    "confidence": 0.7,
                    "flipped": flipped,
                    "joint_original": "blast",
                    "joint_prediction": "brown" if number == 0 else "blast",
                    "joint_flipped": number == 0,
                    "divergence": 0.5 if flipped else 0.1,
                    "label": pair["label"],
                    "split": "test",
                }
            )
    store.write_table("channels", pd.DataFrame(rows))
    splits = {"test": "the run's classifier"}
    store.write_document(
        "channels",
        {
            "confidence": 0.95,
            "bootstrap": 2000,
            "seed": 0,
            "replacements": {"mean": "its mean over the training pairs"},
            "sources": [],
            "splits": {name: {"judged_by": by, "mean_over": "the training pairs"} for name, by in splits.items()},
            "questions": [question(sensor, share) for sensor, share in (("rgb", 0.08), ("rgnir", 0.25))],
        },
    )


def question(sensor, share):
    """What replacing a sensor's band did to the test pairs."""
    compared = {"before": spread(0.8), "after": spread(0.7), "difference": spread(-0.1)}
    counts = {"right_to_wrong": 2, "wrong_to_right": 1, "wrong_to_wrong": 0}
    labelled = {"n": 24, "accuracy": compared, "log_loss": compared, "flips": counts}
    return {
        "split": "test",
        "sensor": sensor,
        "band": BANDS[sensor],
        "replacement": "mean",
        "pairs": 24,
        "flipped": spread(share),
        "divergence": spread(0.2),
        "labelled": labelled,
        "joint": {"pairs": 24, "flipped": spread(share / 2, 0.02), "labelled": labelled},
    }


# -- a comparison ---------------------------------------------------------------------------------------------------


def condition(name, folder, sensors, start, judge_name, **judges):
    return {
        "name": name,
        "folder": folder,
        "sensors": sensors,
        "start": start,
        "label_fraction": 1.0,
        "labelled": 200,
        "judge": judge_name,
        "figures": {
            judge_of: {
                "accuracy": spread(value),
                "log_loss": spread(1 - value),
                "macro_f1": spread(value),
                "brier": spread(0.3),
                "ece": spread(0.05, 0.02),
            }
            for judge_of, value in judges.items()
        },
        "temperatures": dict.fromkeys(judges, 1.2),
        "seconds": 100.0,
    }


COMPARISON = {
    "name": "fake classifiers",
    "simulated": False,
    "data_root": "paddies",
    "classes": CLASSES,
    "sensors": [{"name": one["name"], "title": one["title"]} for one in SENSORS],
    "confidence": 0.95,
    "bootstrap": 2000,
    "folds": 5,
    "seeds": [0, 1],
    "planned": 4,
    "done": 4,
    "conditions": [
        condition("RGB, SwAV weights", "rgb-swav", "rgb", "swav", "rgb", rgb=0.8, rgnir=0.5),
        condition("RGNIR, SwAV weights", "rgnir-swav", "rgnir", "swav", "rgnir", rgb=0.45, rgnir=0.7),
        condition("fused, SwAV weights", "fused-swav", "fused", "swav", "both", rgb=0.75, rgnir=0.65, both=0.85),
        condition("fused, random weights", "fused-random", "fused", "random", "both", rgb=0.6, rgnir=0.55, both=0.66),
    ],
    "differences": [
        {"question": question, "a": a, "judge_a": judge_a, "b": b, "judge_b": judge_b, "name": name, **values,
         "mcnemar_p": p, "pairs": 200}
        for question, a, judge_a, b, judge_b, name, values, p in (
            ("sensor", "RGB, SwAV weights", "rgb", "RGNIR, SwAV weights", "rgnir", "accuracy", spread(0.1), 0.0004),
            ("sensor", "RGB, SwAV weights", "rgb", "RGNIR, SwAV weights", "rgnir", "log_loss", spread(-0.1), None),
            ("fusion", "fused, SwAV weights", "both", "RGB, SwAV weights", "rgb", "accuracy", spread(0.05, 0.06), 0.13),
            ("start", "fused, SwAV weights", "both", "fused, random weights", "both", "accuracy", spread(0.19), 1e-9),
        )
    ],
    "label_efficiency": [
        {"method": method, "start": start, "judge": "both", "label_fraction": fraction,
         "labelled": int(200 * fraction), "name": name, **spread(value if name == "accuracy" else 1 - value)}
        for method, less in (("finetune", 0.0), ("probe", 0.05))
        for start, low in (("swav", 0.6 - less), ("random", 0.4 - less))
        for fraction, value in ((0.1, low), (0.5, low + 0.1), (1.0, low + 0.2))
        for name in ("accuracy", "log_loss")
    ],
    "transfer": [
        {"method": "finetune", "start": "swav", "trained_on": a, "tested_on": b, "name": "accuracy", **spread(value),
         "pairs": 200}
        for a, b, value in (
            ("rgb", "rgb", 0.8), ("rgb", "rgnir", 0.5), ("rgnir", "rgb", 0.45), ("rgnir", "rgnir", 0.7)
        )
    ],
    "settings": {"epochs": 5},
}  # fmt: skip
"""What ``comparison.json`` holds: accuracies .8 (RGB), .7 (RGNIR), .85 (fused), .66 (fused from random weights)."""


def write_compared_run(folder, sensors="fused", pairs=24, seed=5):
    """A run as ``rice-ssl compare`` leaves it: a manifest, cross-validation and a report, and nothing else."""
    whole = write_fake_run(folder, pairs=pairs)
    kept = {"run.json", "manifest.parquet"}
    for path in sorted(whole.root.rglob("*"), reverse=True):
        if path.is_file() and path.relative_to(whole.root).as_posix() not in kept:
            path.unlink()
    config = {"name": folder.name, "seed": 0, "finetune": {"sensors": sensors, "start": "swav"}}
    whole.update_info(name=folder.name, config=config, weights_from=None)
    add_cross_validation(whole, seed=seed)
    whole.write_document("report", report("oof", "test"))
    return whole


def write_judged_run(folder, pairs=24):
    """A complete fake run with cross-validation, a whole report, an audit and channels."""
    store = write_fake_run(folder, pairs=pairs)
    add_cross_validation(store)
    store.write_document("report", report())
    add_audit(store)
    add_channels(store)
    return store
