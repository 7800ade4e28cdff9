"""Shifts between the two images of each pair: data in, plotly figure out."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.figures import CLASS_COLOURS, GREY, plain


def offsets_figure(moved: pd.DataFrame) -> go.Figure:
    """A dot for each pair where its second image lies against its first.

    Args:
        moved: columns ``pair_id``, ``dx``, ``dy`` in pixels, ``confident``.
    """
    figure = go.Figure()
    for sure, name, colour in ((False, "unsure", GREY), (True, "confident", CLASS_COLOURS[5])):
        own = moved[moved["confident"].astype(bool) == sure]
        if own.empty:
            continue
        figure.add_scatter(
            x=own["dx"],
            y=own["dy"],
            mode="markers",
            name=name,
            text=own["pair_id"],
            marker={"color": colour, "size": 6, "opacity": 0.7},
            hovertemplate="%{text}: %{x:+.1f} px across, %{y:+.1f} px down<extra></extra>",
        )
    reach = 1.1 * max(1.0, float(moved[["dx", "dy"]].abs().max().max()))
    figure.update_xaxes(title="Across (px)", range=[-reach, reach], zeroline=True, showgrid=True)
    figure.update_yaxes(title="Down (px)", range=[reach, -reach], zeroline=True, scaleanchor="x")
    return plain(figure, height=320)
