"""Several logs' curves of one metric on shared axes: data in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.drops import around_main_drop, drop_mark, main_drop
from dashboard.charts.figures import inked
from dashboard.charts.training import AXES, SPLIT_TITLES, envelope, metric_title
from rice_ssl.dynamics.logs import TrainingLog

COLOURS = ("#2F8AC4", "#D55E00", "#009E73", "#A65AA0", "#B8860B", "#CC6677")
"""Told apart by people with any colour vision, and at least 3:1 on white and on near-black."""
Axis = Literal["share", "step", "drop"]


@dataclass(frozen=True)
class Overlaid:
    """One log: what to call it, its values, its drops as dynamics.json has them, and whether its unit is known."""

    name: str
    log: TrainingLog
    drops: Sequence[Mapping[str, Any]]
    own: bool = True


def overlay_figure(logs: Sequence[Overlaid], metric: str, *, axis: Axis) -> go.Figure:
    """Curves with their drops marked, validation dashed; learning rates below where they were logged.

    Args:
        logs: at most as many as there are colours.
        metric: a name in the logs.
        axis: what the logs share: ``step`` (or epoch) as logged; ``share`` of their last step, for logs of different
            lengths; ``drop`` counts from each log's largest drop, and leaves out logs without one.
    """
    drawn = [log for log in logs if axis != "drop" or log.drops]
    rates = metric != "lr" and any(len(each.log.curve("lr", "train")[0]) for each in drawn)
    figure = make_subplots(
        rows=1 + rates, cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=[0.75, 0.25] if rates else [1.0]
    )
    for number, each in enumerate(logs):
        if each not in drawn:
            continue
        colour = COLOURS[number % len(COLOURS)]
        shift, scale = _placed(each, axis)
        for split in each.log.splits(metric):
            figure.add_trace(_line(each, metric, split, colour, shift, scale), row=1, col=1)
        for drop in each.drops:
            mark = drop_mark(each.log, metric, drop, colour, shift=shift, scale=scale)
            if mark is not None:
                figure.add_trace(mark.update(name=f"{each.name}, drop", showlegend=False), row=1, col=1)
        if rates and len(each.log.curve("lr", "train")[0]):
            rate = _line(each, "lr", "train", colour, shift, scale)
            figure.add_trace(rate.update(name=f"{each.name}, learning rate", showlegend=False), row=2, col=1)
    if axis == "drop" and drawn:
        reach = max(high - low for low, high in (around_main_drop(each.drops, each.log) for each in drawn)) / 2
        figure.update_xaxes(range=[-reach, reach])
    known = metric in AXES and all(each.own for each in drawn)
    title = AXES[metric] if known else f"{metric_title(metric)} (as logged)"
    figure.update_yaxes(title_text=title, row=1, col=1)
    if rates:
        figure.update_yaxes(title_text="Learning rate", row=2, col=1)
    figure.update_yaxes(zeroline=False, automargin=True)
    figure.update_xaxes(zeroline=False)
    figure.update_xaxes(title_text=_title(drawn, axis), row=1 + rates, col=1)
    figure.update_layout(
        height=430 + 110 * rates,
        margin={"l": 60, "r": 20, "t": 24, "b": 90},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
    )
    return inked(figure)


def _placed(each: Overlaid, axis: Axis) -> tuple[float, float]:
    """What is taken off a step, and what it is then multiplied by."""
    last = float(each.log.table["step"].max())
    if axis == "share" and last > 0:
        return 0.0, 1 / last
    return (float(main_drop(each.drops)["step"]), 1.0) if axis == "drop" else (0.0, 1.0)


def _line(each: Overlaid, metric: str, split: str, colour: str, shift: float, scale: float) -> go.Scatter:
    steps, values = envelope(*each.log.curve(metric, split))
    return go.Scatter(
        x=(steps - shift) * scale,
        y=values,
        name=f"{each.name}, {SPLIT_TITLES[split].lower()}",
        mode="lines",
        line={"color": colour, "width": 1.5, "dash": "solid" if split == "train" else "dash"},
        hovertemplate="%{y:.4g}",
    )


def _title(logs: Sequence[Overlaid], axis: Axis) -> str:
    if axis == "share":
        return "Share of the log (fraction of its last step)"
    unit = " or ".join(sorted({f"{each.log.unit}s" for each in logs})).capitalize()
    return f"{unit} since the log's largest drop" if axis == "drop" else f"{unit} since the start of training"
