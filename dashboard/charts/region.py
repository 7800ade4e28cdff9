"""A picture on which a box can be drawn."""

from __future__ import annotations

import plotly.graph_objects as go

from dashboard.charts.figures import INK, plain

LEAST, MOST = 160, 460
"""Height in pixels."""
_ACROSS = 24


def region_figure(url: str, size: tuple[int, int], region: tuple[int, int, int, int], *, width: int = 290) -> go.Figure:
    """Draw a picture with a box on it.

    Args:
        url: data URI of the picture.
        size: its width and height in pixels, which are the figure's coordinates, from its upper left corner.
        region: left, top, right, bottom in these pixels.
        width: pixels that the figure may take, about.
    """
    across, down = size
    figure = go.Figure()
    figure.add_layout_image(
        source=url, x=0, y=0, sizex=across, sizey=down, xref="x", yref="y", sizing="stretch", layer="below"
    )
    # Plotly reports a box only where there are points that it could select.
    steps = [(k + 0.5) / _ACROSS for k in range(_ACROSS)]
    figure.add_scatter(
        x=[across * x for x in steps for _ in steps],
        y=[down * y for _ in steps for y in steps],
        mode="markers",
        marker={"opacity": 0, "size": 1},
        selected_marker_opacity=0,
        unselected_marker_opacity=0,
        hoverinfo="skip",
    )
    left, top, right, bottom = region
    for colour, thickness in ((INK, 4), ("#FFD23F", 2)):  # seen on any picture
        figure.add_shape(type="rect", x0=left, y0=top, x1=right, y1=bottom, line={"color": colour, "width": thickness})
    figure.update_xaxes(range=[0, across], constrain="domain", visible=False, fixedrange=True)
    figure.update_yaxes(range=[down, 0], scaleanchor="x", constrain="domain", visible=False, fixedrange=True)
    plain(figure, height=min(MOST, max(LEAST, round(width * down / across))), legend=False)
    return figure.update_layout(
        dragmode="select", margin={"l": 0, "r": 0, "t": 0, "b": 0}, newselection_line_color="#FFD23F"
    )
