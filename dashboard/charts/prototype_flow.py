"""The flow of pairs from one sensor's prototypes to the other's: as bands, and as a matrix."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy import sparse

from dashboard.charts.figures import GREY, cluster_colour, count_scale, inked, plain
from rice_ssl.evaluation.assignment_flow import Flows

MOST_FLOWS, MOST_CELLS = 40, 120
"""Bands of the Sankey, and prototypes on each side of the matrix; the others are counted in the text."""
SAME, OTHER = "rgba(0, 158, 115, 0.62)", "rgba(140, 140, 140, 0.34)"
"""Pairs whose two images have one prototype, and those that have two."""


def flow_bands(flows: Flows, titles: tuple[str, str], clusters: Mapping[int, int]) -> go.Figure:
    """A Sankey of the largest flows; what is left flows from "others" to "others".

    Args:
        flows: see :func:`rice_ssl.evaluation.assignment_flow.largest_flows`.
        titles: of the two sensors.
        clusters: of prototypes, counted from 1; their nodes have its colour.
    """
    sides = [_by_cluster(np.unique(side), clusters) for side in (flows.first, flows.second)]
    rest = ["others"] if flows.other_pairs else []
    names = [*(str(number) for number in sides[0]), *rest, *(str(number) for number in sides[1]), *rest]
    place = [{number: k for k, number in enumerate(side)} for side in sides]
    offset = len(sides[0]) + len(rest)
    colours = [
        *(_node(number, clusters) for number in sides[0]), *([GREY] if rest else []),
        *(_node(number, clusters) for number in sides[1]), *([GREY] if rest else []),
    ]  # fmt: skip
    source = [place[0][number] for number in flows.first.tolist()]
    target = [offset + place[1][number] for number in flows.second.tolist()]
    value = flows.pairs.tolist()
    shade = [SAME if one == other else OTHER for one, other in zip(flows.first, flows.second, strict=True)]
    text = [
        f"{titles[0]} in {one}, {titles[1]} in {other}: {pairs:,} pairs"
        for one, other, pairs in zip(flows.first, flows.second, flows.pairs, strict=True)
    ]
    if rest:
        source, target = [*source, len(sides[0])], [*target, len(names) - 1]
        value, shade = [*value, flows.other_pairs], [*shade, OTHER]
        text.append(f"{flows.other_flows:,} smaller flows: {flows.other_pairs:,} pairs")
    sides_of = [titles[0]] * offset + [titles[1]] * (len(names) - offset)
    figure = go.Figure(
        go.Sankey(
            arrangement="snap",
            node={
                "label": names, "color": colours, "pad": 9, "thickness": 16, "line": {"width": 0},
                "customdata": sides_of,
                "hovertemplate": "%{customdata}, prototype %{label}: %{value:,} pairs<extra></extra>",
            },
            link={
                "source": source, "target": target, "value": value, "color": shade, "customdata": text,
                "hovertemplate": "%{customdata}<extra></extra>",
            },
        )
    )  # fmt: skip
    for text_of, x, anchor in ((f"{titles[0]} prototype", 0, "left"), (f"{titles[1]} prototype", 1, "right")):
        figure.add_annotation(
            text=text_of, x=x, y=1.0, xanchor=anchor, yanchor="bottom", xref="paper", yref="paper", showarrow=False
        )
    height = int(np.clip(20 * max(offset, len(names) - offset), 320, 760))
    figure.update_layout(height=height, margin={"l": 10, "r": 10, "t": 34, "b": 14})
    return inked(figure)


def _by_cluster(numbers: np.ndarray, clusters: Mapping[int, int]) -> list[int]:
    return sorted((int(number) for number in numbers), key=lambda number: (clusters.get(number, 0), number))


def _node(number: int, clusters: Mapping[int, int]) -> str:
    return cluster_colour(clusters[number]) if number in clusters else GREY


def shown_prototypes(matrix: sparse.spmatrix, clusters: Mapping[int, int]) -> tuple[list[int], int, int]:
    """Prototypes of the matrix: those that hold most pairs, by cluster and usage; how many others; pairs not shown."""
    table = sparse.csr_matrix(matrix)
    held = np.asarray(table.sum(axis=1)).ravel() + np.asarray(table.sum(axis=0)).ravel()
    used = np.flatnonzero(held)
    kept = used[np.argsort(-held[used], kind="stable")[:MOST_CELLS]]
    order = sorted((int(number) for number in kept), key=lambda number: (clusters.get(number, 0), -held[number]))
    inside = int(table[order][:, order].sum()) if order else 0
    return order, len(used) - len(kept), int(table.sum()) - inside


def flow_matrix(
    matrix: sparse.spmatrix, shown: list[int], titles: tuple[str, str], clusters: Mapping[int, int]
) -> go.Figure:
    """Pairs by both their prototypes, with lines between clusters.

    Args:
        matrix: see :func:`rice_ssl.evaluation.assignment_flow.contingency`.
        shown: prototypes, in order.
        titles: of the two sensors.
        clusters: of prototypes.
    """
    table = sparse.csr_matrix(matrix)[shown][:, shown].toarray()
    names = [str(number) for number in shown]
    figure = go.Figure(
        go.Heatmap(
            z=[[int(pairs) or None for pairs in row] for row in table], x=names, y=names, xgap=0.5, ygap=0.5,
            colorscale=count_scale(), zmin=0,
            colorbar={"title": {"text": "Pairs", "side": "top"}, "thickness": 12, "len": 0.6},
            hovertemplate=f"{titles[0]} in %{{y}}, {titles[1]} in %{{x}}: %{{z}} pairs<extra></extra>",
        )
    )  # fmt: skip
    own = pd.Series([clusters.get(number, 0) for number in shown])
    for edge in np.flatnonzero(own.ne(own.shift()).to_numpy())[1:]:
        for line in (figure.add_vline, figure.add_hline):
            line(float(edge) - 0.5, line={"color": GREY, "width": 1})
    small = {"size": 9 if len(shown) > 40 else 11}
    axis = {"type": "category", "tickfont": small, "showgrid": False, "zeroline": False}
    figure.update_xaxes(title=f"{titles[1]} prototype", **axis)
    figure.update_yaxes(title=f"{titles[0]} prototype", autorange="reversed", **axis)
    return plain(figure, height=int(np.clip(13 * len(shown) + 110, 360, 820)), legend=False)
