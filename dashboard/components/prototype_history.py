"""When prototypes formed, split and died, and when the two sensors began to agree."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import access, prototype_data
from dashboard.access import RunKey
from dashboard.charts.prototype_history import MOST, curves, drawn_prototypes, usage_over_steps
from dashboard.prototype_data import History
from rice_ssl.dynamics.events import Event, events_of_run
from rice_ssl.evaluation.prototype_history import FEWEST

ALL = "all"


def draw(run: RunKey, number: int) -> None:
    """Usage over the kept checkpoints, events, agreement, and what became of the chosen prototype."""
    if not access.has(run, "assignments"):
        st.info(_absent(run))
        return
    found, titles, names = prototype_data.history(run), access.titles(run), access.sensors(run)
    events = [event for event in _events(run) if event.step <= int(found.usage.steps[-1])]
    st.markdown(_summary(found))
    st.markdown(_of_one(found, number))
    sensor = ALL
    if len(names) > 1:
        choices = {ALL: "All images", **{name: f"{titles[name]} images" for name in names}}
        sensor = str(
            st.segmented_control(
                "Images", list(choices), default=ALL, required=True, key="history_sensor",
                format_func=choices.__getitem__,
            )
        )  # fmt: skip
    figure = usage_over_steps(found.usage, found.lives, events, None if sensor == ALL else names.index(sensor))
    st.plotly_chart(
        figure, key="prototype_history", config={"displayModeBar": False}, alt="Images of each prototype over training"
    )
    st.caption(_caption(run, found))
    if not found.agreement.empty or not found.stability.empty:
        st.markdown("**Do the sensors agree, and do images stay?**")
        st.plotly_chart(
            curves(found.agreement, found.stability, events, int(found.usage.steps[-1])), key="prototype_curves",
            config={"displayModeBar": False}, alt="Agreement of the sensors and stability over training",
        )  # fmt: skip
        st.caption(
            "Bands: 95% intervals (Wilson). Shuffled pairs: what would agree by chance, from how both sensors use the "
            "prototypes at that checkpoint; agreement means something where it lies above."
        )
    _moves(found)


def _absent(run: RunKey) -> str:
    other = access.weights_from(run) or access.swav_run(run)
    if other:
        return f"The prototypes are those of the run {other}: when they formed is known there, if anywhere."
    return (
        "When these prototypes formed is not known: nothing of the pretraining is kept but its end. Train with "
        "`pretrain.keep_checkpoints` (20 for one); where checkpoints are there, "
        f"`rice-ssl assignments {run.path}` embeds a sample of the images with each."
    )


def _events(run: RunKey) -> tuple[Event, ...]:
    return events_of_run(access.events(run), "pretrain")


def _summary(found: History) -> str:
    formed, died = found.lives["formed"].notna().sum(), found.lives["died"].notna().sum()
    never = int((found.usage.images.sum(axis=0) == 0).sum())
    steps = found.usage.steps
    half = found.lives["formed"].dropna().sort_values()
    when = f"; half of them by step {int(half.iloc[(len(half) - 1) // 2]):,}" if len(half) > 1 else ""
    return (
        f"On {found.images:,} images at {len(steps)} checkpoints (steps {int(steps[0]):,} to {int(steps[-1]):,}): "
        f"**{formed}** of {len(found.lives):,} prototypes have formed by the end{when}; **{died}** died, {never} never "
        "held an image."
    )


def _of_one(found: History, number: int) -> str:
    life = found.lives.loc[number]
    own = found.moves[(found.moves["prototype"] == number)]
    told = []
    if pd.notna(life["formed"]):
        told.append(f"formed at step {int(life['formed']):,}")
    if pd.notna(life["died"]):
        told.append(f"died at step {int(life['died']):,}")
    for kind, word in (("split", "split into"), ("merge", "took in")):
        part = own[own["kind"] == kind]
        if len(part):
            last = part.iloc[-1]
            others = ", ".join(str(other) for other in last["others"])
            told.append(f"{word} {others} at step {int(last['step']):,}" + (" (last)" if len(part) > 1 else ""))
    if not told:
        told.append("held an image now and then" if found.usage.images[:, number].any() else "never held an image")
    return f"Prototype {number} " + "; ".join(told) + "."


def _caption(run: RunKey, found: History) -> str:
    hidden = int((found.usage.images.sum(axis=0) > 0).sum()) - len(drawn_prototypes(found.usage, found.lives))
    rest = f" The {MOST} most used are drawn; {hidden:,} more held images." if hidden > 0 else ""
    config = access.info(run).get("config")
    section = config.get("pretrain") if isinstance(config, dict) else None
    best = isinstance(section, dict) and section.get("keep") == "best"
    kept = " The run's weights are those of its best epoch, which need not be its last." if best else ""
    return (
        f"First formed on top. A prototype has formed at the first checkpoint from which on it never holds fewer than "
        f"{found.usage.threshold:.3g} of these images (a quarter of an even share), and died where it holds none from "
        f"then on. Dotted lines: what the recipe switched.{rest}{kept}"
    )


def _moves(found: History) -> None:
    if found.moves.empty:
        return
    shown = pd.DataFrame(
        {
            "Step": found.moves["step"],
            "What": found.moves["kind"].map({"split": "splits into", "merge": "is merged from"}),
            "Prototype": found.moves["prototype"],
            "Others": found.moves["others"].map(lambda others: ", ".join(str(one) for one in others)),
            "Images": found.moves["images"],
        }
    )
    counts = found.moves["kind"].value_counts()
    with st.expander(f"{_counted(counts, 'split')} and {_counted(counts, 'merge')}", icon=":material/call_split:"):
        st.dataframe(shown, hide_index=True, height=260, alt="Splits and merges of prototypes")
        st.caption(
            f"Between a checkpoint and the next, of prototypes with at least {FEWEST} of these images: it splits where "
            "two or more others (or itself) get a quarter of its images each, and is merged where two or more give a "
            "quarter each. Early in training images move about freely, and this tells of little."
        )


def _counted(counts: pd.Series, kind: str) -> str:
    number = int(counts.get(kind, 0))
    return f"{number} {kind}{'' if number == 1 else 's'}"
