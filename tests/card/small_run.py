"""A run directory with just what a card is made of, in numbers that tests can state."""

import pandas as pd

from rice_ssl.artifacts import TABLES, RunStore
from tests.fakes import SENSORS

CLASSES = ["blast", "brown", "healthy"]
LABELS = {"train": [40, 30, 5], "val": [4, 3, 2], "test": [0, 0, 0]}


def value(middle, half=0.05):
    return {"value": middle, "low": middle - half, "high": middle + half}


def judged(n, accuracy, log_loss, **more):
    figures = {"accuracy": value(accuracy), "log_loss": value(log_loss, 0.2), "macro_f1": value(0.61)}
    return {"n": n, "figures": figures | more.pop("figures", {}), "confusion": [[1]], **more}


REPORT = {
    "confidence": 0.9,
    "bootstrap": 777,
    "classes": CLASSES,
    "splits": {
        "oof": {
            "pairs": 150,
            "sensors": {
                "rgb": judged(150, 0.701, 0.802, figures={"brier": value(0.303), "ece": value(0.044)}),
                "both": judged(
                    150,
                    0.811,
                    0.512,
                    by_class=[
                        {"name": "blast", "n": 90, "precision": value(0.777), "recall": value(0.888), "f1": 0.829},
                        {"name": "healthy", "n": 0, "precision": None, "recall": None, "f1": None},
                    ],
                ),
            },
            "agreement": {
                "sensors": ["rgb", "rgnir"],
                "pairs": 149,
                "rate": value(0.734),
                "kappa": value(0.555),
                "matrix": [[1]],
                "divergence": value(0.222),
                "mcnemar": {"first_only": 7, "second_only": 19, "p": 0.0291, "method": "exact"},
            },
            "complementarity": {
                "pairs": 148,
                "both_right": 90,
                "first_only": 7,
                "second_only": 19,
                "neither": 32,
                "oracle": value(0.784),
                "best_single": {"sensor": "rgnir", **value(0.736)},
                "joint": value(0.811),
                "gain_of_fusion": value(0.075),
                "of_oracle_gain": 0.9,
            },
            "differences": [{"a": "both", "b": "rgb", "name": "log_loss", **value(-0.29)}],
        },
        "val": {"pairs": 9, "sensors": {"both": judged(9, 0.667, 0.7)}, "agreement": None, "differences": []},
        "test": {"pairs": 5, "sensors": {}, "agreement": None, "differences": []},
    },
}
CHANNELS = {
    "confidence": 0.9,
    "replacements": {"mean": "the band is one grey", "other_sensor": "the band is the other sensor's"},
    "sources": [
        {"words": "red of RGB is replaced by red of RGNIR", "same_band": True},
        {"words": "near infrared of RGNIR is replaced by blue of RGB, which has no near infrared", "same_band": False},
    ],
    "splits": {"val": {}},
    "questions": [
        {
            "split": "val",
            "sensor": "rgnir",
            "band": "near infrared",
            "replacement": "other_sensor",
            "pairs": 8,
            "flipped": value(0.376),
            "divergence": value(0.1),
            "labelled": {"n": 8, "accuracy": {"difference": value(-0.251)}, "log_loss": {"difference": value(0.407)}},
            "joint": {"pairs": 7, "flipped": value(0.143), "labelled": None},
        }
    ],
}


def begin(folder, *, name="small", labels=LABELS, report=REPORT, groups=True, info=None, **config):
    """A run of as many pairs as ``labels`` says, by split and class, and five test pairs without a label."""
    store = RunStore(folder)
    sections = {"name": name, "run": str(folder), "seed": 4, "data": {"root": "images"}, "finetune": {"epochs": 7}}
    store.create(
        {
            "name": name,
            "created": "2026-11-24T00:00:00+00:00",
            "config": sections | config,
            "packages": {"torch": "2.99"},
            "git_revision": "abc123",
            "data_root": "images",
            "data_source": "zindi",
            "simulated": False,
            "sensors": SENSORS,
            "classes": CLASSES,
            **(info or {}),
        }
    )
    pairs = [
        (split, label)
        for split, counts in labels.items()
        for label, count in zip(CLASSES, counts, strict=True)
        for _ in range(count)
    ] + [("test", None)] * 5
    rows = []
    for number, (split, label) in enumerate(pairs):
        group = f"g{number // 2}" if groups else ""
        for sensor in ("rgb", "rgnir")[: 1 if number == 0 else 2]:
            rows.append((f"p{number}", sensor, f"{number}.jpg", label, split, -1, group, 24, 24, "0"))
    store.write_table("manifest", pd.DataFrame(rows, columns=list(TABLES["manifest"].columns)))
    if report is not None:
        store.write_document("report", report)
    return store


def findings(store, name, kinds):
    """The table ``findings`` or ``audit`` with entries of these kinds."""
    columns = TABLES[name].columns
    rows = [
        {column: {"kind": kind, "cluster": -1, "score": 1.0}.get(column, "x") for column in columns} for kind in kinds
    ]
    store.write_table(name, pd.DataFrame(rows, columns=list(columns)))
