"""A tiny complete run directory, made without torch, with numbers chosen so that tests can state what screens show."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from rice_ssl.artifacts import TABLES, RunStore
from rice_ssl.evaluation.map_quality import FEWEST, map_quality

CLASSES = ["blast", "brown", "healthy"]
SENSORS = [
    {
        "name": "rgb",
        "title": "RGB",
        "bands": ["red", "green", "blue"],
        "pattern": "{id}.jpg",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
    {
        "name": "rgnir",
        "title": "RGNIR",
        "bands": ["red", "green", "near infrared"],
        "pattern": "{id}_rgn.jpg",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    },
]
QUEUE_STEP = 60


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise soft-max."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return shifted / shifted.sum(-1, keepdims=True)


def write_fake_run(folder: Path, pairs: int = 24, seed: int = 0, simulated: bool = True) -> RunStore:
    """Write a complete run of ``pairs`` pairs with 8 prototypes; the loss drops by 1 nat at step 60, the queue start.

    Pair ``id_0000`` is predicted blast by RGB and brown by RGNIR (a disagreement) and its label is blast.
    """
    rng = np.random.default_rng(seed)
    store = RunStore(folder)
    store.create(
        {
            "name": "fake",
            "created": "2026-11-24T00:00:00+00:00",
            "config": {"name": "fake", "seed": 0, "pretrain": {"temperature": 0.1, "views": "paired-augmented"}},
            "packages": {"torch": "0"},
            "git_revision": None,
            "data_root": "nowhere",
            "data_source": "zindi",
            "simulated": simulated,
            "sensors": SENSORS,
            "classes": CLASSES,
            "pair_scale": 2.0,
        }
    )
    ids = [f"id_{k:04d}" for k in range(pairs)]
    labels = [CLASSES[k % 3] for k in range(pairs)]
    splits = ["test" if k % 4 == 3 else "val" if k % 4 == 2 else "train" for k in range(pairs)]
    rows = [(p, s["name"]) for p in range(pairs) for s in SENSORS]
    pair_ids = [ids[p] for p, _ in rows]
    sensors = [s for _, s in rows]
    store.write_table(
        "manifest",
        pd.DataFrame(
            {
                "pair_id": pair_ids,
                "sensor": sensors,
                "path": [f"Images/{ids[p]}{'' if s == 'rgb' else '_rgn'}.jpg" for p, s in rows],
                "label": [labels[p] for p, _ in rows],
                "split": [splits[p] for p, _ in rows],
                "fold": [p % 5 for p, _ in rows],
                "group": [ids[p] for p, _ in rows],
                "width": 500,
                "height": 400,
                "sha256": [f"{k:064x}" for k in range(len(rows))],
            }
        ),
    )
    store.write_table(
        "findings",
        pd.DataFrame(
            {
                "kind": ["missing_twin", "near_duplicate"],
                "pair_id": ["id_9999", ids[1]],
                "sensor": ["rgnir", "rgb"],
                "cluster": [-1, 0],
                "detail": ["id_9999 has no rgnir image.", f"{ids[1]} looks like {ids[4]}."],
            }
        ),
    )
    truth = np.array([CLASSES.index(label) for label in labels])
    logits = {s["name"]: rng.normal(0, 1, (pairs, 3)) + 2.0 * np.eye(3)[truth] for s in SENSORS}
    logits["rgb"][0], logits["rgnir"][0] = [4.0, 0.0, 0.0], [0.0, 4.0, 0.0]
    logits["both"] = logits["rgb"] + logits["rgnir"]
    predictions = []
    for sensor, values in logits.items():
        probabilities = softmax(values)
        for p in range(pairs):
            predictions.append(
                {
                    "pair_id": ids[p],
                    "sensor": sensor,
                    "logits": values[p],
                    "probabilities": probabilities[p],
                    "prediction": CLASSES[int(values[p].argmax())],
                    "label": labels[p],
                    "split": splits[p],
                    "fold": p % 5,
                }
            )
    store.write_table("predictions", pd.DataFrame(predictions))
    embeddings = rng.normal(0, 1, (len(rows), 16)).astype(np.float32)
    projections = embeddings[:, :8] / np.linalg.norm(embeddings[:, :8], axis=1, keepdims=True)
    prototype_logits = projections @ np.eye(8, dtype=np.float32)
    store.write_table(
        "embeddings",
        pd.DataFrame(
            {
                "pair_id": pair_ids,
                "sensor": sensors,
                "embedding": list(embeddings),
                "projection": list(projections),
                "prototype_logits": list(prototype_logits),
            }
        ),
    )
    scores = softmax(prototype_logits / 0.1)
    order = np.argsort(-scores, axis=1)
    store.write_table(
        "prototypes",
        pd.DataFrame(
            {
                "pair_id": pair_ids,
                "sensor": sensors,
                "prototype": order[:, 0],
                "confidence": np.take_along_axis(scores, order[:, :1], 1)[:, 0],
                "second": order[:, 1],
                "entropy": -(scores * np.log(scores)).sum(1),
            }
        ),
    )
    index = pd.DataFrame({"pair_id": pair_ids, "sensor": sensors, "row": range(len(rows))})
    store.write_cams(index, rng.random((len(rows), 3, 4, 5)).astype(np.float16))
    jpegs = []
    for _, sensor in rows:
        picture = np.full((80, 100, 3), (40, 160, 60) if sensor == "rgb" else (30, 20, 220), dtype=np.uint8)
        picture[20:60, 30:70] = rng.integers(0, 255, 3)
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG")
        jpegs.append(buffer.getvalue())
    store.write_table(
        "thumbnails",
        pd.DataFrame({"pair_id": pair_ids, "sensor": sensors, "width": 100, "height": 80, "jpeg": jpegs}),
    )
    vectors = {
        "embedding": embeddings,
        "projection": projections,
        "logits": np.stack([logits[sensor][p] for p, sensor in rows]),
        "prototype_logits": prototype_logits,
    }
    _write_maps(store, ids, rows, vectors, rng)
    metrics = []
    for step in range(120):
        for split, offset in (("train", 0.0), ("val", 0.1)):
            loss = 4.0 + offset - 0.002 * step - (1.0 if step >= QUEUE_STEP else 0.0) + rng.normal(0, 0.01)
            metrics.append(("pretrain", step, step / 10, split, "loss", loss))
        metrics.append(("pretrain", step, step / 10, "train", "lr", 1e-3 * (1 - step / 120)))
        metrics.append(("pretrain", step, step / 10, "train", "code_entropy", 2.0 if step < QUEUE_STEP else 1.0))
    metrics.append(("finetune", 0, 0.0, "train", "loss", 1.1))
    metrics.append(("finetune", 1, 1.0, "train", "loss", 0.9))
    store.write_table("metrics", pd.DataFrame(metrics, columns=["stage", "step", "epoch", "split", "name", "value"]))
    store.write_events(
        [
            {
                "stage": "pretrain",
                "kind": "warmup_end",
                "step": 6,
                "epoch": 0.6,
                "detail": "Learning rate at its peak.",
            },
            {"stage": "pretrain", "kind": "queue_start", "step": QUEUE_STEP, "epoch": 6.0, "detail": "Queue of 256."},
        ]
    )
    figure = {"value": 0.8, "low": 0.7, "high": 0.9}
    one = {
        "n": 6,
        "figures": dict.fromkeys(("accuracy", "log_loss", "macro_f1"), figure),
        "confusion": [[2, 0, 0], [0, 2, 0], [1, 0, 1]],
    }
    split_report = {
        "pairs": 6,
        "sensors": {"rgb": one, "rgnir": one, "both": one},
        "agreement": {
            "sensors": ["rgb", "rgnir"],
            "pairs": 6,
            "rate": figure,
            "kappa": {"value": 0.5, "low": 0.2, "high": 0.8},
            "matrix": [[2, 0, 0], [0, 2, 0], [1, 0, 1]],
        },
        "differences": [
            {"a": "both", "b": "rgb", "name": "accuracy", "value": 0.1, "low": -0.1, "high": 0.3},
            {"a": "both", "b": "rgb", "name": "log_loss", "value": -0.2, "low": -0.3, "high": -0.1},
        ],
    }
    store.write_document(
        "report",
        {
            "confidence": 0.95,
            "bootstrap": 2000,
            "classes": CLASSES,
            "pair_scale": 2.0,
            "splits": {"val": split_report, "test": split_report},
        },
    )
    store.write_document(
        "dynamics",
        {
            "source": "pretrain",
            "metric": "loss",
            "drops": [
                {
                    "split": "train",
                    "step": QUEUE_STEP,
                    "step_low": QUEUE_STEP - 1,
                    "step_high": QUEUE_STEP + 1,
                    "size": 1.0,
                    "events": [{"kind": "queue_start", "step": QUEUE_STEP, "detail": "Queue of 256."}],
                    "p_chance": 0.02,
                }
            ],
            "verdict": "schedule artefact",
            "evidence": ["The loss fell by 1.0 nat at step 60, where the queue was switched on."],
            "missing": [],
        },
    )
    return store


MAPS = [
    *((method, space, 2, 0) for method in ("umap", "tsne", "pca") for space in ("embedding", "projection", "logits")),
    *((method, "prototype_logits", 2, 0) for method in ("umap", "tsne", "pca")),
    *((method, "embedding", 2, 1) for method in ("umap", "tsne")),
    *((method, "embedding", 3, 0) for method in ("umap", "pca")),
]
"""Method, space, dimensions and seed of every map of a fake run; those of ``rice-ssl map`` have all spaces."""


def _write_maps(store, ids, rows, vectors, rng):
    """Random places, what they are worth, and the neighbourhoods of the embeddings; all images are fitted."""
    more = np.random.default_rng(11)  # so that what is drawn from ``rng`` after this stays what it was
    maps, told = [], []
    for method, space, dimensions, seed in MAPS:
        draw = rng if (dimensions, seed) == (2, 0) and space != "prototype_logits" else more
        where = draw.normal(0, 1, (len(rows), dimensions))
        key = (method, space, dimensions, seed)
        for k, (p, sensor) in enumerate(rows):
            z = where[k, 2] if dimensions == 3 else None
            maps.append((*key, "image", ids[p], sensor, -1, -1, where[k, 0], where[k, 1], z, True))
        if space == "projection":
            for prototype in range(8):
                x, y = draw.normal(0, 1, 2)
                maps.append((*key, "prototype", None, None, prototype, prototype % 3, x, y, None, True))
        told.append(
            {
                **dict(zip(("method", "space", "dimensions", "seed"), key, strict=True)),
                "images": len(rows),
                "fitted": len(rows),
                "quality": _quality(vectors[space], where, "euclidean" if space == "logits" else "cosine"),
            }
        )
    store.write_table("map", pd.DataFrame(maps, columns=list(TABLES["map"].columns)))
    first, second = (vectors["embedding"][k::2] for k in range(2))  # row k is pair k
    count = min(10, len(ids) - 1)
    noted = None
    if count:
        similarity = [_cosines(a, a) for a in (first, second)]
        for matrix in similarity:
            np.fill_diagonal(matrix, -np.inf)
        near = [np.argsort(-matrix, axis=1, kind="stable")[:, :count] for matrix in similarity]
        overlap = np.array([_jaccard(a, b) for a, b in zip(*near, strict=True)])
        across = _cosines(first, second)
        ranks = [1 + (matrix > np.diag(matrix)[:, None]).sum(1) for matrix in (across, across.T)]
        noted = {
            "neighbours": count,
            "pairs": len(ids),
            "expected": float(
                np.mean([_jaccard(a, b) for a, b in zip(near[0], np.roll(near[1], 1, axis=0), strict=True)])
            ),
            "exact": True,
            "recall": None,
        }
    else:
        overlap, ranks, ids = np.empty(0), [np.empty(0, dtype=int)] * 2, []
    table = {"pair_id": ids, "overlap": overlap, "first_rank": ranks[0], "second_rank": ranks[1]}
    store.write_table("neighbourhoods", pd.DataFrame(table))
    similar = {sensor["name"]: {"images": len(rows) // 2, "exact": True, "recall": None} for sensor in SENSORS}
    store.write_document("map", {"maps": told, "neighbourhoods": noted, "similar": similar, "notes": []})


def _jaccard(a, b):
    return len(set(a) & set(b)) / len(set(a) | set(b))


def _cosines(first, second):
    unit = [values / np.linalg.norm(values, axis=1, keepdims=True) for values in (first, second)]
    return unit[0] @ unit[1].T


def _quality(original, points, metric):
    return dataclasses.asdict(map_quality(original, points, metric=metric)) if len(points) >= FEWEST else None


def _ablation_entry(condition, measure, value, spread=0.05, **more):
    return {
        "condition": condition,
        "measure": measure,
        "value": value,
        "low": value - spread,
        "high": value + spread,
        **more,
    }


ABLATION = {
    "name": "fake views",
    "simulated": False,
    "data_root": "trees",
    "conditions": ["random weights", "rgb-only", "paired-augmented"],
    "baseline": "rgb-only",
    "seeds": [0, 1],
    "planned": 6,
    "retrieval_split": "test",
    "confidence": 0.95,
    "bootstrap": 1000,
    "settings": {"pretrain": {"epochs": 20}},
    "grid": {"pretrain.views": ["rgb-only", "paired-augmented"]},
    "measures": [
        {"name": "probe_rgb", "title": "Linear probe, RGB", "meaning": "Accuracy of a linear probe."},
        {"name": "recall_1", "title": "Cross-sensor R@1", "meaning": "Share of twins found first."},
    ],
    "figures": [
        _ablation_entry(condition, measure, value, seeds=2, pairs=100)
        for measure, values in (("probe_rgb", (0.6, 0.7, 0.71)), ("recall_1", (0.1, 0.4, 0.6)))
        for condition, value in zip(("random weights", "rgb-only", "paired-augmented"), values, strict=True)
    ],
    "differences": [
        _ablation_entry(condition, measure, value, baseline="rgb-only", seeds=2)
        for condition, measure, value in (
            ("random weights", "probe_rgb", -0.1),
            ("random weights", "recall_1", -0.3),
            ("paired-augmented", "probe_rgb", 0.01),
            ("paired-augmented", "recall_1", 0.2),
        )
    ],
    "cells": [
        {"condition": condition, "seed": seed, "measure": "recall_1", "value": value + 0.02 * (2 * seed - 1)}
        for condition, value in (("random weights", 0.1), ("rgb-only", 0.4), ("paired-augmented", 0.6))
        for seed in (0, 1)
    ],
}
"""What ``ablation.json`` of two views and two seeds holds: R@1 .1, .4 and .6."""
