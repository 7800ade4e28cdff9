"""Sensors: where they agree, how sure they are, what their bands are worth, and what each is worth in training."""

from __future__ import annotations

import streamlit as st

from dashboard import access, state
from dashboard.access import OOF, RunKey
from dashboard.components import about_run, channels, reliability, sensor_agreement, sensor_strata, trained
from dashboard.components.words import JUDGED, plain
from rice_ssl.errors import ArtifactError

PARTS = {
    "agreement": "Agreement",
    "strata": "By class and image",
    "reliability": "Reliability",
    "channels": "Bands",
    "trained": "Trained sensor by sensor",
}

FORMER = {"Channels": "Bands", "By class and picture": "By class and image"}
"""How links of former versions name a part."""


def page() -> None:
    """Draw the screen."""
    run = access.current_run()
    badges = st.container()
    st.title("Sensors")
    state.rename_value("part", FORMER)
    state.say_unknown("part", list(PARTS.values()), PARTS["agreement"])
    part = st.segmented_control(
        "Show", list(PARTS), default="agreement", required=True, key="part", bind="query-params",
        format_func=PARTS.__getitem__,
    )  # fmt: skip
    if part == "trained":  # of other classifiers than this run's
        trained.draw()
        return
    with badges:
        about_run.badges(run)
    if said := about_run.classifier(run):
        st.caption(said)
    if part == "channels":
        channels.draw(run)
        return
    splits = access.judged_splits(run)
    split = _choose_split(run, splits) if splits else ""
    chosen = access.judged_pairs(run, split)
    names = [name for name in access.sensors(run) if f"{name}_prediction" in chosen]
    if not names:
        raise ArtifactError(f"This run has no predictions. {access.remedy(run, 'finetune')}")
    if part == "strata":
        sensor_strata.draw(run, split)
    elif part == "reliability":
        reliability.draw(run, split)
    else:
        sensor_agreement.draw(run, chosen, names, split)


def _choose_split(run: RunKey, splits: list[str]) -> str:
    """Pairs to compare on: at first those of the first split that has labels."""
    labelled = (split for split in splits if access.judged_pairs(run, split)["label"].notna().any())
    default = next(labelled, splits[0])
    state.say_unknown("split", [JUDGED[split] for split in splits], JUDGED[default])
    split = st.segmented_control(
        "Pairs", splits, default=default, required=True, key="split", bind="query-params",
        format_func=JUDGED.__getitem__,
    )  # fmt: skip
    other = access.weights_from(run)
    of_other = f" of the run {plain(other)}, whose weights these are" if other else ""
    if split == OOF:
        told = "Labelled pairs in cross-validation, each judged by networks that did not see it."
        st.caption(f"{told} {about_run.pretraining(run)}".strip())
    elif split == "test" and access.is_calibrated(run, split):
        st.caption("Judged by the networks of all folds of cross-validation, none of which saw these pairs.")
    elif not access.was_seen(run, str(split)):
        if other:
            st.caption(f"The weights are those of the run {plain(other)}, which was not trained on these pairs.")
    elif split == "train":
        st.caption(f"These pairs were seen in fine-tuning{of_other}.")
    elif access.epoch_was_chosen(run):
        st.caption(f"The epoch{of_other} was chosen on these pairs, so figures on them flatter a little.")
    return str(split)
