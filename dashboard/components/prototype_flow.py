"""From which prototypes to which the pairs flow, from one sensor to the other."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard import access, prototype_data, state
from dashboard.access import RunKey
from dashboard.charts.prototype_flow import MOST_FLOWS, flow_bands, flow_matrix, shown_prototypes
from rice_ssl.evaluation.assignment_flow import contingency, largest_flows

BANDS, MATRIX = "Sankey", "Matrix"
VIEW, EVERY, ONE = "prototype_flow", "All prototypes", "The chosen one"


def draw(run: RunKey, number: int) -> None:
    """The flow as bands or as a matrix.

    Args:
        run: the run.
        number: prototype that is chosen.
    """
    names, titles = access.sensors(run)[:2], access.titles(run)
    pairs = prototype_data.paired(run)
    if len(names) < 2 or pairs.empty:
        why = "This run has one sensor" if len(names) < 2 else "No pair has an image of both sensors"
        st.info(f"{why}, so nothing flows between sensors.")
        return
    sides = titles[names[0]], titles[names[1]]
    state.say_unknown(VIEW, (BANDS, MATRIX), BANDS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "Draw as", [BANDS, MATRIX], default=BANDS, required=True, key=VIEW, bind="query-params"
        )
        only = view == BANDS and st.toggle(
            f"Prototype {number} alone", key="prototype_flow_one",
            help="Only pairs one of whose images is in the prototype chosen above.",
        )  # fmt: skip
    clusters = prototype_data.clusters(run).to_dict()
    if only:
        pairs = pairs[(pairs["first"] == number) | (pairs["second"] == number)]
        if pairs.empty:
            st.info(f"Prototype {number} holds no image of a pair that has both.")
            return
    matrix = contingency(pairs["first"].to_numpy(), pairs["second"].to_numpy(), prototype_data.prototype_count(run))
    same, total = int(matrix.diagonal().sum()), len(pairs)
    if view == BANDS:
        flows = largest_flows(matrix, MOST_FLOWS)
        st.plotly_chart(
            flow_bands(flows, sides, clusters), key="prototype_bands", config={"displayModeBar": False},
            alt=f"Flow of pairs from {sides[0]} to {sides[1]} prototypes",
        )  # fmt: skip
        rest = (
            f" The {MOST_FLOWS} largest flows are drawn; {flows.other_flows:,} smaller ones with {flows.other_pairs:,} "
            "pairs are summed as others."
            if flows.other_pairs
            else ""
        )
        st.caption(
            f"Left the prototype of a pair's {sides[0]} image, right that of its {sides[1]} image; green: both in one "
            f"({same:,} of {total:,} pairs).{rest}"
        )
        return
    shown, hidden, outside = shown_prototypes(matrix, clusters)
    st.plotly_chart(
        flow_matrix(matrix, shown, sides, clusters), key="prototype_matrix", config={"displayModeBar": False},
        alt=f"Pairs by {sides[0]} and {sides[1]} prototype",
    )  # fmt: skip
    lines = " Lines part clusters." if len(np.unique([clusters.get(one, 0) for one in shown])) > 1 else ""
    rest = f" {hidden:,} less used prototypes, with {outside:,} pairs, are not drawn." if hidden else ""
    order = "cluster and " if clusters else ""
    st.caption(
        f"Pairs whose {sides[0]} image is in the row's prototype and whose {sides[1]} image is in the column's, "
        f"ordered by {order}use; on the diagonal ({same:,} of {total:,} pairs) both are in one.{lines}{rest}"
    )
