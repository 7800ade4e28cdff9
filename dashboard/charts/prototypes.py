"""Figures of the prototypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go

from dashboard.charts.figures import CLASS_COLOURS, GREY, plain, sensor_colours

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
    figure.update_layout(barmode="stack", bargap=0.15)
    figure.update_xaxes(title="Prototype, most used first", type="category", tickfont={"size": 10})
    figure.update_yaxes(title="Images")
    return plain(figure, height=300)


def prototype_map(
    images: pd.DataFrame,
    prototypes: pd.DataFrame,
    usage: pd.DataFrame,
    label_colours: Mapping[str, str],
    chosen: int | None,
) -> go.Figure:
    """Prototypes among the images, in the space of projections.

    Args:
        images: columns x, y, label.
        prototypes: columns x, y, prototype, cluster.
        usage: see :func:`rice_ssl.evaluation.prototypes.prototype_table`.
        label_colours: colour of each label; other images are grey.
        chosen: prototype to ring, or None.
    """
    figure = go.Figure()
    for label, part in images.groupby("label"):
        figure.add_scattergl(
            x=part["x"], y=part["y"], mode="markers", name=str(label), hoverinfo="skip",
            marker={"size": 5, "opacity": 0.45, "color": label_colours.get(str(label), GREY)},
        )  # fmt: skip
    most = max(1, int(usage["images"].max()))
    for cluster, part in prototypes.groupby("cluster"):
        counts = usage["images"].reindex(part["prototype"]).fillna(0).to_numpy()
        words = usage["label"].reindex(part["prototype"]).fillna("no label").to_numpy()
        figure.add_scatter(
            x=part["x"],
            y=part["y"],
            mode="markers",
            name=f"Cluster {int(cluster) + 1}",
            customdata=part[["prototype"]].to_numpy(),
            text=[
                f"Prototype {p}: {int(n)} images, mostly {w}"
                for p, n, w in zip(part["prototype"], counts, words, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "size": 9 + 22 * (counts / most) ** 0.5,
                "color": CLASS_COLOURS[(int(cluster) + 3) % len(CLASS_COLOURS)],
                "symbol": "star",
                "line": {"width": 1, "color": "white"},
            },
        )
    ringed = prototypes[prototypes["prototype"] == chosen]
    if len(ringed):
        figure.add_scatter(
            x=ringed["x"], y=ringed["y"], mode="markers", name="Chosen", hoverinfo="skip",
            marker={"size": 38, "symbol": "circle-open", "color": GREY, "line": {"width": 3}},
        )  # fmt: skip
    figure.update_xaxes(showticklabels=False, zeroline=False, showgrid=False)
    figure.update_yaxes(showticklabels=False, zeroline=False, showgrid=False)
    figure.update_layout(clickmode="event+select", dragmode="pan", uirevision="prototypes")
    return plain(figure, height=520)
