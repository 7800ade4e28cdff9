"""Several runs' curves of one metric on shared axes: data in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.figures import inked
from dashboard.charts.training import AXES, NEUTRAL, SPLIT_TITLES, envelope, metric_title
from rice_ssl.dynamics.logs import TrainingLog

COLOURS = ("#2F8AC4", "#D55E00", "#009E73", "#A65AA0", "#B8860B", "#8A8A8A", "#56B4E9")


@dataclass(frozen=True)
class Overlaid:
    """One run: what to call it, its log, and its drops as dynamics.json has them."""

    name: str
    log: TrainingLog
    drops: Sequence[Mapping[str, Any]]


def overlay_figure(runs: Sequence[Overlaid], metric: str, *, share: bool) -> go.Figure:
    """Curves with their drops marked; validation dashed.

    Args:
        runs: at most as many as there are colours are told apart.
        metric: a name in the logs.
        share: whether steps are divided by the last one of their run, for runs of different lengths.
    """
    figure = go.Figure()
    units = {run.log.unit for run in runs}
    for number, run in enumerate(runs):
        colour = COLOURS[number % len(COLOURS)]
        last = float(run.log.table["step"].max())
        scale = 1 / last if share and last > 0 else 1.0
        for split in run.log.splits(metric):
            steps, values = envelope(*run.log.curve(metric, split))
            figure.add_trace(
                go.Scatter(
                    x=steps * scale,
                    y=values,
                    name=f"{run.name}, {SPLIT_TITLES[split].lower()}",
                    mode="lines",
                    line={"color": colour, "width": 1.4, "dash": "solid" if split == "train" else "dash"},
                    hovertemplate="%{y:.4g}",
                )
            )
            for drop in run.drops:
                if drop["split"] != split:
                    continue
                figure.add_trace(
                    go.Scatter(
                        x=[float(drop["step"]) * scale],
                        y=[float(np.interp(float(drop["step"]), *run.log.curve(metric, split)))],
                        name=f"{run.name}, drop",
                        showlegend=False,
                        mode="markers",
                        marker={
                            "symbol": "triangle-down",
                            "size": 12,
                            "color": colour,
                            "line": {"width": 1.5, "color": NEUTRAL},
                        },
                        hovertemplate=f"{float(drop['step']):,g}: fell by {float(drop['size']):.3g}",
                    )
                )
    title = "Share of training (fraction)" if share else f"{' or '.join(sorted(units)).capitalize()}s since the start"
    figure.update_xaxes(title_text=title, zeroline=False)
    figure.update_yaxes(title_text=AXES.get(metric, metric_title(metric)), zeroline=False, automargin=True)
    figure.update_layout(
        height=460,
        margin={"l": 60, "r": 20, "t": 20, "b": 110},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
    )
    return inked(figure)
