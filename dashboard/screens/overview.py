"""Overview: what was trained on what, how good it is, and what is wrong with the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, computed, state
from dashboard.access import RunKey
from dashboard.charts.sensors import figures_with_intervals
from dashboard.components import about_run, findings, reported
from dashboard.components.figure_words import differences
from dashboard.components.notice import explain, reading
from dashboard.components.words import JUDGED, NO_LABEL, label_text, plain, split_title
from rice_ssl.errors import ArtifactError
from rice_ssl.sensors import BOTH

FIGURES = {
    "accuracy": ("Accuracy", "Share of pairs whose class is predicted right."),
    "log_loss": ("Log loss (nats, lower is better)", "Mean of -ln of the probability that is given to the true class."),
    "macro_f1": ("Macro F1", "Mean over classes of F1, the harmonic mean of precision and recall."),
}
SAMPLES = 4


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    info = access.info(run)
    st.title("Overview")
    _made_of(run, info)
    for title, part in (
        ("How good are the predictions?", _figures),
        ("Pairs of this run", _samples),
        ("Findings in the data", findings.draw),
    ):
        st.subheader(title)
        try:
            part(run)
        except ArtifactError as error:
            explain(error)


def _made_of(run: RunKey, info: Mapping[str, Any]) -> None:
    """Key facts, and the pairs by split and label."""
    pairs = access.pairs(run)
    manifest = access.table(run, "manifest", ["pair_id", "sensor", "split"])
    config = info.get("config") or {}
    pretrain, encoder = config.get("pretrain") or {}, config.get("encoder") or {}
    titles = access.titles(run)
    with st.container(horizontal=True):
        st.metric("Pairs", f"{len(pairs):,}", border=True)
        st.metric("Images", f"{len(manifest):,}", border=True)
        bands = "; ".join(f"{sensor['title']}: {', '.join(sensor['bands'])}" for sensor in info["sensors"])
        st.metric("Sensors", " + ".join(titles[name] for name in access.sensors(run)), border=True, help=bands)
        st.metric("Encoder", str(encoder.get("name", "not noted")), border=True)
    source = (
        "Simulated leaves"
        if info.get("simulated")
        else f"Images imported with the {plain(info.get('data_source'))} layout"
    )
    st.caption(f"{source}. {_trained(run, info, pretrain)} All images of a pair are in one split.")
    with st.expander("Pairs by split and label", icon=":material/table_rows:"):
        counts = pd.crosstab(pairs["split"], pairs["label"].fillna(NO_LABEL))
        counts = counts.rename(index=split_title).sort_index().rename_axis("Split").reset_index()
        st.dataframe(counts, hide_index=True, width="content", alt="Pairs by split and label")


def _trained(run: RunKey, info: Mapping[str, Any], pretrain: Mapping[str, Any]) -> str:
    """What the weights were trained on, in a sentence or two."""
    other = access.weights_from(run)
    if other:
        simulated = ", trained on simulated leaves" if info.get("weights_simulated") else ""
        splits = access.pairs(run)["split"]
        seen = int(splits.map(lambda split: access.was_seen(run, split)).sum())
        told = f"{seen:,} of these pairs were among its own" if seen else "these images were not trained on"
        return f"Weights of the run {plain(other)}{simulated}; {told}."
    start, swav_run = str(access.finetuning(run).get("start", "")), access.swav_run(run)
    began = {"random": "random weights", "encoder": "the weights of another encoder"}.get(start, "")
    if swav_run:
        began = f"the SwAV weights of the run {plain(swav_run)}"
    told = f"The classifier began with {began}." if began else ""
    if began and "pretrain" not in info["stages"]:
        return told
    views = info.get("effective_views", pretrain.get("views", "not noted"))
    epochs = f", {pretrain['epochs']} epochs" if "epochs" in pretrain else ""
    prototypes = f", {pretrain['prototypes']} prototypes" if "prototypes" in pretrain else ""
    swav = f"SwAV (swapped assignments between views) pretraining on views `{views}`{epochs}{prototypes}."
    return f"{swav} {told}".strip()


def _figures(run: RunKey) -> None:
    report = computed.report(run)
    with reading("report.json", reported.command(run)):
        splits = [split for split in JUDGED if split != "train" and report["splits"].get(split, {}).get("sensors")]
    if not splits:
        st.info("No pair outside the training split has a label, so nothing can be judged.")
        return
    state.say_unknown("judged", [JUDGED[split] for split in splits], JUDGED[splits[0]])
    split = st.segmented_control(
        "Pairs", splits, default=splits[0], format_func=JUDGED.__getitem__, required=True, key="judged",
        bind="query-params",
    )  # fmt: skip
    if said := _reservations(run, str(split), splits):
        st.caption(" ".join(said))
    with reading("report.json", reported.command(run)):
        _of_split(run, report, report["splits"][split])


def _of_split(run: RunKey, report: Mapping[str, Any], part: Mapping[str, Any]) -> None:
    """The figures of one split, and the differences between judges in words."""
    titles = access.titles(run)
    columns = st.columns(len(FIGURES))
    for column, (name, (title, meaning)) in zip(columns, FIGURES.items(), strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{title}**", help=meaning)
            figure = figures_with_intervals(part, name, titles, access.sensors(run))
            st.plotly_chart(figure, config={"displayModeBar": False}, key=f"figure-{name}", alt=title)
    for sentence in differences(part, titles):
        st.markdown(f"- {sentence}")
    pairs = max(one["n"] for one in part["sensors"].values())
    joint = f" {titles[BOTH]}: one prediction of the pair from all its sensors." if BOTH in part["sensors"] else ""
    st.caption(
        f"Intervals: {100 * report['confidence']:g}%, over {pairs:,} pairs; those that are bootstrapped with "
        f"{report['bootstrap']:,} repetitions.{joint} How far a confidence can be trusted: Sensors, Reliability."
    )


def _reservations(run: RunKey, split: str, judged: Sequence[str]) -> list[str]:
    """What to bear in mind of figures on a split, and why there are none on test pairs."""
    found = [about_run.classifier(run)] if about_run.classifier(run) else []
    found += about_run.reservations(run, split)
    if "test" not in judged:
        test = access.pairs(run)["split"] == "test"
        found.append(
            f"There are no figures on the {int(test.sum()):,} test pairs: they have no labels."
            if test.any()
            else "This run has no test pairs."
        )
    return found


def _samples(run: RunKey) -> None:
    """A few pairs, both sensors side by side."""
    pairs, titles = access.pairs(run), access.titles(run)
    access.table(run, "thumbnails", ["pair_id"])  # that there are none is said before anything is drawn
    turn = pairs.groupby(pairs["label"].fillna(NO_LABEL)).cumcount()  # one of each label, then a second of each
    chosen = pairs.loc[turn.sort_values(kind="stable").index[:SAMPLES]]
    for column, pair_id in zip(st.columns(SAMPLES), chosen.index, strict=False):
        with column, st.container(border=True):
            sides = st.grid(len(access.sensors(run)), min_column_width=60, gap="small")
            for sensor in access.sensors(run):
                picture, title = access.thumbnail(run, pair_id, sensor), titles[sensor]
                if picture is None:
                    sides.caption(f"no {title} image")
                else:
                    sides.image(picture, caption=title, width="stretch", alt=f"{title} image of {pair_id}")
            row = chosen.loc[pair_id]
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(f"{label_text(row['label'])} · {split_title(row['split'])}")
                if st.button("Open", key=f"open-{pair_id}", type="tertiary", icon=":material/open_in_new:"):
                    state.open_screen("leaf", pair=pair_id)
