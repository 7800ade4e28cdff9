"""How many of their nearest pairs the two sensors share, pair by pair."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dashboard.charts.figures import CLASS_COLOURS, INK, plain


def overlap_chart(overlap: npt.NDArray[np.floating], expected: float | None, *, bins: int = 20) -> go.Figure:
    """Share of the pairs by overlap, and what chance would give as a line.

    Args:
        overlap: of each pair, shape (N,), in [0, 1].
        expected: mean overlap of shuffled pairs; None draws no line.
        bins: of equal width; 1 belongs to the last.
    """
    counts, edges = np.histogram(overlap, bins=bins, range=(0.0, 1.0))
    share = counts / max(1, len(overlap))
    text = [
        f"overlap {low:.2f} to {high:.2f}<br>{count:,} pairs ({100 * part:.1f}%)"
        for low, high, count, part in zip(edges[:-1], edges[1:], counts.tolist(), share.tolist(), strict=True)
    ]
    figure = go.Figure()
    figure.add_bar(
        x=((edges[:-1] + edges[1:]) / 2).tolist(), y=share.tolist(), width=0.9 / bins,
        marker_color=CLASS_COLOURS[1], hovertext=text, hovertemplate="%{hovertext}<extra></extra>", showlegend=False,
    )  # fmt: skip
    if expected is not None:
        figure.add_vline(
            x=expected, line={"color": INK, "width": 1.5, "dash": "dot"},
            annotation={"text": "by chance", "font_color": INK, "xanchor": "left", "y": 1},
        )  # fmt: skip
    plain(figure, height=220, legend=False)
    figure.update_xaxes(title="Overlap of the two neighbourhoods", range=[0, 1], fixedrange=True)
    return figure.update_yaxes(title="Share of pairs", tickformat=".0%", rangemode="tozero", fixedrange=True)
