"""The tests on a run's checkpoints: what was tested, with its figure and its sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard import access
from dashboard.charts.landscape import ROLES, continuations_figure, curvature_figure, line_figure, objective_figure
from dashboard.components import picture
from dashboard.components.short_link import choose
from rice_ssl.dynamics.events import Event
from rice_ssl.dynamics.tested_verdict import hump_between, with_interval
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
_SIDES = ("without", "with")


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
        _check(document)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise ArtifactError(f"dynamics_tests.json lacks what this screen shows. {made}") from None
    noted = access.info(run).get("hashes", {}).get("metrics.parquet")
    if document.get("log_hash") != noted:
        raise ArtifactError(f"dynamics_tests.json is of a former training of this run. {made}")
    return document


def draw(document: Mapping[str, Any]) -> None:
    """What was tested, and one test at a time.

    Args:
        document: as :func:`read` gives it.
    """
    st.subheader("Tests on checkpoints")
    st.caption(_about(document))
    there = {name: title for name, title in TITLES.items() if document[name]}
    if not there:
        return
    test = choose(st.segmented_control, "Test", "test", there, required=True)
    if test == "objective":
        figure, said = objective_figure(document["objective"]), objective_sentence(document)
    elif test == "continuations":
        figure, said = continuations_figure(document["continuations"]), continuations_sentence(document)
    elif test == "curvature":
        figure, said = curvature_figure(document["curvature"]), curvature_sentence(document)
    else:
        figure, said = line_figure(document["line"], both=document["changes_objective"]), line_sentence(document)
    st.markdown(said)
    picture.draw(figure, key=f"tests_{test}", filename=f"training-test-{test}", alt=said)
    st.caption(CAPTIONS[test])


def objective_sentence(document: Mapping[str, Any]) -> str:
    """How much of the fall needs no learning, of the validation batches where there are some."""
    entry = max(document["objective"], key=lambda entry: entry["split"] == "val")
    if not document["changes_objective"]:
        return "The objective is the same with and without the event, so the event alone changes no loss."
    told = f"On the same {entry['split']} batches the loss is {entry['without']:.3g} without the event"
    told += f" and {entry['with']:.3g} with it"
    if entry.get("share") is None:
        return f"{told}: {with_interval(entry['difference'])} nats."
    share = max(0.0, float(entry["share"]))
    return f"{told}: **{share:.0%} of the fall of {entry['fall_seen']:.3g} that was seen needs no learning.**"


def continuations_sentence(document: Mapping[str, Any]) -> str:
    """What the event changes in a short training."""
    going = document["continuations"]
    told = f"After {len(going['steps'])} steps, with the event less without it (mean of the second half): "
    told += f"**{with_interval(going['difference']['loss'])} nats**"
    if not document["changes_objective"]:
        return f"{told}."
    return f"{told} in the loss, {with_interval(going['difference']['reference_loss'])} in the reference loss."


def curvature_sentence(document: Mapping[str, Any]) -> str:
    """The smallest eigenvalue before the drop, and whether the update went along the negative directions."""
    entry = next((one for one in document["curvature"] if one["role"] == "before"), document["curvature"][0])
    smallest, held = entry["smallest"], entry.get("held_out")
    told = f"Smallest eigenvalue at step {entry['step']:,}: **{with_interval(smallest)}**"
    told += f", on other batches {with_interval(held)}." if held else "."
    along = entry.get("alignment")
    if along is None:
        return told
    return (
        f"{told} Of the update from there, {along['share']:.2g} of its squared length lies along the negative ones of "
        f"the {along['directions']} lowest directions; of a random direction it would be {along['chance']:.1g}."
    )


def line_sentence(document: Mapping[str, Any]) -> str:
    """Whether the loss rises on the way."""
    line, told = document["line"], []
    for side in _SIDES if document["changes_objective"] else _SIDES[:1]:
        values = line[side]
        named = f"{side} the event " if document["changes_objective"] else ""
        told.append(f"{named}from {values[0]:.3g} to {values[-1]:.3g} {hump_between(values)}")
    return f"Along the straight line the loss goes {', and '.join(told)}."


def _about(document: Mapping[str, Any]) -> str:
    """Which event at which checkpoints, and how it was measured."""
    steps, settings, event = document["steps"], document.get("settings") or {}, document.get("event")
    tested = "No event is known at the drop"
    if event:
        tested = f"Event: {Event(str(event['kind']), 0).title} (step {float(event['step']):,g})"
    controls = ", ".join(f"{float(step):,g}" for step in steps.get("controls") or ())
    told = f"{tested}. Checkpoints: step {steps['before']:,} before the drop, {steps['after']:,} after it"
    told += f", controls {controls}." if controls else "."
    if {"batches", "starts", "precision"} <= set(settings):
        told += (
            f" {_count(settings['batches'], 'batch', 'es')}, {_count(settings['starts'], 'start')} of Lanczos on each, "
        )
        told += f"{settings['precision']}."
    return told


def _count(number: Any, what: str, plural: str = "s") -> str:
    return f"{number} {what}{'' if number == 1 else plural}"


def _check(document: Mapping[str, Any]) -> None:
    """Raise what a reader of a broken document would, before anything is drawn."""
    if not isinstance(document["changes_objective"], bool):
        raise TypeError
    _numbers(document["steps"]["before"], document["steps"]["after"], *(document["steps"].get("controls") or ()))
    for entry in document["objective"]:
        _numbers(entry["without"], entry["with"], *_ends(entry["difference"]))
        _numbers(*(entry[name] for name in ("fall_seen", "share") if entry.get(name) is not None))
        _among(entry["split"], ("train", "val"))
    for entry in document["curvature"]:
        _among(entry["role"], tuple(ROLES))
        _numbers(entry["step"], *entry["lowest"])
        for name in ("smallest", "largest", "gradient_norm"):
            _numbers(*_ends(entry[name]))
        if entry.get("held_out") is not None:
            _numbers(*_ends(entry["held_out"]))
        if entry.get("alignment") is not None:
            _numbers(*(entry["alignment"][name] for name in ("share", "chance", "directions")))
    line = document["line"]
    _numbers(line["before"], line["after"])
    _curves(line["fraction"], line["without"], line["with"])
    going = document["continuations"]
    if going is not None:
        _curves(going["steps"], *(going[side][name] for side in _SIDES for name in ("loss", "reference_loss")))
        _numbers(*(end for name in ("loss", "reference_loss") for end in _ends(going["difference"][name])))
    if document.get("event"):
        _numbers(document["event"]["step"])
        _texts(document["event"]["kind"])
    verdict = document["verdict"]
    _texts(verdict["word"], *verdict["evidence"], *verdict["missing"])


def _ends(figure: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return figure["value"], figure["low"], figure["high"]


def _curves(*curves: Any) -> None:
    """Lists of numbers, all of one length, which is not 0."""
    if not curves[0] or len({len(curve) for curve in curves}) > 1:
        raise ValueError
    for curve in curves:
        _numbers(*curve)


def _numbers(*values: Any) -> None:
    for value in values:
        if isinstance(value, (bool, str)) or not math.isfinite(value):
            raise ValueError


def _among(value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError


def _texts(*values: Any) -> None:
    if not all(isinstance(value, str) for value in values):
        raise TypeError
