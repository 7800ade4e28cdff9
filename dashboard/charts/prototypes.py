"""Figures of the prototypes: how many images each holds, and where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.figures import GREY, INK, alternating, bare, cluster_colour, plain, sensor_colours

MOST = 120
"""Prototypes drawn one by one; the others are counted in the text above the figure."""
CLUSTER, LABEL = "Cluster", "Label"
"""What the colour of a star can be."""


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
    return plain(figure, height=260)


def prototype_map(
    images: pd.DataFrame,
    prototypes: pd.DataFrame,
    usage: pd.DataFrame,
    label_colours: Mapping[str, str],
    chosen: int,
    *,
    colour: str = CLUSTER,
    names: Mapping[int, str] | None = None,
) -> go.Figure:
    """Prototypes among the images, in the space of projections.

    Args:
        images: columns x, y, label.
        prototypes: columns x, y, prototype, cluster (counted from 1).
        usage: see :func:`rice_ssl.evaluation.prototypes.prototype_table`.
        label_colours: colour of each label; others are grey.
        chosen: prototype to ring.
        colour: of the stars: their cluster's, or that of their most frequent label.
        names: of clusters, for the legend.

    Returns:
        A figure whose ``customdata`` holds the prototype of each star, and of the ring that lies over one, as lists.
    """
    figure = go.Figure()
    _add_images(figure, images, label_colours, legend=colour == CLUSTER)
    most = max(1, int(usage["images"].max()))
    for name, shade, part in _groups(prototypes, usage, label_colours, colour, names or {}):
        counts = usage["images"].reindex(part["prototype"]).fillna(0).to_numpy()
        figure.add_scatter(
            x=part["x"],
            y=part["y"],
            mode="markers",
            name=name,
            customdata=[[int(number)] for number in part["prototype"]],
            text=[_described(usage, int(number)) for number in part["prototype"]],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "size": np.where(counts > 0, 9 + 22 * (counts / most) ** 0.5, 6),
                "color": shade,
                "symbol": ["star" if count else "x-thin" for count in counts],
                "opacity": [1.0 if count else 0.45 for count in counts],
                "line": {
                    "width": 1,
                    "color": ["white" if count else shade for count in counts],  # a cross is its line alone
                },
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


def _add_images(figure: go.Figure, images: pd.DataFrame, colours: Mapping[str, str], *, legend: bool) -> None:
    groups = list(images.groupby("label"))
    named: set[str] = set()
    for group, positions in alternating([len(part) for _, part in groups]):
        label, part = str(groups[group][0]), groups[group][1].iloc[positions]
        figure.add_scattergl(
            x=part["x"], y=part["y"], mode="markers", name=label, legendgroup=label,
            showlegend=legend and label not in named, hoverinfo="skip",
            marker={"size": 5, "opacity": 0.45, "color": colours.get(label, GREY)},
        )  # fmt: skip
        named.add(label)


def _groups(
    prototypes: pd.DataFrame, usage: pd.DataFrame, colours: Mapping[str, str], colour: str, names: Mapping[int, str]
) -> list[tuple[str, str, pd.DataFrame]]:
    """Title of the legend, colour, and prototypes of each group of stars."""
    if colour == CLUSTER:
        return [
            (f"Cluster {names.get(int(cluster), int(cluster))}", cluster_colour(int(cluster)), part)
            for cluster, part in prototypes.groupby("cluster")
        ]
    label = usage["label"].reindex(prototypes["prototype"]).to_numpy()
    label = pd.Series([one if isinstance(one, str) else "no label" for one in label], index=prototypes.index)
    known = [one for one in [*colours, *sorted(set(label) - set(colours))] if (label == one).any()]
    return [(f"Mostly {one}" if one in colours else one, colours.get(one, GREY), prototypes[label == one])
            for one in known]  # fmt: skip


def _described(usage: pd.DataFrame, number: int) -> str:
    row = usage.loc[number]
    mostly = f", mostly {row['label']}" if isinstance(row["label"], str) else ""
    return f"Prototype {number}: {int(row['images'])} images{mostly}"


def selection_bars(chosen: pd.Series, every: pd.Series, most: int = 15) -> go.Figure:
    """Shares of prototypes among selected images, next to those among all.

    Args:
        chosen: selected images of each prototype, indexed by prototype.
        every: all images of it.
        most: prototypes drawn, those with most of the selected images.
    """
    top = chosen[chosen > 0].sort_values(ascending=False, kind="stable").head(most).index
    figure = go.Figure()
    for name, values, shade in (("selected images", chosen, cluster_colour(2)), ("all images", every, GREY)):
        share = 100 * values.reindex(top) / max(1, int(values.sum()))
        figure.add_bar(
            x=[str(number) for number in top], y=share.tolist(), name=f"of {name}", marker_color=shade,
            hovertemplate=f"Prototype %{{x}}: %{{y:.1f}}% of {name}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title="Prototype, most of the selected images first", type="category", tickfont={"size": 10})
    figure.update_yaxes(title="Share (%)")
    return plain(figure.update_layout(barmode="group", bargap=0.25), height=240)
