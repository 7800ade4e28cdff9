"""Runs: in which settings they differ, how good each is, whether a difference is more than chance, and their cards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, computed, run_list, state
from dashboard.access import RunKey
from dashboard.charts.dots import Dot, dot, dots_figure
from dashboard.charts.figures import sensor_colours
from dashboard.components import about_run, reported
from dashboard.components.figure_words import (
    COLOURS_AND_RINGS,
    FIGURES,
    FOLLOWS,
    SHARES,
    decimal,
    p_value,
    points,
    verdict,
)
from dashboard.components.notice import explain, reading
from dashboard.components.run_settings import differing
from dashboard.components.words import JUDGED, plain
from rice_ssl.errors import ArtifactError, RiceSSLError
from rice_ssl.sensors import BOTH

MOST = 8
OWN = "What each learnt from"


def page() -> None:
    """Draw the screen."""
    badges = st.container()
    st.title("Runs")
    chosen = _choose()
    if not chosen:
        st.info("Choose one run or more.")
        return
    simulated = [name for name, run in chosen.items() if access.info(run).get("simulated")]
    if simulated:
        text = about_run.SIMULATED if len(simulated) == len(chosen) else f"Simulated data: {_named(simulated)}"
        badges.badge(text, icon=":material/science:", color="orange")
    if len(chosen) > 1:
        st.subheader("In which settings do they differ?")
        _settings(chosen)
    st.subheader("How good are they?")
    _figures(chosen)
    st.subheader("Model cards")
    for name, run in chosen.items():
        _card(name, run)


def _choose() -> dict[str, RunKey]:
    """Runs to compare: at first the one that is open, and another one."""
    known = run_list.known_runs(access.current_run())
    state.say_unknown("runs", list(known))
    names = st.multiselect(
        "Runs to compare", list(known), default=list(known)[:2], key="runs", bind="query-params", max_selections=MOST,
        placeholder="Choose runs",
        help="Runs named with `--run DIR`, those in the folders beside the open one, and those of the comparison "
        "(`--comparison DIR`).",
    )  # fmt: skip
    if len(known) == 1:
        st.caption("There is no other run beside this one. Name further runs with `--run DIR`.")
    found = {}
    for name in names:
        try:
            access.info(known[name])
            found[name] = known[name]
        except ArtifactError as error:
            explain(error)
    return found


def _settings(chosen: Mapping[str, RunKey]) -> None:
    table = differing({name: access.info(run) for name, run in chosen.items()})
    if table.empty:
        st.caption("In none that run.json notes.")
        return
    st.dataframe(table, hide_index=True, key="settings", alt="Settings in which the runs differ")
    st.caption("Settings that are the same in all these runs are left out.")


def _figures(chosen: Mapping[str, RunKey]) -> None:
    """Figures of each run and judge on the pairs of one split, and paired differences between runs."""
    reports: dict[str, Mapping[str, Any]] = {}
    for name, run in chosen.items():
        with _of_run(name, run):
            report = computed.report(run)
            sure = {"confidence": float(report["confidence"]), "bootstrap": int(report["bootstrap"])}
            reports[name] = {**sure, "splits": {s: p for s, p in report["splits"].items() if p["sensors"]}}
    splits = [split for split in JUDGED if any(split in one["splits"] for one in reports.values())]
    if not splits:
        st.info("None of these runs has figures on labelled pairs.")
        return
    default = max(splits, key=lambda split: sum(split in one["splits"] for one in reports.values()))
    state.say_unknown("runs_split", [JUDGED[split] for split in splits], JUDGED[default])
    split = str(
        st.segmented_control(
            "Pairs", splits, default=default, required=True, key="runs_split", bind="query-params",
            format_func=JUDGED.__getitem__,
        )
    )  # fmt: skip
    there = {name: one["splits"][split] for name, one in reports.items() if split in one["splits"]}
    lacking = [name for name in reports if name not in there]
    if lacking:
        st.caption(f"Without figures on these pairs: {_named(lacking)}.")
    dots: list[Dot | None] = []
    rows: list[dict[str, Any]] = []
    runs: dict[str, RunKey] = {}
    for name, part in there.items():
        with _of_run(name, chosen[name]):
            own = _dots(name, chosen[name], part), _rows(name, chosen[name], part)
            dots += own[0]
            rows += own[1]
            runs[name] = chosen[name]
    if not runs:
        return
    _chart(runs, dots)
    st.dataframe(pd.DataFrame(rows), hide_index=True, key="runs-table", alt="Figures of each run")
    _reservations(runs, split)
    if len(runs) > 1:
        st.subheader("Is a difference more than chance?")
        first = reports[next(iter(runs))]
        _differences(runs, {name: there[name] for name in runs}, split, first)


@contextlib.contextmanager
def _of_run(name: str, run: RunKey) -> Iterator[None]:
    """Around the reading of one run's report: what is wrong is said with the run's name, and the page goes on."""
    try:
        with reading("report.json", reported.command(run)):
            yield
    except ArtifactError as error:
        explain(ArtifactError(f"{plain(name)}: {error}"))


def _named(names: Sequence[str]) -> str:
    return ", ".join(plain(name) for name in names)


def _reservations(runs: Mapping[str, RunKey], split: str) -> None:
    """What to bear in mind of the figures, as Overview says it; of some runs only, with their names."""
    told: dict[str, list[str]] = {}
    for name, run in runs.items():
        for sentence in about_run.reservations(run, split):
            told.setdefault(sentence, []).append(name)
    said = [
        sentence if len(names) == len(runs) else f"{_named(names)}: {sentence[0].lower()}{sentence[1:]}"
        for sentence, names in told.items()
    ]
    if said:
        st.caption(" ".join(said))


def _dots(name: str, run: RunKey, part: Mapping[str, Any]) -> list[Dot | None]:
    """Accuracy and log loss of a run by judge; of a sensor that its classifier never saw in fine-tuning as a ring."""
    trained, titles = access.trained_sensors(run), access.titles(run)
    alone = trained in access.sensors(run)
    return [
        dot(FIGURES[figure], name, one["figures"][figure], titles.get(judge, judge), hollow=alone and judge != trained)
        for figure in ("accuracy", "log_loss")
        for judge, one in part["sensors"].items()
    ]


def _chart(runs: Mapping[str, RunKey], dots: Sequence[Dot | None]) -> None:
    colours: dict[str, str] = {}
    for run in runs.values():
        own = access.titles(run)
        colours |= {own[name]: colour for name, colour in sensor_colours(access.sensors(run)).items()}
    st.plotly_chart(
        dots_figure(dots, colours, columns=2, shares=SHARES), config={"displayModeBar": False}, key="runs-figures",
        alt="Accuracy and log loss of each run",
    )  # fmt: skip
    st.caption(f"{COLOURS_AND_RINGS} Two runs' intervals may overlap although they differ on the same pairs.")


def _rows(name: str, run: RunKey, part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table, one for each judge of a run."""
    rows, titles = [], access.titles(run)
    for judge, one in part["sensors"].items():
        row = {"Run": name, "Judged from": titles.get(judge, judge), "Pairs": one["n"]}
        for figure, title in FIGURES.items():
            entry = one["figures"].get(figure)
            row[title] = decimal(entry, 3) if entry else ""
        rows.append(row)
    return rows


