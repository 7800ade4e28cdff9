"""The leaves whose maps explain the network best, and worst."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.components import evidence_export
from dashboard.components.gallery import gallery
from dashboard.components.trust_figures import BASELINES, Document, kind_titles
from dashboard.components.words import plain
from rice_ssl.evaluation.attribution_summary import MOST_P

SHOWN = 6
_COLUMNS = ["pair_id", "sensor", "method", "layer", "class_name", "score", "random_score", "p_random"]


def draw(run: RunKey, document: Document) -> None:
    """Galleries of one sensor's images, by how far the map's score is above that of random maps.

    Raises:
        ArtifactError: the table cannot be read.
    """
    kinds, titles = kind_titles(document), access.titles(run)
    texts = {kind: text for kind, text in kinds.items() if kind[0] not in BASELINES}
    trust = access.table(run, "trust", _COLUMNS)
    sensors = [name for name in access.sensors(run) if (trust["sensor"] == name).any()]
    if not texts or not sensors:
        st.info("No map was measured.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        state.say_unknown("trust_map", list(texts.values()), next(iter(texts.values())))
        kind = st.selectbox(
            "Map", list(texts), format_func=texts.__getitem__, key="trust_map", bind="query-params", width=260
        )
        state.say_unknown("trust_sensor", [titles[name] for name in sensors], titles[sensors[0]])
        sensor = st.segmented_control(
            "Sensor", sensors, default=sensors[0], required=True, key="trust_sensor", bind="query-params",
            format_func=titles.__getitem__,
        )  # fmt: skip
    own = trust[
        (trust["sensor"] == sensor) & (trust["method"] == kind[0]) & (trust["layer"] == kind[1])
    ].drop_duplicates("pair_id")
    own = own.assign(above=own["score"] - own["random_score"]).dropna(subset="above")
    own = own.sort_values(["above", "pair_id"], ascending=[False, True])
    beaten = int((own["p_random"] > MOST_P).sum())
    st.markdown(
        f"Of {len(own):,} maps of {plain(titles[sensor])} images, **{beaten:,}** do no better than random maps "
        "(p above .05)."
    )
    half = min(SHOWN, len(own) // 2)
    best, worst = ("Best", own.head(half or 1), "trust-best"), ("Worst", own.tail(half).iloc[::-1], "trust-worst")
    for title, part, key in (best, worst) if half else (best,):
        st.subheader(title)
        _gallery(run, str(sensor), part, key)
        evidence_export.export_button(run, part["pair_id"].tolist(), key=f"{key}-export")
    st.caption("Score (insertion less deletion) above that of random maps; the class is the one predicted.")


def _gallery(run: RunKey, sensor: str, part: pd.DataFrame, key: str) -> None:
    captions = {
        (one.pair_id, sensor): f"{plain(one.class_name)} · {round(one.above, 2) + 0.0:+.2f}"  # no "-0.00"
        for one in part.itertuples(index=False)
    }
    gallery(run, list(captions), key=key, captions=captions, columns=SHOWN)
