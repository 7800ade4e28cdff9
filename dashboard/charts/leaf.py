"""Figures of one leaf."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from dashboard.charts.figures import class_colours, plain


def probability_bars(probabilities: Sequence[float], classes: Sequence[str], label: str | None) -> go.Figure:
    """Probabilities of the classes; the true class, where known, is outlined and named.

    Args:
        probabilities: in [0, 1], in the order of ``classes``.
        classes: names.
        label: the pair's label, or None.
    """
    colours = class_colours(classes)
    names = [f"{name} (label)" if name == label else name for name in classes]
    figure = go.Figure(
        go.Bar(
            x=list(probabilities),
            y=names,
            orientation="h",
            text=[f"{value:.2f}" for value in probabilities],
            textposition="outside",
            cliponaxis=False,
            marker={
                "color": [colours[name] for name in classes],
                "line": {"color": "#9A9A9A", "width": [2 if name == label else 0 for name in classes]},
            },
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 1.15], showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(autorange="reversed", automargin=True)
    return plain(figure, height=40 + 30 * len(classes), legend=False)