def _differences(
    runs: Mapping[str, RunKey], parts: Mapping[str, Mapping[str, Any]], split: str, report: Mapping[str, Any]
) -> None:
    """Each run against the first, pair by pair."""
    common = [
        judge for judge in next(iter(parts.values()))["sensors"] if all(judge in p["sensors"] for p in parts.values())
    ]
    titles = access.titles(next(iter(runs.values())))
    words = {OWN: OWN, **{judge: titles.get(judge, judge) for judge in common}}
    state.say_unknown("runs_judge", list(words.values()), words[OWN])
    judge = str(
        st.segmented_control(
            "Judged from", list(words), default=OWN, required=True, key="runs_judge", bind="query-params",
            format_func=words.__getitem__,
        )
    )  # fmt: skip
    first, *others = runs
    confidence, bootstrap = report["confidence"], report["bootstrap"]
    for other in others:
        judges = tuple(
            own_judge(runs[name], parts[name]["sensors"]) if judge == OWN else judge for name in (first, other)
        )
        called = [
            plain(f"{name} ({access.titles(runs[name]).get(one, one)})")
            for name, one in zip((first, other), judges, strict=True)
        ]
        try:
            found = computed.paired(
                runs[first], runs[other], (judges[0], judges[1]), split, bootstrap=bootstrap, confidence=confidence
            )
        except RiceSSLError as error:
            st.markdown(f"- {called[0]} against {called[1]}: {error}")
            continue
        st.markdown(f"- {difference_sentence(found, called[0], called[1])}")
    st.caption(
        f"On labelled pairs that both judged and whose images are the same in both. Intervals: {100 * confidence:g}%, "
        f"paired. An interval that holds 0 shows no difference; it does not show that there is none. {FOLLOWS}"
    )
    single = [name for name in runs if not access.is_calibrated(runs[name], split)]
    several = [name for name in runs if name not in single]
    if single and several:
        st.caption(
            f"One network's probabilities, as trained: {_named(single)}. The mean of several networks, scaled by a "
            f"temperature (cross-validation): {_named(several)}. Part of a difference may come from that, not from "
            "what they learnt."
        )


def own_judge(run: RunKey, judges: Sequence[str] | Mapping[str, Any]) -> str:
    """The judge that stands for a run: the sensor it learnt from alone, else the pair's images together."""
    trained = access.trained_sensors(run)
    if trained in judges:
        return str(trained)
    return BOTH if BOTH in judges else next(iter(judges))


def difference_sentence(found: computed.Paired, first: str, second: str) -> str:
    """A paired difference of two runs in words."""
    accuracy, loss = found.accuracy.as_dict(), found.log_loss.as_dict()
    return (
        f"{first} against {second}, {found.pairs:,} pairs: accuracy {points(accuracy)} (McNemar {p_value(found.p)}): "
        f"{verdict(accuracy, first, second, lower_is_better=False)}; log loss {loss['value']:+.3f} nats "
        f"[{loss['low']:+.3f}, {loss['high']:+.3f}]: {verdict(loss, first, second, lower_is_better=True)}."
    )


def _card(name: str, run: RunKey) -> None:
    text, page = access.card(run)
    if text is None:
        st.caption(f"{plain(name)} has no model card: `rice-ssl card {run.path}`.")
        return
    with st.expander(f"Card of {plain(name)}", icon=":material/description:"):
        st.markdown(text)
        if page is not None:
            st.download_button(
                "Card as a page", page, f"card-{run.path.rpartition('/')[2]}.html", "text/html",
                icon=":material/download:", on_click="ignore", key=f"card-{name}",
            )  # fmt: skip
