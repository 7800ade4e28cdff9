"""Figures of the prototypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.figures import GREY, INK, alternating, bare, cluster_colour, plain, sensor_colours

MOST = 120
"""Prototypes drawn one by one; the others are counted in the text above the figure."""


def usage_bars(table: pd.DataFrame, sensors: Sequence[str], titles: Mapping[str, str]) -> go.Figure:
    """Images of each sensor by prototype, most used first.

    Args:
        table: see :func:`rice_ssl.evaluation.prototypes.prototype_table`.
        sensors: names in order.
        titles: how they are written.
    """
    used = table[table["images"] > 0].sort_values("images", ascending=False, kind="stable").head(MOST)
    colours, figure = sensor_colours(sensors), go.Figure()
    for sensor in sensors:
        if sensor in used:
            figure.add_bar(
                x=[str(number) for number in used.index],
                y=used[sensor],
                name=titles[sensor],
                marker={"color": colours[sensor]},
                hovertemplate=f"Prototype %{{x}}: %{{y}} {titles[sensor]} images<extra></extra>",
            )
    figure.update_layout(barmode="stack", bargap=0.15, legend_traceorder="normal")
    figure.update_xaxes(title="Prototype, most used first", type="category", tickfont={"size": 10})
    figure.update_yaxes(title="Images")
    return plain(figure, height=300)


def prototype_map(
    images: pd.DataFrame,
    prototypes: pd.DataFrame,
    usage: pd.DataFrame,
    label_colours: Mapping[str, str],
    chosen: int,
) -> go.Figure:
    """Prototypes among the images, in the space of projections.

    Args:
        images: columns x, y, label.
        prototypes: columns x, y, prototype, cluster (counted from 1).
        usage: see :func:`rice_ssl.evaluation.prototypes.prototype_table`.
        label_colours: colour of each label; other images are grey.
        chosen: prototype to ring.

    Returns:
        A figure whose ``customdata`` holds the prototype of each star, and of the ring that lies over one, as lists.
    """
    figure = go.Figure()
    groups = list(images.groupby("label"))
    named: set[str] = set()
    for group, positions in alternating([len(part) for _, part in groups]):
        label, part = str(groups[group][0]), groups[group][1].iloc[positions]
        figure.add_scattergl(
            x=part["x"], y=part["y"], mode="markers", name=label, legendgroup=label, showlegend=label not in named,
            hoverinfo="skip", marker={"size": 5, "opacity": 0.45, "color": label_colours.get(label, GREY)},
        )  # fmt: skip
        named.add(label)
    most = max(1, int(usage["images"].max()))
    for cluster, part in prototypes.groupby("cluster"):
        counts = usage["images"].reindex(part["prototype"]).fillna(0).to_numpy()
        figure.add_scatter(
            x=part["x"],
            y=part["y"],
            mode="markers",
            name=f"Cluster {int(cluster)}",
            customdata=[[int(number)] for number in part["prototype"]],
            text=[_described(usage, int(number)) for number in part["prototype"]],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "size": 9 + 22 * (counts / most) ** 0.5,
                "color": cluster_colour(int(cluster)),
                "symbol": "star",
                "opacity": 1.0,
                "line": {"width": 1, "color": "white"},
            },
        )
    ringed = prototypes[prototypes["prototype"] == chosen]
    if len(ringed):
        figure.add_scatter(
            x=ringed["x"], y=ringed["y"], mode="markers", name="Chosen", customdata=[[int(chosen)]],
            text=[_described(usage, int(chosen))], hovertemplate="%{text}<extra></extra>",
            marker={"size": 38, "symbol": "circle-open", "color": INK, "line": {"width": 3}},
        )  # fmt: skip
    figure.update_layout(clickmode="event+select", dragmode="pan")
    return bare(plain(figure, height=520, below=True)).update_layout(legend_font_size=11)


def _described(usage: pd.DataFrame, number: int) -> str:
    row = usage.loc[number]
    mostly = f", mostly {row['label']}" if isinstance(row["label"], str) else ""
    return f"Prototype {number}: {int(row['images'])} images{mostly}"
