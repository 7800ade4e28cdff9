"""How figures are written in a card, and what the names in reports mean."""

from __future__ import annotations

import math
from typing import Any

from rice_ssl.sensors import BOTH

NOTHING = "–"
FIGURES = {
    "accuracy": "Accuracy",
    "log_loss": "Log loss (nats)",
    "macro_f1": "Macro F1",
    "brier": "Brier score",
    "ece": "Calibration error (ECE)",
}
SPLITS = {
    "oof": "out of fold: labelled pairs, each judged by networks that did not see it",
    "val": "validation: pairs that no weight was fitted to",
    "test": "test: pairs that no choice was made on",
}


def figure(found: Any, digits: int = 3) -> str:
    """``0.931 [0.903, 0.960]`` of a figure with its interval, or as much of it as there is."""
    if isinstance(found, dict):
        value, low, high = (found.get(name) for name in ("value", "low", "high"))
        if _is_number(value):
            written = f"{value:.{digits}f}"
            return (
                f"{written} [{low:.{digits}f}, {high:.{digits}f}]" if _is_number(low) and _is_number(high) else written
            )
    return f"{found:.{digits}f}" if _is_number(found) else NOTHING


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def width(found: Any) -> float | None:
    """Width of a figure's interval; None where there is none."""
    if isinstance(found, dict) and _is_number(found.get("low")) and _is_number(found.get("high")):
        return float(found["high"] - found["low"])
    return None


def code(text: object) -> str:
    """Text set as code; a backtick in it becomes an apostrophe."""
    written = str(text).replace("`", "'")
    return f"`{written}`" if written else NOTHING


def judge(name: str) -> str:
    """A judge in words."""
    return "all images of a pair" if name == BOTH else f"{name} alone"


def setting(value: Any) -> str:
    """A setting as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(setting(one) for one in value) or NOTHING
    if isinstance(value, dict):
        return ", ".join(f"{key} {setting(one)}" for key, one in value.items()) or NOTHING
    return NOTHING if value is None else f"{value:g}" if isinstance(value, float) else str(value)
