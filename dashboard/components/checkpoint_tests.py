"""The tests on a run's checkpoints: what was tested, with its figure and its sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import access
from dashboard.charts.landscape import continuations_figure, curvature_figure, line_figure, objective_figure
from dashboard.components.short_link import choose
from rice_ssl.errors import ArtifactError

TITLES = {
    "objective": "Same network, two objectives",
    "continuations": "Trained on with and without",
    "curvature": "Curvature",
    "line": "Between the checkpoints",
}
CAPTIONS = {
    "objective": "One frozen checkpoint on the same batches: what falls here needs no learning. Bars: intervals of the "
    "difference over batches.",
    "continuations": "Two short trainings from one checkpoint, on the same crops. The reference loss is without the "
    "queue, so the event leaves it as it is.",
    "curvature": "One batch's Hessian has a negative eigenvalue nearly everywhere. Whether the loss of all "
    "images curves downwards is told by the second row: the same direction on batches that it was not found on.",
    "line": "On the same batches, statistics of normalisation estimated anew at every point.",
}


def read(run: access.RunKey) -> Mapping[str, Any] | None:
    """dynamics_tests.json of a run; None where the tests have not been made.

    Raises:
        ArtifactError: it cannot be read, lacks what is shown, or is of a former training.
    """
    if not access.has(run, "dynamics_tests"):
        return None
    document = access.document(run, "dynamics_tests")
    made = f"Make it anew with `rice-ssl dynamics test {run.path}`."
    try:
        for entry in document["objective"]:
            _numbers(entry["without"], entry["with"], *entry["difference"].values())
        for entry in document["curvature"]:
            figures = [entry["smallest"], entry["largest"], entry["gradient_norm"], entry["held_out"] or {}]
            _numbers(entry["step"], *(value for figure in figures for value in figure.values()))
        line = document["line"]
        _numbers(line["before"], line["after"], *line["fraction"], *line["without"], *line["with"])
        going = document["continuations"]
        if going is not None:
            _numbers(*going["steps"], *(v for side in ("with", "without") for v in going[side]["loss"]))
        verdict = document["verdict"]
        texts = [verdict["word"], *verdict["evidence"], *verdict["missing"]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ArtifactError(f"dynamics_tests.json lacks what this screen shows. {made}") from None
    noted = access.info(run).get("hashes", {}).get("metrics.parquet")
    if document.get("log_hash") != noted:
        raise ArtifactError(f"dynamics_tests.json is of a former training of this run. {made}")
    return document


def draw(document: Mapping[str, Any]) -> None:
    """One test at a time."""
    st.subheader("Tests on checkpoints")
    there = {name: title for name, title in TITLES.items() if document.get(name)}
    test = choose(st.segmented_control, "Test", "test", there, required=True)
    if test == "objective":
        figure = objective_figure(document["objective"])
    elif test == "continuations":
        figure = continuations_figure(document["continuations"])
    elif test == "curvature":
        figure = curvature_figure(document["curvature"])
    else:
        figure = line_figure(document["line"], both=bool(document["changes_objective"]))
    st.plotly_chart(figure, key=f"tests_{test}", config={"displaylogo": False}, alt=TITLES[test])
    st.caption(CAPTIONS[test])


def _numbers(*values: Any) -> None:
    if not all(math.isfinite(float(value)) for value in values):
        raise ValueError
