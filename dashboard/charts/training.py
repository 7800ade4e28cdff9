"""Figures of a training log: data in, plotly figure out."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.drops import NEUTRAL, drop_mark
from dashboard.charts.event_labels import Label, place_labels
from dashboard.charts.figures import inked
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.logs import TrainingLog

Floats = npt.NDArray[np.float64]
COLOURS = {
    "train": "#2F8AC4",
    "val": "#D55E00",
    "reference": "#009E73",
    "lr": "#8A8A8A",
    "entropy": "#B8860B",
    "kl": "#A65AA0",
}
"""Told apart by people with any colour vision, and readable on white and on near-black."""
AXES = {
    "loss": "Loss (nats)",
    "reference_loss": "Loss without the queue (nats)",
    "log_loss": "Log loss (nats)",
    "accuracy": "Accuracy (fraction)",
    "code_entropy": "Code entropy H(q) (nats)",
    "kl": "KL(q‖p) (nats)",
    "grad_norm": "Gradient norm (no unit)",
    "lr": "Learning rate (no unit)",
    "prototype_perplexity": "Prototypes in use, perplexity (count)",
    "dead_prototypes": "Unused prototypes (count)",
    "effective_rank": "Effective rank of the batch's embeddings (count)",
    "knn_accuracy_rgb": "kNN accuracy, RGB (fraction)",
    "knn_accuracy_rgnir": "kNN accuracy, RGNIR (fraction)",
    "sensor_agreement": "Sensors that agree (fraction)",
    "images_per_second": "Images per second",
    "data_wait": "Waiting for data (fraction of time)",
}
"""Metric of our own runs -> axis title with its unit."""
SPLIT_TITLES = {"train": "Training", "val": "Validation"}
MOST_POINTS = 4000


def training_figure(
    log: TrainingLog,
    metric: str,
    *,
    drops: Sequence[Mapping[str, Any]] = (),
    events: Sequence[Event] = (),
    view: tuple[float, float] | None = None,
    units_known: bool = True,
) -> go.Figure:
    """Curves of one metric with drops and events; learning rate and decomposition on linked axes below.

    Args:
        log: raw values.
        metric: a name in the log.
        drops: split, step, step_low, step_high, size of each.
        events: in the log's unit; drawn as lines across all panels, as many of them labelled as there is room for.
        view: first and last step to show; all when None.
        units_known: whether the log is one of our own runs, whose units are known.
    """
    panels = [metric]
    of_loss = metric == "loss"
    if of_loss and len(log.curve("code_entropy", "train")[0]) and len(log.curve("kl", "train")[0]):
        panels.append("decomposition")
    elif of_loss and len(log.curve("code_entropy", "train")[0]):
        panels.append("code_entropy")
    if metric != "lr" and len(log.curve("lr", "train")[0]):
        panels.append("lr")
    heights = [0.6] + [0.4 / (len(panels) - 1)] * (len(panels) - 1) if len(panels) > 1 else [1.0]
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.05, row_heights=heights)
    for split in log.splits(metric):
        _add_line(figure, 1, log, metric, split, SPLIT_TITLES[split], COLOURS[split])
    if of_loss and len(log.curve("reference_loss", "train")[0]):
        _add_line(
            figure, 1, log, "reference_loss", "train", "Training, without the queue", COLOURS["reference"], dash="dot"
        )
    for row, panel in enumerate(panels[1:], start=2):
        if panel == "lr":
            _add_line(figure, row, log, "lr", "train", "Learning rate", COLOURS["lr"])
        else:
            _add_line(figure, row, log, "code_entropy", "train", "Code entropy H(q)", COLOURS["entropy"])
            if panel == "decomposition":
                _add_line(figure, row, log, "kl", "train", "KL(q‖p)", COLOURS["kl"], dash="dash")
    for row, panel in enumerate(panels, start=1):
        title = "H(q) and KL (nats)" if panel == "decomposition" else _axis_title(panel, units_known)
        if row > 1:
            title = title.replace(" (no unit)", "").replace("Code entropy ", "")
        figure.update_yaxes(title_text=title, row=row, col=1, zeroline=False, automargin=True)
    _add_drops(figure, log, metric, drops)
    span = view or _span(log)
    levels = _add_events(figure, *event_labels(log, drops, events, view), log.unit)
    if view is not None:
        figure.update_yaxes(range=_seen(log, metric, view), row=1, col=1)
    figure.update_xaxes(range=list(_padded(span)), zeroline=False)
    figure.update_xaxes(title_text=f"{log.unit.capitalize()}s since the start of training", row=len(panels), col=1)
    figure.update_layout(
        height=400 + 130 * (len(panels) - 1) + 20 * levels,
        margin={"l": 60, "r": 20, "t": 24 + 20 * levels, "b": 90},
        legend={"orientation": "h", "yanchor": "top", "y": -0.16 if len(panels) > 1 else -0.22, "x": 0},
        hovermode="x unified",
        uirevision=metric,
    )
    return inked(figure)


def envelope(steps: Floats, values: Floats, most: int = MOST_POINTS) -> tuple[Floats, Floats]:
    """At most ``most`` points: the lowest and the highest of each stretch, so that no extreme is lost."""
    if len(values) <= most:
        return steps, values
    bounds = np.linspace(0, len(values), most // 2 + 1).astype(np.int64)
    kept: set[int] = {0, len(values) - 1}
    for start, stop in zip(bounds[:-1], bounds[1:], strict=True):
        stretch = values[start:stop]
        kept.update((int(start + stretch.argmin()), int(start + stretch.argmax())))
    order = np.array(sorted(kept))
    return steps[order], values[order]


def metric_title(metric: str) -> str:
    """How a metric is written, without its unit."""
    return AXES[metric].rpartition(" (")[0] or AXES[metric] if metric in AXES else metric.replace("_", " ").capitalize()


def event_labels(
    log: TrainingLog,
    drops: Sequence[Mapping[str, Any]],
    events: Sequence[Event],
    view: tuple[float, float] | None = None,
) -> tuple[list[Label], list[Event]]:
    """Labels of the events on screen, those that drops coincide with first, and the events that get none.

    Args:
        log: of the figure.
        drops: as :func:`training_figure` takes them.
        events: likewise.
        view: likewise.
    """
    span = view or _span(log)
    seen = [event for event in events if span[0] <= event.step <= span[1]]
    named = {(str(e["kind"]), float(e["step"])) for drop in drops for e in drop.get("events", ())}
    return place_labels(seen, _padded(span), [event for event in seen if (event.kind, event.step) in named])


def _axis_title(metric: str, units_known: bool) -> str:
    if units_known and metric in AXES:
        return AXES[metric]
    return f"{metric_title(metric)} (as logged)"


def _add_line(
    figure: go.Figure, row: int, log: TrainingLog, metric: str, split: str, title: str, colour: str, dash: str = "solid"
) -> None:
    steps, values = envelope(*log.curve(metric, split))
    figure.add_trace(
        go.Scatter(
            x=steps,
            y=values,
            name=title,
            mode="lines+markers" if len(steps) <= 60 else "lines",
            line={"color": colour, "width": 1.6, "dash": dash},
            marker={"size": 4},
            hovertemplate="%{y:.4g}",
            connectgaps=False,
        ),
        row=row,
        col=1,
    )


def _add_drops(figure: go.Figure, log: TrainingLog, metric: str, drops: Sequence[Mapping[str, Any]]) -> None:
    """A band over each drop's interval and a mark on the curve, named in the legend: no label can overlap."""
    named: set[str] = set()
    for drop in drops:
        split = str(drop["split"])
        colour = COLOURS.get(split, NEUTRAL)
        mark = drop_mark(log, metric, drop, colour)
        if mark is None:
            continue
        low, high = float(drop["step_low"]), float(drop["step_high"])
        figure.add_vrect(x0=low, x1=high, fillcolor=colour, opacity=0.18, line_width=0, layer="below", row=1, col=1)
        title = f"Drop, {SPLIT_TITLES.get(split, split).lower()} (band: its interval)"
        mark.update(name=title, legendgroup=title, showlegend=title not in named)
        figure.add_trace(mark, row=1, col=1)
        named.add(title)


