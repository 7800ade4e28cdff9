"""Figures of an ablation: data in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboard.charts.figures import CLASS_COLOURS, GREY, plain, whiskers
from rice_ssl.evaluation.ablation import RANDOM

ROW_HEIGHT = 34
_SEED_SHIFT = 0.26
"""How far below its condition's dot the seeds' dots lie, in rows."""


def conditions_figure(content: Mapping[str, Any], measures: Sequence[str], *, columns: int, alike: bool) -> go.Figure:
    """Each measure in a panel of its own, with a row for each condition: a dot with its interval, and the seeds' dots.

    Args:
        content: ``ablation.json``.
        measures: names, in order.
        columns: panels side by side.
        alike: whether the measures are of one kind, so that one range of values serves all panels.
    """
    titles = {measure["name"]: measure["title"] for measure in content["measures"]}
    conditions = content["conditions"]
    colours = condition_colours(conditions)
    rows = -(-len(measures) // columns)
    height = 70 + rows * (60 + ROW_HEIGHT * len(conditions))
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes=True,
        subplot_titles=[titles[name] for name in measures],
        horizontal_spacing=0.03,
        vertical_spacing=min(0.3, 90 / height) if rows > 1 else 0,
    )
    for number, name in enumerate(measures):
        row, column = divmod(number, columns)
        place = {"row": row + 1, "col": column + 1}
        for entry in (one for one in content["figures"] if one["measure"] == name):
            condition = entry["condition"]
            at = len(conditions) - 1 - conditions.index(condition)
            seeds = [
                one["value"] for one in content["cells"] if (one["measure"], one["condition"]) == (name, condition)
            ]
            figure.add_scatter(
                x=seeds,
                y=[at - _SEED_SHIFT] * len(seeds),
                mode="markers",
                marker={"size": 5, "color": GREY},
                hovertemplate=f"{condition}, one seed: %{{x:.3f}}<extra></extra>",
                **place,
            )
            figure.add_scatter(
                x=[entry["value"]],
                y=[at],
                error_x=whiskers(entry),
                mode="markers",
                marker={"size": 10, "color": colours[condition]},
                hovertemplate=f"{condition}: %{{x:.3f}} [{entry['low']:.3f}, {entry['high']:.3f}]<extra></extra>",
                **place,
            )
    figure.update_yaxes(
        tickvals=list(range(len(conditions))),
        ticktext=list(reversed(conditions)),
        range=[-0.6, len(conditions) - 0.5],
        automargin=True,
        zeroline=False,
        showgrid=False,
    )
    if alike:
        figure.update_xaxes(matches="x")
    else:
        figure.update_xaxes(rangemode="tozero")
    figure.update_xaxes(nticks=5)
    figure.update_annotations(font_size=14)
    plain(figure, height=height, legend=False)
    return figure.update_layout(margin_t=40)


def condition_colours(conditions: Sequence[str]) -> dict[str, str]:
    """A colour for each condition; random weights are grey."""
    drawn = iter(CLASS_COLOURS * (1 + len(conditions) // len(CLASS_COLOURS)))
    return {name: GREY if name == RANDOM else next(drawn) for name in conditions}
