"""How the pairs that are selected on the Map spread over the prototypes."""

from __future__ import annotations

import streamlit as st

from dashboard import prototype_data, selection, state
from dashboard.access import RunKey
from dashboard.charts.prototypes import selection_bars
from dashboard.components.notice import explain
from rice_ssl.errors import ArtifactError
from rice_ssl.evaluation.prototypes import perplexity


def draw(run: RunKey) -> None:
    """Prototypes of the selected pairs' images, where the link holds a selection."""
    try:
        chosen = selection.selected(run)
    except ArtifactError as error:
        explain(error)
        return
    if chosen is None:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Selected on the Map**")
            if st.button("Back to the Map", icon=":material/map:", key="prototype_to_map", type="tertiary"):
                state.open_screen("map", **selection.link(run))
        table, _ = prototype_data.assigned(run)
        own = table[table["pair_id"].isin(chosen)]
        noun = "pair" if len(chosen) == 1 else "pairs"
        if own.empty:
            st.caption(f"None of the {len(chosen):,} selected {noun} has an image with a prototype.")
            return
        count = prototype_data.prototype_count(run)
        numbers = range(count)
        held = own["prototype"].value_counts().reindex(numbers, fill_value=0)
        every = table["prototype"].value_counts().reindex(numbers, fill_value=0)
        used = int((held > 0).sum())
        both = prototype_data.paired(run)
        both = both[both.index.isin(chosen)]
        agree = ""
        if len(both):
            same = int((both["first"] == both["second"]).sum())
            agree = f" One prototype holds both images of {same:,} of {len(both):,} of these pairs."
        st.markdown(
            f"The {len(own):,} images of {len(chosen):,} {noun} are in **{used}** of {count:,} prototypes "
            f"({perplexity(held.to_numpy()):.1f} in effect; all images: {perplexity(every.to_numpy()):.1f}).{agree}"
        )
        st.plotly_chart(
            selection_bars(held, every), key="prototype_selection", config={"displayModeBar": False},
            alt="Share of each prototype among the selected images and among all",
        )  # fmt: skip
