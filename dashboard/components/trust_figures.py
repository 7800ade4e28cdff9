"""How far each kind of map may be trusted: the run's figures, in a sentence, a picture and a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.charts.figures import sensor_colours
from dashboard.charts.trust import Trusted, randomisation_figure, trust_figure
from dashboard.components import picture
from dashboard.components.figure_words import decimal, percent
from dashboard.components.words import plain

Document = Mapping[str, Any]
ALL = "all classes"
BASELINES = {"random": "Random maps", "gaussian": "Centred Gaussian"}
MEASURES = {
    "score": "Score: insertion less deletion",
    "deletion": "Deletion: probability left, less is better",
    "insertion": "Insertion: probability won, more is better",
    "road": "ROAD: least less most relevant removed",
}


def command(run: RunKey) -> str:
    """What makes a run's attribution."""
    return f"rice-ssl attribution {run.path}"


def kind_titles(document: Document) -> dict[tuple[str, str], str]:
    """How each kind of map is written, by method and layer: the last layer's first, baselines last."""
    maps = {(one["method"], one["layer"]): one for one in document["maps"]}
    measured = dict.fromkeys((one["method"], one["layer"]) for one in document["trust"])
    found = {}
    for method, layer in measured:
        title = str(maps[method, layer]["title"]) if (method, layer) in maps else BASELINES.get(method, method)
        found[method, layer] = title if layer in ("none", "input") else f"{title}, {layer}"

    def place(kind: tuple[str, str]) -> tuple[bool, bool, int]:
        number = re.search(r"(\d+)$", kind[1])  # stages are numbered towards the last one
        return kind[0] in BASELINES, kind[1] == "input", -int(number.group(1)) if number else 0

    return {kind: found[kind] for kind in sorted(found, key=place)}


def draw(run: RunKey, document: Document) -> None:
    """Trust of every kind of map, for all classes or one."""
    classes = list(dict.fromkeys(one["class"] for one in document["trust"] if one["class"] is not None))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state.say_unknown("trust_class", [ALL, *classes], ALL)
        class_name = st.segmented_control(
            "Leaves predicted as", [ALL, *classes], default=ALL, required=True, key="trust_class",
            bind="query-params",
        )  # fmt: skip
        state.say_unknown("trust_measure", list(MEASURES.values()), MEASURES["score"])
        measure = st.selectbox(
            "Measure", list(MEASURES), key="trust_measure", bind="query-params", format_func=MEASURES.__getitem__,
            width=340,
        )  # fmt: skip
    wanted = None if class_name == ALL else class_name
    own = [one for one in document["trust"] if one["class"] == wanted]
    titles, kinds = access.titles(run), kind_titles(document)
    for sensor in dict.fromkeys(one["sensor"] for one in own):
        st.markdown(_answer([one for one in own if one["sensor"] == sensor], plain(titles.get(sensor, sensor)), kinds))
    given = [
        Trusted(str(titles.get(one["sensor"], one["sensor"])), kinds[kind], one[measure], _kind(one))
        for kind in kinds
        for one in own
        if (one["method"], one["layer"]) == kind and one[measure] is not None
    ]
    if given:
        picture.draw(
            trust_figure(given, MEASURES[measure].partition(":")[0]), key="trust_figure", filename=f"trust-{measure}",
            alt=f"{MEASURES[measure]} of every kind of map and sensor",
        )  # fmt: skip
    else:
        st.info("This was not measured.")
    if wanted is None:
        st.caption(
            "Removing pixels tests maps for classes that show something. Where a class is the want of anything, as "
            "healthy leaves are, little changes whatever is removed: look at the classes one by one."
        )
    _table(own, titles, kinds)


def _kind(one: Mapping[str, Any]) -> str:
    if one["method"] in BASELINES:
        return "baseline"
    return "better" if is_better(one["above_random"]) else "poor"


def is_better(difference: Mapping[str, float] | None) -> bool:
    """Whether a difference is above 0 beyond chance."""
    return difference is not None and difference["low"] > 0


