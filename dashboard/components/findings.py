"""What is wrong with the data: what the import found, and what an audit of images, pairs and labels found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.registration import offsets_figure
from dashboard.components.notice import explain
from dashboard.components.words import label_text, plain
from rice_ssl.card.looked_at import looked_at, not_looked_at
from rice_ssl.errors import ArtifactError
from rice_ssl.sensors import BOTH

PER_PAGE = 6
KINDS = {
    "label": ("Labels in doubt", "To a judge that did not learn from it the pair looks like another class than its "
              "label says."),
    "duplicate": ("Duplicates", "Two pairs whose images are nearly the same; in two splits, or with two labels, they "
                  "do harm."),
    "wrong_pair": ("Wrong pairs", "The two sensors' images do not seem to show the same plant."),
    "registration": ("Shifted pairs", "The second sensor's image lies shifted against the first one's."),
    "exposure": ("Exposure", "Images much darker or brighter than the others of their sensor."),
    "blur": ("Blur", "Images much less sharp than the others of their sensor."),
    "saturation": ("Saturation", "Images in which many values are at the end of the range, where detail is lost."),
}  # fmt: skip
"""Kind of a finding -> its title, and what it means."""


def draw(run: RunKey) -> None:
    """Both, one after the other; of the audit one kind at a time, a page at a time."""
    try:
        _import(run)
    except ArtifactError as error:
        explain(error)
    if not access.has(run, "audit"):
        st.caption(
            "Duplicates, wrong pairs, shifts, exposure, blur and doubtful labels have not been looked for: "
            f"`rice-ssl audit {run.path}`."
        )
        return
    _audit(run)


def _import(run: RunKey) -> None:
    findings = access.table(run, "findings")
    if findings.empty:
        st.success("The import found nothing wrong: every pair is complete, and no image is there twice.")
        return
    counts = findings["kind"].value_counts()
    with st.container(horizontal=True):
        for kind, count in counts.items():
            st.badge(f"{plain(str(kind).replace('_', ' '))}: {count}", color="orange", icon=":material/warning:")
    with st.expander(f"All {len(findings):,} findings of the import", icon=":material/list:"):
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


def _audit(run: RunKey) -> None:
    """Findings of the audit by kind, the worst first."""
    found = access.table(run, "audit")
    if found.empty:
        _nothing(run)
        return
    for sentence in _not_looked_at(run):
        st.info(sentence, icon=":material/info:")
    counts = found["kind"].value_counts()
    kinds = [kind for kind in [*KINDS, *sorted(set(counts.index) - set(KINDS))] if kind in counts.index]
    words = {kind: KINDS[kind][0] if kind in KINDS else kind.replace("_", " ").capitalize() for kind in kinds}
    state.say_unknown("audit", list(words.values()), words[kinds[0]])
    kind = str(
        st.segmented_control(
            "The audit found", kinds, default=kinds[0], required=True, key="audit", bind="query-params",
            format_func=words.__getitem__,
        )
    )  # fmt: skip
    own = found[found["kind"] == kind].sort_values("score", ascending=False, kind="stable")
    told = ", ".join(f"{plain(words[name].lower())} {counts[name]:,}" for name in kinds)
    st.caption(" ".join([KINDS[kind][1] if kind in KINDS else "", *_notes(run, kind), "The worst first."]).strip())
    st.caption(f"Of all kinds: {told}.")
    if kind == "registration":
        _offsets(run)
    try:
        access.table(run, "thumbnails", ["pair_id"])
        pictures = True
    except ArtifactError as error:
        explain(error)
        pictures = False
    known = _known(run, kind)
    pages = -(-len(own) // PER_PAGE)
    key = f"audit_{kind}_page"
    state.say_unknown(key, [str(number) for number in range(1, pages + 1)], "page 1")
    place = st.container()
    page = st.pagination(pages, key=key, bind="query-params") if pages > 1 else 1
    start = PER_PAGE * (page - 1)
    with place:
        grid = st.grid(3, min_column_width=280, gap="small")
        for number, (_, row) in enumerate(own.iloc[start : start + PER_PAGE].iterrows()):
            with grid.cell(), st.container(border=True, height="stretch"):
                _finding(run, row, known, f"{kind}-{start + number}", pictures=pictures)
    if access.has_document(run, "audit"):
        with st.expander("How it was looked for", icon=":material/tune:"):
            try:
                st.json(access.document(run, "audit"), expanded=1)
            except ArtifactError as error:
                explain(error)


def _nothing(run: RunKey) -> None:
    """That nothing was found, only of what was looked at."""
    try:
        document = access.document(run, "audit")
    except ArtifactError as error:
        st.info("The audit's table holds no finding; what was looked at is not known.")
        explain(error)
        return
    said, lacking = looked_at(document), not_looked_at(document)
    st.success(f"The audit found nothing wrong. It looked at {plain(said)}.")
    for sentence in lacking:
        st.info(plain(sentence), icon=":material/info:")


def _not_looked_at(run: RunKey) -> list[str]:
    """What the audit did not judge and why; nothing where audit.json is not there."""
    try:
        return [plain(sentence) for sentence in not_looked_at(access.document(run, "audit"))]
    except ArtifactError:  # said below, where the document is to be shown
        return []


def _finding(run: RunKey, row: Mapping[str, Any], known: _Known, key: str, *, pictures: bool) -> None:
    """One finding: the images of its pair, or of both pairs, what was found, and a way to the leaf."""
    pairs = [name for name in (row["pair_id"], row["other_pair_id"]) if isinstance(name, str)]
    for pair_id in pairs if pictures else []:
        _images(run, pair_id)
    st.markdown(plain(row["detail"]))
    if said := _said(run, row, known):
        st.caption(plain(said))
    with st.container(horizontal=True):
        for pair_id in pairs:
            if st.button(pair_id, key=f"audit-{key}-{pair_id}", type="tertiary", icon=":material/open_in_new:"):
                state.open_screen("leaf", pair=pair_id)


def _images(run: RunKey, pair_id: str) -> None:
    """A pair's images side by side."""
    titles = access.titles(run)
    sides = st.grid(len(titles) - 1, min_column_width=60, gap="xsmall")
    for sensor in access.sensors(run):
        picture = access.thumbnail(run, pair_id, sensor)
        if picture is None:
            sides.caption(f"no {plain(titles[sensor])} image")
        else:
            sides.image(picture, caption=titles[sensor], width="stretch", alt=f"{titles[sensor]} image of {pair_id}")


