"""Figures of the tests on checkpoints: data in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.drops import NEUTRAL
from dashboard.charts.figures import INK, inked, whiskers
from dashboard.charts.training import COLOURS

SIDES = {"without": "Without the event", "with": "With the event"}
SIDE_COLOURS = {"without": COLOURS["train"], "with": COLOURS["val"]}
ROLES = {"before": "before the drop", "after": "after the drop", "control": "control"}
SYMBOLS = {"before": "circle", "after": "square", "control": "x"}
ROLE_COLOURS = {"before": COLOURS["train"], "after": COLOURS["val"], "control": COLOURS["reference"]}


def objective_figure(entries: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Loss of one frozen checkpoint on the same batches without and with the event, by split.

    Args:
        entries: ``objective`` of dynamics_tests.json.
    """
    figure = go.Figure()
    splits = [{"val": "Validation", "train": "Training"}[str(entry["split"])] for entry in entries]
    for side, title in SIDES.items():
        error = None
        if side == "with":
            error = {**_whiskers([entry["difference"] for entry in entries]), "color": INK}  # seen on the bar, too
        figure.add_trace(
            go.Bar(
                x=splits,
                y=[entry[side] for entry in entries],
                name=title,
                marker={"color": SIDE_COLOURS[side]},
                error_y=error,
                hovertemplate="%{y:.3f} nats",
            )
        )
    seen = [entry["without"] - entry["fall_seen"] if entry.get("fall_seen") is not None else None for entry in entries]
    if any(value is not None for value in seen):
        figure.add_trace(
            go.Scatter(
                x=splits,
                y=seen,
                name="Where the fall that was seen leads",
                mode="markers",
                marker={"symbol": "line-ew", "size": 60, "line": {"width": 3, "color": COLOURS["reference"]}},
                hovertemplate="%{y:.3f} nats",
            )
        )
    figure.update_yaxes(title_text="Loss (nats)", rangemode="tozero")
    return _laid_out(figure)


def continuations_figure(content: Mapping[str, Any]) -> go.Figure:
    """Loss and reference loss of two trainings that go on from one checkpoint, with and without the event.

    Args:
        content: ``continuations`` of dynamics_tests.json.
    """
    figure = go.Figure()
    for side, title in SIDES.items():
        for name, dash, what in (("loss", "solid", "loss"), ("reference_loss", "dot", "reference loss")):
            if name == "reference_loss" and content[side][name] == content[side]["loss"]:
                continue
            figure.add_trace(
                go.Scatter(
                    x=content["steps"],
                    y=content[side][name],
                    name=f"{title}, {what}",
                    mode="lines",
                    line={"color": SIDE_COLOURS[side], "dash": dash, "width": 1.6},
                    hovertemplate="%{y:.3f}",
                )
            )
    figure.update_xaxes(title_text="Steps since the start of training")
    figure.update_yaxes(title_text="Loss (nats)")
    figure.update_layout(hovermode="x unified")
    return _laid_out(figure)


def curvature_figure(entries: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Smallest and largest eigenvalue and gradient norm at every checkpoint that was looked at, with intervals.

    Args:
        entries: ``curvature`` of dynamics_tests.json.
    """
    rows = (
        ("smallest", "Smallest<br>eigenvalue"),
        ("held_out", "Along it, on<br>other batches"),
        ("largest", "Largest<br>eigenvalue"),
        ("gradient_norm", "Gradient<br>norm"),
    )
    shown = [(name, title) for name, title in rows if all(entry.get(name) for entry in entries)]
    figure = make_subplots(rows=len(shown), cols=1, shared_xaxes=True, vertical_spacing=0.05)
    for row, (name, title) in enumerate(shown, start=1):
        for role, symbol in SYMBOLS.items():
            chosen = [entry for entry in entries if entry["role"] == role]
            figure.add_trace(
                go.Scatter(
                    x=[entry["step"] for entry in chosen],
                    y=[entry[name]["value"] for entry in chosen],
                    error_y=_whiskers([entry[name] for entry in chosen]),
                    mode="markers",
                    name=ROLES[role].capitalize(),
                    legendgroup=role,
                    showlegend=row == 1,
                    marker={"symbol": symbol, "size": 10, "color": ROLE_COLOURS[role]},
                    hovertemplate="%{y:.4g}",
                ),
                row=row,
                col=1,
            )
        if name == "smallest":
            figure.add_trace(_next_lowest(entries), row=row, col=1)
        figure.update_yaxes(title_text=title, row=row, col=1, automargin=True, zeroline=False)
        if name in {"smallest", "held_out"}:
            figure.add_hline(y=0, line={"color": NEUTRAL, "width": 1, "dash": "dash"}, row=row, col=1)
    figure.update_xaxes(title_text="Steps since the start of training", row=len(shown), col=1)
    return _laid_out(figure, height=130 * len(shown) + 120)


def line_figure(content: Mapping[str, Any], *, both: bool) -> go.Figure:
    """Loss along the straight line between two checkpoints.

    Args:
        content: ``line`` of dynamics_tests.json.
        both: whether the objectives without and with the event differ.
    """
    figure = go.Figure()
    for side, title in SIDES.items():
        if side == "with" and not both:
            continue
        figure.add_trace(
            go.Scatter(
                x=content["fraction"],
                y=content[side],
                name=title if both else "Loss",
                mode="lines+markers",
                line={"color": SIDE_COLOURS[side], "width": 1.6},
                marker={"size": 5},
                hovertemplate="%{y:.3f} nats",
            )
        )
    ends = (f"step {content['before']:,}", f"step {content['after']:,}")
    figure.update_xaxes(title_text=f"Share of the way from {ends[0]} to {ends[1]} (fraction)")
    figure.update_yaxes(title_text="Loss (nats)")
    figure.update_layout(hovermode="x unified")
    return _laid_out(figure)


def _next_lowest(entries: Sequence[Mapping[str, Any]]) -> go.Scatter:
    """The eigenvalues above the smallest, means over batches: whether it stands apart or is the end of a bulk."""
    points = [(entry["step"], value) for entry in entries for value in entry["lowest"][1:]]
    return go.Scatter(
        x=[step for step, _ in points],
        y=[value for _, value in points],
        name="Next smallest",
        mode="markers",
        marker={"symbol": "line-ew", "size": 12, "line": {"width": 1.5, "color": NEUTRAL}},
        hovertemplate="%{y:.4g}",
    )


def _whiskers(figures: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Plotly's error bars of several figures with ``value``, ``low`` and ``high``."""
    each = [whiskers(figure) for figure in figures]
    return {
        **(each[0] if each else {}),
        "array": [side["array"][0] for side in each],
        "arrayminus": [side["arrayminus"][0] for side in each],
    }


def _laid_out(figure: go.Figure, height: int = 400) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 60, "r": 20, "t": 20, "b": 90},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2 * 400 / height, "x": 0},
    )
    return inked(figure)