def _add_events(figure: go.Figure, labels: Sequence[Label], others: Sequence[Event], unit: str) -> int:
    """Dashed lines over all panels, with labels above or marks to hover over; returns the number of rows of labels."""
    for event in (*(label.event for label in labels), *others):
        figure.add_vline(x=event.step, line={"color": NEUTRAL, "width": 1.5, "dash": "dash"}, layer="below")
    shared = {"y": 1, "yref": "paper", "showarrow": False}
    for label in labels:
        figure.add_annotation(
            x=label.event.step,
            yshift=4 + 19 * label.row,
            yanchor="bottom",
            xanchor=label.anchor,
            text=html.escape(label.text, quote=False),
            hovertext=_hover(label.event, unit),
            font={"size": 12},
            **shared,
        )
    for event in others:
        figure.add_annotation(
            x=event.step, yanchor="top", text="▼", hovertext=_hover(event, unit), font={"size": 9}, **shared
        )
    return max((label.row for label in labels), default=-1) + 1


def _hover(event: Event, unit: str) -> str:
    return html.escape(f"{event.title} ({unit} {event.step:,g}) {event.detail}".strip(), quote=False)


def _seen(log: TrainingLog, metric: str, view: tuple[float, float]) -> list[float] | None:
    """Lowest and highest value between two steps, with a margin; None when there is none."""
    seen = []
    drawn = [(metric, split) for split in log.splits(metric)]
    drawn += [("reference_loss", "train")] if metric == "loss" else []
    for name, split in drawn:
        steps, values = log.curve(name, split)
        seen.append(values[(steps >= view[0]) & (steps <= view[1])])
    values = np.concatenate(seen) if seen else np.array([])
    if not len(values):
        return None
    margin = 0.06 * (float(np.ptp(values)) or 1.0)
    return [float(values.min()) - margin, float(values.max()) + margin]


def _span(log: TrainingLog) -> tuple[float, float]:
    return float(log.table["step"].min()), float(log.table["step"].max())


def _padded(span: tuple[float, float]) -> tuple[float, float]:
    margin = 0.01 * (span[1] - span[0] or 1.0)
    return span[0] - margin, span[1] + margin
