"""The prototypes of a run in a few figures, each with its interval and with what chance gives."""

from __future__ import annotations

import streamlit as st

from dashboard import access, prototype_data
from dashboard.access import RunKey
from dashboard.charts.dots import Dot, dots_figure
from dashboard.charts.figures import CLASS_COLOURS, GREY
from dashboard.components.words import plain
from rice_ssl.evaluation.assignment_flow import AssignmentAgreement
from rice_ssl.evaluation.prototype_figures import PrototypeFigures
from rice_ssl.evaluation.prototypes import perplexity

OWN, SHUFFLED = "this run", "shuffled"
_PANEL = "Next to chance"


def draw(run: RunKey) -> None:
    """Numbers of prototypes, then what the figures say, and the figures next to chance."""
    figures, titles = prototype_data.figures(run), access.titles(run)
    unusable = prototype_data.assigned(run)[1]
    _numbers(figures, titles)
    if unusable:
        st.caption(
            f"{unusable:,} {'image has an embedding' if unusable == 1 else 'images have embeddings'} with numbers that "
            "are not finite, and no prototype: left out here."
        )
    drawn = _dots(figures)
    left, right = st.columns([3, 2], gap="medium") if drawn else (st.container(), None)
    with left:
        for sentence in _sentences(run, figures, titles):
            st.markdown(sentence)
        for caution in figures.cautions:
            st.markdown(f":material/warning: {_titled(caution, figures, titles)}")
    if right is not None:
        with right:
            st.plotly_chart(
                dots_figure(drawn, {OWN: CLASS_COLOURS[1], SHUFFLED: GREY}, columns=1, shares={_PANEL}),
                key="prototype_figures", config={"displayModeBar": False},
                alt="Agreement, mutual information and purity, each next to chance",
            )  # fmt: skip


def _numbers(figures: PrototypeFigures, titles: dict[str, str]) -> None:
    table, (lone, beyond) = figures.table, figures.lone
    with st.container(horizontal=True):
        st.metric("Prototypes", len(table), border=True)
        st.metric(
            "Effective number (perplexity)", f"{perplexity(table['images'].to_numpy()):.1f}", border=True,
            help="Exponential of the entropy of usage: as many prototypes, used equally, would be as spread out. "
            + " · ".join(f"{titles[name]}: {value:.1f}" for name, value in figures.effective.items()),
        )  # fmt: skip
        st.metric("Without any image", figures.dead, border=True)
        if (table[[name for name in figures.sensors if name in table]].sum() > 0).sum() > 1:
            st.metric(
                "Hold one sensor only", lone, border=True,
                help=f"{beyond} of them hold more images than chance would give one sensor alone (binomial test "
                "against the sensors' shares of all images, 5% divided by the prototypes with an image).",
            )  # fmt: skip


def _sentences(run: RunKey, figures: PrototypeFigures, titles: dict[str, str]) -> list[str]:
    found = []
    if len(figures.sensors) < 2:
        found.append("This run has one sensor, so there is no agreement between sensors to measure.")
    elif figures.agreement is None:
        found.append("No pair has an image of both sensors, so there is no agreement to measure.")
    else:
        found += _agreement(figures.agreement, *(plain(titles[name]) for name in figures.sensors[:2]))
    purity = figures.purity
    if purity is None:
        found.append("No image is labelled, so how pure the prototypes are is not known.")
    else:
        verdict = "more than chance" if purity.beyond_chance else "no more than chance"
        found.append(
            f"**{100 * purity.value:.0f}%** [{100 * purity.low:.0f}, {100 * purity.high:.0f}] of {purity.images:,} "
            f"labelled images have the most frequent label of their prototype, {verdict} (labels shuffled: "
            f"{100 * purity.null_mean:.0f}% [{100 * purity.null_low:.0f}, {100 * purity.null_high:.0f}])."
        )
    return found


def _agreement(found: AssignmentAgreement, first: str, second: str) -> list[str]:
    verdict = "more often than chance" if found.beyond_chance else "no more often than chance"
    tells = "more than" if found.nmi_beyond_chance else "no more than"
    return [
        f"One prototype holds both images of a pair in **{100 * found.rate:.0f}%** [{100 * found.low:.0f}, "
        f"{100 * found.high:.0f}] of {found.pairs:,} {'pair' if found.pairs == 1 else 'pairs'}, {verdict} (shuffled "
        f"pairs: {100 * found.null_mean:.1f}% [{100 * found.null_low:.1f}, {100 * found.null_high:.1f}]).",
        f"Normalised mutual information between {first} and {second} assignments: **{found.nmi:.2f}** "
        f"[{found.nmi_low:.2f}, {found.nmi_high:.2f}], {tells} that of shuffled pairs ({found.nmi_null:.2f} "
        f"[{found.nmi_null_low:.2f}, {found.nmi_null_high:.2f}]).",
    ]


def _titled(sentence: str, figures: PrototypeFigures, titles: dict[str, str]) -> str:
    """Sensors by their titles, in sentences that the library words by their names."""
    words = {name: plain(titles[name]) for name in figures.sensors}
    return " ".join(words.get(word, word) for word in sentence.split(" "))


def _dots(figures: PrototypeFigures) -> list[Dot]:
    found, agreement, purity = [], figures.agreement, figures.purity
    if agreement is not None:
        row = "one for both images"
        found.append(Dot(_PANEL, row, agreement.rate, agreement.low, agreement.high, OWN))
        found.append(Dot(_PANEL, row, agreement.null_mean, agreement.null_low, agreement.null_high, SHUFFLED))
        row = "mutual information"
        found.append(Dot(_PANEL, row, agreement.nmi, agreement.nmi_low, agreement.nmi_high, OWN))
        found.append(Dot(_PANEL, row, agreement.nmi_null, agreement.nmi_null_low, agreement.nmi_null_high, SHUFFLED))
    if purity is not None:
        found.append(Dot(_PANEL, "purity", purity.value, purity.low, purity.high, OWN))
        found.append(Dot(_PANEL, "purity", purity.null_mean, purity.null_low, purity.null_high, SHUFFLED))
    return found
