"""Overview: what was trained on what, how good it is, and what is wrong with the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.sensors import figures_with_intervals
from dashboard.components.notice import explain
from dashboard.components.words import SPLITS, label_text, split_title
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
        ("Findings in the data", _findings),
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
        "Simulated leaves" if info.get("simulated") else f"Images imported with the {info.get('data_source')} layout"
    )
    st.caption(f"{source}. {_trained(run, info, pretrain)} All images of a pair are in one split.")
    splits, labels = pairs["split"].map(split_title).rename("Split"), pairs["label"].map(label_text)
    with st.expander("Pairs by split and label", icon=":material/table_rows:"):
        counts = pd.crosstab(splits, labels).reset_index()
        st.dataframe(counts, hide_index=True, width="content", alt="Pairs by split and label")


def _trained(run: RunKey, info: Mapping[str, Any], pretrain: Mapping[str, Any]) -> str:
    """What the weights were trained on, in a sentence or two."""
    other = access.weights_from(run)
    if other:
        simulated = ", trained on simulated leaves" if info.get("weights_simulated") else ""
        splits = access.pairs(run)["split"]
        seen = int(splits.map(lambda split: access.was_seen(run, split)).sum())
        told = f"{seen:,} of these pairs were among its own" if seen else "these images were not trained on"
        return f"Weights of the run {other}{simulated}; {told}."
    views = info.get("effective_views", pretrain.get("views", "not noted"))
    epochs = f", {pretrain['epochs']} epochs" if "epochs" in pretrain else ""
    prototypes = f", {pretrain['prototypes']} prototypes" if "prototypes" in pretrain else ""
    return f"SwAV (swapped assignments between views) pretraining on views `{views}`{epochs}{prototypes}."


def _figures(run: RunKey) -> None:
    report = access.document(run, "report")
    splits = [split for split in ("test", "val") if report["splits"].get(split, {}).get("sensors")]
    if not splits:
        st.info("No pair outside the training split has a label, so nothing can be judged.")
        return
    state.say_unknown("judged", [SPLITS[split] for split in splits], SPLITS[splits[0]])
    split = st.segmented_control(
        "Pairs", splits, default=splits[0], format_func=SPLITS.__getitem__, required=True, key="judged",
        bind="query-params",
    )  # fmt: skip
    if said := _reservations(run, str(split), splits):
        st.caption(" ".join(said))
    part, titles = report["splits"][split], access.titles(run)
    columns = st.columns(len(FIGURES))
    for column, (name, (title, meaning)) in zip(columns, FIGURES.items(), strict=True):
        with column, st.container(border=True):
            st.markdown(f"**{title}**", help=meaning)
            figure = figures_with_intervals(part, name, titles, access.sensors(run))
            st.plotly_chart(figure, config={"displayModeBar": False}, key=f"figure-{name}", alt=title)
    for sentence in _differences(part, titles):
        st.markdown(f"- {sentence}")
    pairs = max(one["n"] for one in part["sensors"].values())
    joint = f" {titles[BOTH]}: one prediction of the pair from all its sensors." if BOTH in part["sensors"] else ""
    st.caption(
        f"Intervals: {100 * report['confidence']:g}%, bootstrap over {pairs} pairs, {report['bootstrap']} repetitions."
        f"{joint}"
    )


def _reservations(run: RunKey, split: str, judged: Sequence[str]) -> list[str]:
    """What to bear in mind of figures on a split, and why there are none on test pairs."""
    found = []
    if access.was_seen(run, split):
        found.append("The epoch was chosen on these pairs, so these figures flatter a little.")
    if "test" not in judged:
        test = access.pairs(run)["split"] == "test"
        found.append(
            f"There are no figures on the {int(test.sum()):,} test pairs: they have no labels."
            if test.any()
            else "This run has no test pairs."
        )
    return found


def _differences(part: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    """Paired differences of accuracy and log loss in words, a sentence for every two predictors."""
    found: dict[tuple[str, str], list[str]] = {}
    for gap in part["differences"]:
        a, b = (titles.get(name, name) for name in (gap["a"], gap["b"]))
        shown = [gap[key] for key in ("value", "low", "high")]
        if gap["name"] == "accuracy":
            value, low, high = (100 * number for number in shown)
            words, a_gains = f"accuracy {value:+.1f} points [{low:+.1f}, {high:+.1f}]", low > 0
        else:
            value, low, high = shown
            words, a_gains = f"log loss {value:+.2f} nats [{low:+.2f}, {high:+.2f}]", high < 0
        clear = low > 0 or high < 0
        verdict = f"**{a if a_gains else b} is better**" if clear else "no clear difference (the interval holds 0)"
        found.setdefault((a, b), []).append(f"{words}: {verdict}")
    return [f"{a} against {b}: {'; '.join(sentences)}." for (a, b), sentences in found.items()]


def _samples(run: RunKey) -> None:
    """A few pairs, both sensors side by side."""
    pairs, titles = access.pairs(run), access.titles(run)
    turn = pairs.groupby(pairs["label"].map(label_text)).cumcount()  # one of each label, then a second of each
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


def _findings(run: RunKey) -> None:
    findings = access.table(run, "findings")
    if findings.empty:
        st.success("The import found nothing wrong: every pair is complete, and no image is there twice.")
        return
    counts = findings["kind"].value_counts()
    with st.container(horizontal=True):
        for kind, count in counts.items():
            st.badge(f"{str(kind).replace('_', ' ')}: {count}", color="orange", icon=":material/warning:")
    with st.expander(f"All {len(findings):,} findings", icon=":material/list:"):
        titles = access.titles(run)
        shown = pd.DataFrame(
            {
                "Finding": findings["kind"].str.replace("_", " "),
                "Pair": findings["pair_id"].fillna(""),
                "Sensor": findings["sensor"].map(lambda name: titles.get(name, name)).fillna(""),
                "What was found": findings["detail"],
            }
        )
        st.dataframe(shown, hide_index=True, alt="Findings of the import")
