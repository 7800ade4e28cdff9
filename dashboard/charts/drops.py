"""Drops of a training log on its figure: which is the main one, where to look, and how they are marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from rice_ssl.dynamics.logs import TrainingLog

NEUTRAL = "#8A8A8A"


def main_drop(drops: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The largest drop, in noise: the one that the verdict is about.

    Args:
        drops: of dynamics.json, at least one.
    """
    return max(drops, key=lambda drop: float(drop.get("size_in_noise", drop["size"])))


def around_main_drop(drops: Sequence[Mapping[str, Any]], log: TrainingLog) -> tuple[float, float]:
    """Steps to show around the largest drop: ten times its interval, at least a tenth of the log."""
    main = main_drop(drops)
    first, last = float(log.table["step"].min()), float(log.table["step"].max())
    reach = max(5 * (float(main["step_high"]) - float(main["step_low"])), 0.05 * (last - first))
    return max(first, float(main["step"]) - reach), min(last, float(main["step"]) + reach)


def drop_mark(
    log: TrainingLog, metric: str, drop: Mapping[str, Any], colour: str, *, shift: float = 0.0, scale: float = 1.0
) -> go.Scatter | None:
    """A triangle on the curve that dropped; None where the log has no such curve.

    Args:
        log: of the curve.
        metric: likewise.
        drop: split, step, step_low, step_high and size.
        colour: of the triangle.
        shift: taken off the step before it is drawn.
        scale: the step is multiplied by, after that.
    """
    steps, values = log.curve(metric, str(drop["split"]))
    if not len(steps):
        return None
    low, step, high = (float(drop.get(key, drop["step"])) for key in ("step_low", "step", "step_high"))
    return go.Scatter(
        x=[(step - shift) * scale],
        y=[float(np.interp(step, steps, values))],
        mode="markers",
        marker={"symbol": "triangle-down", "size": 13, "color": colour, "line": {"width": 1.5, "color": NEUTRAL}},
        hovertemplate=f"fell by {float(drop['size']):.3g} at {step:,g}, between {low:,g} and {high:,g}",
    )
