"""Figures of a comparison of trained classifiers: data in, plotly figure out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from dashboard.charts.figures import CLASS_COLOURS, GREY, plain

START_COLOURS = {"swav": "#0072B2", "random": GREY, "encoder": CLASS_COLOURS[4]}
"""Weights that a training starts from; random ones are grey, as on the Ablation screen."""
DASHES = {"finetune": "solid", "probe": "dash", "knn": "dot"}
METHODS = {"finetune": "fine-tuned", "probe": "linear probe", "knn": "nearest neighbours"}
STARTS = {"swav": "SwAV weights", "random": "random weights", "encoder": "given encoder weights"}


def efficiency_figure(entries: Sequence[Mapping[str, Any]], title: str) -> go.Figure:
    """A figure by the number of labelled pairs, on a log axis: a line for each method and start.

    Args:
        entries: of ``label_efficiency``, of one judge and one figure.
        title: of the figure.
    """
    figure, counts = go.Figure(), sorted({int(entry["labelled"]) for entry in entries})
    for method, start in dict.fromkeys((str(entry["method"]), str(entry["start"])) for entry in entries):
        own = [entry for entry in entries if (entry["method"], entry["start"]) == (method, start)]
        own.sort(key=lambda entry: entry["labelled"])
        name = f"{STARTS.get(start, start)}, {METHODS.get(method, method)}"
        colour = START_COLOURS.get(start, CLASS_COLOURS[3])
        figure.add_scatter(
            x=[entry["labelled"] for entry in own],
            y=[entry["value"] for entry in own],
            error_y={
                "type": "data", "symmetric": False, "thickness": 1.5,
                "array": [entry["high"] - entry["value"] for entry in own],
                "arrayminus": [entry["value"] - entry["low"] for entry in own],
            },
            mode="lines+markers",
            name=name,
            line={"color": colour, "dash": DASHES.get(method, "solid")},
            marker={"size": 8, "symbol": "circle" if method == "finetune" else "diamond"},
            customdata=[[entry["low"], entry["high"]] for entry in own],
            hovertemplate=f"{name}, %{{x}} labelled pairs: %{{y:.3f}} "
            "[%{customdata[0]:.3f}, %{customdata[1]:.3f}]<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(
        type="log", title="Labelled pairs (log axis)", tickvals=counts, ticktext=[f"{count:,}" for count in counts]
    )
    figure.update_yaxes(title=title)
    return plain(figure, height=380)


def transfer_matrix(entries: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> go.Figure:
    """Accuracy by the sensor trained on (rows) and tested on (columns), with intervals in the cells.

    Args:
        entries: of ``transfer``, of one method and one start.
        titles: how sensors are written.
    """
    rows, columns = (list(dict.fromkeys(str(entry[key]) for entry in entries)) for key in ("trained_on", "tested_on"))
    values = np.full((len(rows), len(columns)), np.nan)
    for entry in entries:
        values[rows.index(entry["trained_on"]), columns.index(entry["tested_on"])] = entry["value"]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=[titles.get(name, name) for name in columns],
            y=[titles.get(name, name) for name in rows],
            zmin=0,
            zmax=1,
            colorscale=[[0, "rgba(47,138,196,0.04)"], [1, "rgba(47,138,196,0.5)"]],  # text stays readable on it
            showscale=False,
            hovertemplate="trained on %{y}, tested on %{x}: %{z:.3f}<extra></extra>",
            xgap=2,
            ygap=2,
        )
    )
    for entry in entries:
        figure.add_annotation(
            x=titles.get(entry["tested_on"], entry["tested_on"]),
            y=titles.get(entry["trained_on"], entry["trained_on"]),
            text=f"<b>{100 * entry['value']:.0f}%</b><br>[{100 * entry['low']:.0f}%, {100 * entry['high']:.0f}%]",
            showarrow=False,
            font={"size": 14},
        )
    figure.update_yaxes(autorange="reversed", title="Trained on", automargin=True, showgrid=False)
    figure.update_xaxes(title="Tested on", showgrid=False)
    return plain(figure, height=120 + 80 * len(rows), legend=False)
