"""What the name of a column, a key or a tag says: the metric, and whether of training or of validation."""

from __future__ import annotations

import re

NOT_METRICS = {"time", "date", "timestamp", "wall_time", "_timestamp", "_runtime", "runtime", "index", "lo", "hi", ""}
_TRAIN = {"train", "training", "trn", "tr"}
_VALIDATION = {"val", "valid", "validation", "eval", "evaluation", "dev", "test"}


def normal_name(name: str) -> str:
    """Lower case, with one underscore for whatever separates words."""
    lead = "_" if name.startswith("_") else ""
    return lead + re.sub(r"[^0-9a-z]+", "_", name.lower()).strip("_")


def split_of(label: str) -> str | None:
    """``train`` or ``val`` where a word of the label says so, else None."""
    words = set(normal_name(label).split("_"))
    return "train" if words & _TRAIN else "val" if words & _VALIDATION else None


def metric_of(name: str) -> tuple[str, str]:
    """Metric and split of a normal name: ``valid_loss`` is the loss in val; a bare name is train."""
    words = name.split("_")
    if words[-1] == "step" and len(words) > 1:
        words = words[:-1]
    split = "train"
    for group, meant in ((_TRAIN, "train"), (_VALIDATION, "val")):
        kept = [word for word in words if word not in group]
        if kept and len(kept) < len(words):
            words, split = kept, meant
            break
    metric = "_".join(words)
    if metric in {"lr", "learning_rate"} or words[0] == "lr":
        metric = "lr"
    return metric, split


def without_split(name: str) -> str:
    """The normal name less the words that say a split, "" when nothing is left."""
    return "_".join(word for word in normal_name(name).split("_") if word not in _TRAIN | _VALIDATION)
