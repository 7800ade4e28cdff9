"""Classifiers trained on one sensor, on the other, on both, from several weights: what each buys, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.charts.comparison import METHODS, STARTS, efficiency_figure, transfer_matrix
from dashboard.charts.dots import Dot, dot, dots_figure
from dashboard.charts.figures import sensor_colours
from dashboard.components.about_run import PRETRAINED, SIMULATED
from dashboard.components.figure_words import (
    COLOURS_AND_RINGS,
    FIGURES,
    FOLLOWS,
    SHARES,
    decimal,
    p_value,
    percent,
    points,
    verdict,
)
from dashboard.components.notice import reading
from dashboard.components.words import plain
from rice_ssl.sensors import BOTH

COMMAND = "rice-ssl compare CONFIG"
QUESTIONS = {
    "sensor": "Which sensor is better alone?",
    "fusion": "Does it help to have both?",
    "start": "Do the weights it starts from matter?",
}


def draw() -> None:
    """Figures of the conditions, their differences, label efficiency and transfer.

    Raises:
        ArtifactError: there is no comparison, or it cannot be read.
    """
    content = access.comparison()
    with reading("comparison.json", COMMAND):
        titles = {one["name"]: one["title"] for one in content["sensors"]} | {BOTH: "Joint"}
        _about(content)
        if not content["conditions"]:
            st.info(f"No classifier of this comparison is done yet: `{COMMAND}` goes on with it.")
            return
        st.subheader("Which sensor, and from which weights?")
        _conditions(content, titles)
        if content["differences"]:
            st.subheader("What makes a difference?")
            _differences(content, titles)
        if content["label_efficiency"]:
            st.subheader("How many labels does it take?")
            _efficiency(content, titles)
        if any(one["trained_on"] != one["tested_on"] for one in content["transfer"]):
            st.subheader("Does one sensor's classifier understand the other's images?")
            _transfer(content, titles)
    with st.expander("Settings", icon=":material/tune:"):
        st.json({"folds": content["folds"], "seeds": content["seeds"], **content.get("settings", {})})


def _about(content: Mapping[str, Any]) -> None:
    """What was compared on which data, and whether it is complete."""
    if content["simulated"]:
        st.badge(SIMULATED, icon=":material/science:", color="orange")
    data = f" on {plain(content['data_root'])}" if content.get("data_root") else ""
    seeds = len(content["seeds"])
    swav = f" {PRETRAINED}" if any(one["start"] == "swav" for one in content["conditions"]) else ""
    st.caption(
        f"**{plain(content['name'])}**{data}: {len(content['conditions'])} classifiers, each cross-validated in "
        f"{content['folds']} folds with {seeds} seed{'' if seeds == 1 else 's'}. All figures are of labelled pairs, "
        f"judged by networks that did not see them; they are not of the run that is open.{swav}"
    )
    if content["done"] < content["planned"]:
        st.warning(
            f"{content['done']} of {content['planned']} trainings are done, so this will change: `{COMMAND}` goes on.",
            icon=":material/hourglass_top:",
        )


def _conditions(content: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Each classifier's figures by judge; of a judge that it never saw in fine-tuning as a ring."""
    whole = [one for one in content["conditions"] if one["label_fraction"] >= 1]
    colours = {titles[name]: colour for name, colour in sensor_colours([n for n in titles if n != BOTH]).items()}
    dots: list[Dot | None] = []
    for name in ("accuracy", "log_loss"):
        for one in whole:
            for judge, figures in one["figures"].items():
                unseen = one["sensors"] in titles and judge != one["sensors"]
                dots.append(dot(FIGURES[name], one["name"], figures[name], titles.get(judge, judge), hollow=unseen))
    if whole:
        st.plotly_chart(
            dots_figure(dots, colours, columns=2, shares=SHARES), config={"displayModeBar": False}, key="conditions",
            alt="Accuracy and log loss of each classifier, by the images it judges from",
        )  # fmt: skip
        st.caption(f"{COLOURS_AND_RINGS} Intervals: {100 * content['confidence']:g}%, over pairs.")
    else:
        st.info("No classifier that learnt from all labels is done yet; those of fewer labels are in the table.")
    with st.expander("All figures as a table", icon=":material/table_rows:"):
        st.dataframe(conditions_table(content, titles), hide_index=True, key="conditions-table", alt="All figures")


def conditions_table(content: Mapping[str, Any], titles: Mapping[str, str]) -> pd.DataFrame:
    """A row for each condition and judge, a column for each figure."""
    return pd.DataFrame(
        [
            {
                "Classifier": one["name"],
                "Labelled pairs": one["labelled"],
                "Judged from": titles.get(judge, judge),
                **{title: decimal(figures[name], 3) for name, title in FIGURES.items() if figures.get(name)},
            }
            for one in content["conditions"]
            for judge, figures in one["figures"].items()
        ]
    )