def _answer(own: Sequence[Mapping[str, Any]], sensor: str, kinds: Mapping[tuple[str, str], str]) -> str:
    """Which map of one sensor's images to believe, in a sentence."""
    maps = [one for one in own if one["method"] not in BASELINES and one["score"] is not None]
    good = [one for one in maps if is_better(one["above_random"])]
    if not maps:
        return f"**{sensor}**: too few leaves to say which map to believe."
    if not good:
        return f"**{sensor}**: no kind of map is shown to do better than random ones here, so do not rely on any."
    best = max(good, key=lambda one: one["score"]["value"])
    name = plain(kinds[best["method"], best["layer"]])
    than = best["above_gaussian"]
    if is_better(than):
        centre = f"and better than a Gaussian in the centre, by {decimal(than)}"
    elif than is not None and than["high"] < 0:
        centre = f"but worse than a Gaussian in the centre, by {decimal(than)}"
    else:
        centre = "but is not shown to be better than a Gaussian in the centre"
    poor = [plain(kinds[one["method"], one["layer"]]) for one in maps if not is_better(one["above_random"])]
    rest = f" Not shown to be better than random: {', '.join(poor)}." if poor else ""
    of = "Of those that are, " if poor else ""
    return (
        f"**{sensor}**: {of}{name} scores highest, {decimal(best['score'])}. It is better than random maps by "
        f"{decimal(best['above_random'])}, {centre}.{rest}"
    )


def _table(own: Sequence[Mapping[str, Any]], titles: Mapping[str, str], kinds: Mapping[tuple[str, str], str]) -> None:
    def told(one: Mapping[str, Any], name: str) -> str:
        entry = one[name]
        return "" if entry is None else percent(entry) if name == "better_share" else decimal(entry)

    columns = {
        "score": "Score", "above_random": "Above random maps", "above_gaussian": "Above the centred Gaussian",
        "better_share": "Maps better than random", "deletion": "Deletion", "insertion": "Insertion", "road": "ROAD",
    }  # fmt: skip
    rows = [
        {
            "Sensor": titles.get(one["sensor"], one["sensor"]),
            "Map": kinds[kind],
            "Images": one["pairs"],
            **{title: told(one, name) for name, title in columns.items()},
        }
        for kind in kinds
        for one in own
        if (one["method"], one["layer"]) == kind
    ]
    with st.expander("All figures", icon=":material/table:"):
        st.dataframe(
            pd.DataFrame(rows).sort_values("Sensor", kind="stable"),
            hide_index=True,
            key="trust_table",
            column_config={
                "Maps better than random": st.column_config.TextColumn(
                    help="Share of maps that beat all but at most 1 in 20 random ones (p at most .05)."
                )
            },
        )


def randomisation(run: RunKey, document: Document) -> None:
    """Whether maps depend on what the network learnt."""
    found, kinds = document["randomisation"], kind_titles(document)
    there = [kind for kind in kinds if any((one["method"], one["layer"]) == kind for one in found)]
    if not there:
        st.info("No map was measured on a randomised network.")
        return
    texts = {kind: kinds[kind] for kind in there}
    state.say_unknown("trust_randomised", list(texts.values()), texts[there[0]])
    kind = st.selectbox(
        "Map", there, format_func=texts.__getitem__, key="trust_randomised", bind="query-params", width=260
    )
    own = [one for one in found if (one["method"], one["layer"]) == kind]
    st.markdown(
        "A map that stays as it is when the network forgets what it learnt does not explain the network. From left to "
        "right, stage after stage is given new random weights, and the map for the same class is compared with that of "
        "the trained network."
    )
    picture.draw(
        randomisation_figure(
            {one["sensor"]: one["stages"] for one in own}, sensor_colours(access.sensors(run)), access.titles(run)
        ),
        key="randomisation_figure",
        filename="randomisation",
        alt="Rank correlation of maps with the trained network's, by stage randomised",
    )
    for one in own:
        last = one["stages"][-1]["rank_correlation"] if one["stages"] else None
        if last is not None:
            name = plain(access.titles(run).get(one["sensor"], one["sensor"]))
            kept = "something of it stays" if last["low"] > 0 else "nothing of it is shown to stay"
            st.markdown(
                f"**{name}**: with every stage randomised, the correlation is {decimal(last)}: {kept} "
                f"({one['pairs']:,} images)."
            )
