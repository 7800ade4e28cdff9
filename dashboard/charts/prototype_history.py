"""Prototypes over training: which images they held at each kept checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.event_labels import place_labels
from dashboard.charts.figures import CORRECT, GREY, INK, WRONG, count_scale, inked, plain
from rice_ssl.dynamics.events import Event
from rice_ssl.evaluation.prototype_history import UsageHistory

MOST = 60
"""Prototypes drawn one by one, those with most images over all checkpoints."""
AGREEMENT, STABILITY = "#2F8AC4", "#A65AA0"


def usage_over_steps(
    usage: UsageHistory, lives: pd.DataFrame, events: Sequence[Event], sensor: int | None = None
) -> go.Figure:
    """Images of each prototype at each checkpoint as colour, those that formed first on top; events as lines.

    Args:
        usage: see :func:`rice_ssl.evaluation.prototype_history.usage_history`.
        lives: see :func:`rice_ssl.evaluation.prototype_history.lives`.
        events: of the pretraining.
        sensor: number of the sensor whose images are drawn; those of all when None.
    """
    images = usage.images if sensor is None else usage.counts[:, :, sensor]
    order = drawn_prototypes(usage, lives)
    place = {number: row for row, number in enumerate(order)}
    steps = usage.steps.astype(float)
    figure = go.Figure(
        go.Heatmap(
            z=images[:, order].T.tolist(), x=[str(step) for step in usage.steps], y=[str(number) for number in order],
            colorscale=count_scale(zero=True), zmin=0,
            colorbar={"title": {"text": "Images", "side": "top"}, "thickness": 12, "len": 0.6},
            hovertemplate="Prototype %{y}, step %{x}: %{z} images<extra></extra>",
        )
    )  # fmt: skip
    for column, name, symbol, colour in (("formed", "Formed", "triangle-up", CORRECT), ("died", "Died", "x", WRONG)):
        told = lives.loc[order, column].dropna()
        told = told[told > usage.steps[0]] if column == "formed" else told
        if len(told):
            figure.add_scatter(
                x=[str(int(step)) for step in told], y=[str(number) for number in told.index], mode="markers",
                name=name,
                marker={"symbol": symbol, "size": 9, "color": colour, "line": {"color": "white", "width": 1}},
                hovertemplate=f"Prototype %{{y}}: {name.lower()} at step %{{x}}<extra></extra>",
            )  # fmt: skip
    _mark(figure, events, [float(np.interp(event.step, steps, np.arange(len(steps)))) for event in events],
          (0.0, max(1.0, len(steps) - 1.0)))  # fmt: skip
    figure.update_xaxes(type="category", title="Step of pretraining (kept checkpoints)", showgrid=False)
    figure.update_yaxes(type="category", title="Prototype", autorange="reversed", showgrid=False, tickfont={"size": 9})
    figure.update_layout(
        height=int(np.clip(12 * len(place) + 190, 330, 900)), margin={"l": 10, "r": 10, "t": 74, "b": 10},
        legend={"orientation": "h", "x": 0, "yanchor": "top", "y": -0.16 if len(place) < 30 else -0.1},
    )  # fmt: skip
    return inked(figure)


def drawn_prototypes(usage: UsageHistory, lives: pd.DataFrame) -> list[int]:
    """Prototypes with most images over all checkpoints, in the order in which they formed."""
    total = usage.images.sum(axis=0)
    most = np.argsort(-total, kind="stable")[: min(MOST, int((total > 0).sum()))]
    never = np.iinfo(np.int64).max
    formed = lives["formed"].astype("Int64").fillna(never)
    return sorted((int(number) for number in most), key=lambda number: (int(formed[number]), -total[number], number))


def curves(agreement: pd.DataFrame, stability: pd.DataFrame, events: Sequence[Event], last: int) -> go.Figure:
    """Agreement of the two sensors, with its interval and chance, and stability, by step.

    Args:
        agreement: see :func:`rice_ssl.evaluation.prototype_history.agreement_history`; may be empty.
        stability: see :func:`rice_ssl.evaluation.prototype_history.stability`; may be empty.
        events: of the pretraining.
        last: step at which the axis ends.
    """
    figure = go.Figure()
    for table, name, colour, dash in (
        (agreement, "Both images of a pair in one prototype", AGREEMENT, "solid"),
        (stability, "Images that kept their prototype", STABILITY, "dot"),
    ):
        if table.empty:
            continue
        steps = table.index.tolist()
        figure.add_scatter(
            x=[*steps, *steps[::-1]], y=(100 * np.concatenate([table["high"], table["low"][::-1]])).tolist(),
            fill="toself", fillcolor=colour, opacity=0.2, line={"width": 0}, hoverinfo="skip", showlegend=False,
            mode="lines",
        )  # fmt: skip
        figure.add_scatter(
            x=steps, y=(100 * table["rate"]).tolist(), mode="lines+markers", name=name, marker={"size": 6},
            line={"color": colour, "dash": dash}, customdata=(100 * table[["low", "high"]]).to_numpy().tolist(),
            hovertemplate="%{y:.1f}% [%{customdata[0]:.1f}, %{customdata[1]:.1f}] at step %{x}<extra></extra>",
        )  # fmt: skip
    if not agreement.empty:
        figure.add_scatter(
            x=agreement.index.tolist(), y=(100 * agreement["chance"]).tolist(), mode="lines", name="Shuffled pairs",
            line={"color": GREY, "dash": "dash"}, hovertemplate="Shuffled pairs: %{y:.1f}% at step %{x}<extra></extra>",
        )  # fmt: skip
    _mark(figure, events, [float(event.step) for event in events], (0.0, max(1.0, float(last))))
    figure.update_xaxes(title="Step of pretraining", range=[0, max(1, last)], zeroline=False)
    figure.update_yaxes(title="Share (%)", range=[0, 100], zeroline=False)
    plain(figure, height=380, below=True)
    return figure.update_layout(margin={"t": 74, "b": 80}, legend={"y": -0.22})


def _mark(figure: go.Figure, events: Sequence[Event], where: Sequence[float], axis: tuple[float, float]) -> None:
    """Lines at events, with labels that do not print over each other."""
    moved = [Event(event.kind, x, event.detail) for event, x in zip(events, where, strict=True)]
    own = {(event.kind, event.step): former.step for event, former in zip(moved, events, strict=True)}
    for event in moved:
        figure.add_vline(event.step, line={"color": INK, "width": 1, "dash": "dot"}, opacity=0.7)
    for label in place_labels(moved, axis)[0]:
        event = label.event
        figure.add_annotation(
            x=event.step, y=1, yref="paper", yanchor="bottom", yshift=3 + 17 * label.row, xanchor=label.anchor,
            text=f"{event.title} · {own[event.kind, event.step]:,g}", showarrow=False, font={"size": 12},
        )  # fmt: skip