def _differences(content: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    """Answers in words for accuracy, and all differences as a table."""
    for question in dict.fromkeys(gap["question"] for gap in content["differences"]):
        gaps = [gap for gap in content["differences"] if (gap["question"], gap["name"]) == (question, "accuracy")]
        if gaps:
            lines = "\n".join(f"- {difference_sentence(gap, titles)}" for gap in gaps)
            st.markdown(f"**{QUESTIONS.get(question, plain(question))}**\n\n{lines}")
    st.dataframe(
        differences_table(content["differences"], titles), hide_index=True, key="differences-table",
        alt="Paired differences between classifiers",
    )  # fmt: skip
    st.caption(
        f"First minus second with its {100 * content['confidence']:g}% interval, paired over the same pairs. ▲ more, "
        "▼ less (of log loss less is better); no sign where the interval holds 0, which shows no difference, not that "
        f"there is none. {FOLLOWS} Several questions are asked of the same pairs, and no figure is "
        "corrected for that."
    )


def difference_sentence(gap: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """One paired difference of accuracy in words."""
    first, second = (plain(_side(gap, side, titles)) for side in ("a", "b"))
    said = verdict(gap, first, second, lower_is_better=False)
    test = "" if gap.get("mcnemar_p") is None else f", McNemar {p_value(float(gap['mcnemar_p']))}"
    return f"{first} against {second}: accuracy {points(gap)}{test}: {said}."


def _side(gap: Mapping[str, Any], side: str, titles: Mapping[str, str]) -> str:
    """A side of a difference, ``a`` or ``b``: the classifier, and the images that it judged from."""
    judge = gap[f"judge_{side}"]
    return f"{gap[side]} ({titles.get(judge, judge)})"


def differences_table(gaps: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> pd.DataFrame:
    """A row for each two classifiers, with their differences in accuracy and log loss."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for gap in gaps:
        sides = [_side(gap, side, titles) for side in ("a", "b")]
        row = rows.setdefault((gap["question"], *sides), {"First": sides[0], "Second": sides[1], "Pairs": gap["pairs"]})
        sign = " ▲" if gap["low"] > 0 else " ▼" if gap["high"] < 0 else ""
        row[FIGURES.get(gap["name"], gap["name"])] = (
            f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]{sign}"
        )
        if gap.get("mcnemar_p") is not None:
            row["McNemar"] = p_value(float(gap["mcnemar_p"]))
    return pd.DataFrame(list(rows.values())).fillna("")


def _efficiency(content: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    entries = content["label_efficiency"]
    names = list(dict.fromkeys(one["name"] for one in entries))
    judges = list(dict.fromkeys(one["judge"] for one in entries))
    with st.container(horizontal=True):
        name = _choose("Figure", "efficiency_figure", {name: FIGURES.get(name, name) for name in names})
        judge = _choose("Judged from", "efficiency_judge", {one: titles.get(one, one) for one in judges})
    own = [one for one in entries if (one["name"], one["judge"]) == (name, judge)]
    if not own:
        st.info("There is no such figure.")
        return
    st.plotly_chart(
        efficiency_figure(own, FIGURES.get(name, name)), config={"displayModeBar": False}, key="efficiency",
        alt=f"{FIGURES.get(name, name)} by the number of labelled pairs, for each kind of weights",
    )  # fmt: skip
    st.caption(f"Whiskers: {100 * content['confidence']:g}% intervals over the judged pairs.")


def _transfer(content: Mapping[str, Any], titles: Mapping[str, str]) -> None:
    entries = [one for one in content["transfer"] if one["name"] == "accuracy"]
    kinds = {
        f"{one['start']}-{one['method']}": f"{STARTS.get(one['start'], one['start'])}, "
        f"{METHODS.get(one['method'], one['method'])}"
        for one in entries
    }
    kind = _choose("Classifier", "transfer_kind", kinds)
    own = [one for one in entries if f"{one['start']}-{one['method']}" == kind]
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        st.plotly_chart(
            transfer_matrix(own, titles), config={"displayModeBar": False}, key="transfer",
            alt="Accuracy by the sensor trained on and the sensor tested on",
        )  # fmt: skip
    with right:
        for one in own:
            if one["trained_on"] != one["tested_on"]:
                st.markdown(
                    f"- Trained on **{plain(titles.get(one['trained_on'], one['trained_on']))}**, tested on "
                    f"**{plain(titles.get(one['tested_on'], one['tested_on']))}**, never seen in fine-tuning: "
                    f"{percent(one)} of {one['pairs']:,} pairs right."
                )


def _choose(title: str, key: str, words: Mapping[str, str]) -> str:
    """A choice that the link keeps, the first at first."""
    options = list(words)
    state.say_unknown(key, list(words.values()), words[options[0]])
    return str(
        st.segmented_control(
            title, options, default=options[0], required=True, key=key, bind="query-params",
            format_func=lambda name: words.get(name, name),
        )
    )  # fmt: skip
