"""Attribution: which maps of the evidence may be trusted, how the two sensors' compare, and what they rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from dashboard import access, state
from dashboard.access import RunKey
from dashboard.components import map_comparison, trust_figures, trust_leaves
from dashboard.components.notice import reading
from dashboard.components.trust_figures import Document

PARTS: Mapping[str, tuple[str, Callable[[RunKey, Document], None]]] = {
    "trust": ("Trust", trust_figures.draw),
    "leaves": ("Best and worst leaves", trust_leaves.draw),
    "randomisation": ("Randomised network", trust_figures.randomisation),
    "lesions": ("Simulated lesions", map_comparison.lesions),
    "agreement": ("Between sensors", map_comparison.agreement),
    "bands": ("Bands", map_comparison.bands),
}


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    st.title("Attribution")
    document = access.document(run, "attribution")
    with reading("attribution.json", trust_figures.command(run)):
        there = [name for name in PARTS if name != "lesions" or document["localisation"]]
        titles = {name: PARTS[name][0] for name in there}
        state.say_unknown("attribution_part", list(titles.values()), titles["trust"])
        part = st.segmented_control(
            "Show", there, default="trust", required=True, key="attribution_part", bind="query-params",
            format_func=titles.__getitem__,
        )  # fmt: skip
        PARTS[str(part)][1](run, document)
        _how(run, document)


def _how(run: RunKey, document: Document) -> None:
    """How it was measured."""
    titles, settings = access.titles(run), document["settings"]
    with st.expander("How this was measured", icon=":material/science:"):
        st.markdown(
            f"On **{int(settings['measured_pairs']):,} pairs** drawn with seed {settings['seed']} from those that are "
            f"judged, for {document['class_explained']}. Pixels are removed in {settings['steps']} equal steps, those "
            "first that a map calls most relevant (deletion), or brought back into a picture without any (insertion). "
            "**Score** is the area under the class' probability by insertion less that by deletion: 1 at best, 0 for a "
            f"map that knows nothing. Each map is compared with {settings['random_maps']} random ones of the same "
            "resolution, and with a Gaussian in the centre of the picture. ROAD (remove and debias) fills removed "
            f"pixels from their neighbours; it was measured on {settings['road_images']} images of each sensor at most."
        )
        lines = [
            f"- {titles.get(sensor, sensor)}: a Gaussian blur of {blur['sigma']:.3g} px takes the place of what is "
            f"removed: the weakest one that hides as much as the strongest does. The class predicted keeps a "
            f"probability of {blur['remaining']:.2f} on wholly blurred pictures (chance {blur['chance']:.2f})."
            for sensor, blur in document["blur"].items()
        ]
        st.markdown("\n".join(lines))
        st.markdown(
            "Nothing is set to zero: zero near infrared is a value like any other, not absence. Intervals are "
            f"{100 * float(settings['confidence']):.0f} % bootstraps over pairs; they do not know what another "
            "training would have given."
        )