def _notes(run: RunKey, kind: str) -> list[str]:
    """What audit.json tells of how a kind was looked for; nothing where it cannot be read."""
    try:
        document = access.document(run, "audit")
        labels, wrong = document["labels"], document["wrong_pairs"]
        if kind == "label" and labels.get("source"):
            judge, agree = plain(labels["source"]), 100 * labels["agree"]
            return [f"Judged by {judge}, which agrees with {agree:.0f}% of the labels."]
        return [plain(wrong["note"])] if kind == "wrong_pair" and wrong.get("note") else []
    except (ArtifactError, AttributeError, KeyError, TypeError, ValueError):
        return []


@dataclass(frozen=True)
class _Known:
    """What is said beside the findings: pairs, pairs as cross-validation judged them, shifts; None where not there."""

    pairs: pd.DataFrame
    judged: pd.DataFrame | None
    moved: pd.DataFrame | None


def _known(run: RunKey, kind: str) -> _Known:
    judged = kind == "label" and access.has(run, access.CROSS_VALIDATION)
    moved = kind == "registration" and access.has(run, "registration")
    return _Known(
        access.pairs(run),
        access.cross_validated(run) if judged else None,
        access.table(run, "registration").drop_duplicates("pair_id").set_index("pair_id") if moved else None,
    )


def _said(run: RunKey, row: Mapping[str, Any], known: _Known) -> str:
    """What the detail leaves out: labels, what networks say that did not see the pair, how far images are shifted."""
    pair_id = row["pair_id"]
    if known.judged is not None and pair_id in known.judged.index:
        own, titles = known.judged.loc[pair_id], access.titles(run)
        said = [
            f"{titles[name]} {own[f'{name}_prediction']} {own[f'{name}_confidence']:.2f}"
            for name in (BOTH, *access.sensors(run))
            if isinstance(own.get(f"{name}_prediction"), str)
        ]
        return f"Label {label_text(own['label'])}. Cross-validation: {', '.join(said)}."
    if known.moved is not None and pair_id in known.moved.index:
        one = known.moved.loc[pair_id]
        return f"Shift {one['dx']:+.1f} px across, {one['dy']:+.1f} px down; confidence {one['confidence']:.2f}."
    pairs = [name for name in (pair_id, row["other_pair_id"]) if name in known.pairs.index]
    return " · ".join(f"{name}: {label_text(known.pairs.loc[name, 'label'])}" for name in pairs)


def _offsets(run: RunKey) -> None:
    """Shifts of all pairs in one figure."""
    try:
        moved = access.table(run, "registration")
    except ArtifactError as error:
        explain(error)
        return
    if moved.empty:
        return
    sure = moved[moved["confident"].astype(bool)]
    left, right = st.columns([2, 3], gap="large", vertical_alignment="center")
    with left:
        st.plotly_chart(
            offsets_figure(moved), config={"displayModeBar": False}, key="offsets",
            alt="How far the second sensor's image of each pair is shifted",
        )  # fmt: skip
    with right:
        told = f"Measured with confidence in {len(sure):,} of {len(moved):,} pairs."
        if len(sure):
            told += (
                f" Median shift of these: {sure['dx'].median():+.1f} px across, {sure['dy'].median():+.1f} px down, of "
                "the second sensor's image against the first one's."
            )
        st.markdown(told)
