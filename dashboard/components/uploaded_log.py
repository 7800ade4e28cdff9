"""A training log that the user gives, its columns and its recipe; kept for the session, on whatever screen it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import streamlit as st
import yaml

from rice_ssl.dynamics.analysis import analyse
from rice_ssl.dynamics.csv_log import named_columns
from rice_ssl.dynamics.events import KINDS
from rice_ssl.dynamics.generalisation import early_generalisation
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.dynamics.read_log import parse_log
from rice_ssl.dynamics.recipe import Recipe
from rice_ssl.dynamics.recipe_settings import recipe_from_mapping

UPLOAD_MB = 100
"""Largest file; .streamlit/config.toml says the same. A server holds it in memory as long as the session lasts."""
_KEPT, _NAMED, _SETTLED = "training_kept_log", "training_kept_columns", "training_kept_recipe"
_COLUMNS = {
    "training_step_column": "Step or epoch column",
    "training_train_column": "Training loss column",
    "training_val_column": "Validation loss column",
}
_SETTINGS = (
    (
        "queue_start_pct",
        "Queue start (fraction)",
        0.0,
        1.0,
        "Fraction of the scheduled epochs after which the queue is used.",
    ),
    ("epochs", "Scheduled epochs", 1, 10**7, "As scheduled, not as reached before an early stop."),
    ("steps_per_epoch", "Steps per epoch", 1, 10**9, "Batches an epoch."),
    ("prototypes", "Prototypes", 1, 10**7, "Number of SwAV prototypes."),
    ("batch_size", "Batch size", 1, 10**7, "Samples whose codes are computed together."),
    ("queue_length", "Queue length", 1, 10**9, "Samples that the queue adds."),
    ("warmup_pct", "Warm-up (fraction)", 0.0, 1.0, "Fraction of all steps during which the learning rate rises."),
)
_UNITS = ("step", "epoch")


@dataclass(frozen=True)
class UploadedLog:
    """A file as it came, its SHA-256, and the columns that the user names, "" where none."""

    name: str
    content: bytes
    digest: str
    step_column: str
    train_column: str
    val_column: str


def given_log() -> UploadedLog | None:
    """Draw the field for a file, or the name of the one that is kept, and the fields for its columns."""
    place = st.empty()
    kept: tuple[str, bytes, str] | None = st.session_state.get(_KEPT)
    if kept is None:
        given = place.file_uploader(
            f"CSV, JSON lines or a TensorBoard event file, at most {UPLOAD_MB} MB; kept for this session alone",
            max_upload_size=UPLOAD_MB,
            key="training_upload",
        )
        if given is not None:
            content = given.getvalue()
            kept = st.session_state[_KEPT] = (given.name, content, hashlib.sha256(content).hexdigest())
    if kept is not None:
        with place.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/description: `{kept[0].replace('`', '')}` ({len(kept[1]) / 1000:,.0f} kB)")
            st.button("Forget this log", icon=":material/delete:", on_click=_forget, key="training_forget")
    with st.expander(
        "Columns, keys or tags, when they are not recognised by their names", icon=":material/view_column:"
    ):
        named = [
            column.text_input(title, key=key, persist_state="session").strip()
            for column, (key, title) in zip(st.columns(3), _COLUMNS.items(), strict=True)
        ]
    st.session_state[_NAMED] = tuple(named)
    if kept is None:
        st.caption(
            "Reads what fastai's, Keras' and Lightning's CSV loggers write (`epoch,train_loss,valid_loss`, "
            "`epoch,loss,val_loss`, `metrics.csv`), long tables (`split,step,loss`), what Weights & Biases exports "
            "(history or chart, as CSV or JSON lines), and TensorBoard's event files (`events.out.tfevents.…`; of a "
            "folder of them, one at a time here, or all with `rice-ssl dynamics FOLDER`)."
        )
        return None
    return UploadedLog(*kept, *named)


def kept_log() -> tuple[UploadedLog, dict[str, Any]] | None:
    """The log that is kept and its recipe, as they were last shown, on whatever screen; None where there is none."""
    kept = st.session_state.get(_KEPT)
    if kept is None or _NAMED not in st.session_state:
        return None
    return UploadedLog(*kept, *st.session_state[_NAMED]), st.session_state.get(_SETTLED, {})


def _forget() -> None:
    for key in (_KEPT, _NAMED, *_COLUMNS):
        st.session_state.pop(key, None)


def _identity(given: UploadedLog) -> tuple[str, ...]:
    """What tells one log from another; its bytes are not gone through again each time the screen is drawn."""
    return given.name, given.digest, given.step_column, given.train_column, given.val_column


_HASHES = {UploadedLog: _identity}


@st.cache_data(scope="session", max_entries=2, ttl=900, show_spinner="Reading the log …", hash_funcs=_HASHES)
def parsed(given: UploadedLog) -> TrainingLog:
    """The log.

    Raises:
        InputError: it cannot be read, or one column is named twice.
    """
    return parse_log(
        given.content,
        given.name,
        step_column=given.step_column or None,
        loss_columns=named_columns(given.train_column, given.val_column),
        max_bytes=UPLOAD_MB * 2**20,
    )


@st.cache_data(
    scope="session", max_entries=4, ttl=900, show_spinner="Searching the curves for drops …", hash_funcs=_HASHES
)
def analysed(given: UploadedLog, metric: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Drops, events and verdict of one metric, as dynamics.json has them.

    Raises:
        InputError: as :func:`parsed`, or a setting is out of range.
    """
    log, recipe = parsed(given), recipe_of(settings)
    found = analyse(log, metric=metric, events=recipe.schedule(log.unit), floors=recipe.entropy_floors()).document()
    return {**found, "generalisation": early_generalisation(log, metric=metric, recipe=recipe).document()}


def example_log(name: str, content: bytes) -> UploadedLog:
    """A log that comes with the project, as if the user had given it."""
    return UploadedLog(name, content, hashlib.sha256(content).hexdigest(), "", "", "")


def settings_of(content: bytes) -> dict[str, Any]:
    """Settings of a recipe that comes with the project: plain YAML of numbers."""
    given = yaml.safe_load(content)
    return dict(given) if isinstance(given, dict) else {}


def recipe_of(settings: dict[str, Any]) -> Recipe:
    """The recipe that settings tell; one that tells nothing where there are none."""
    return recipe_from_mapping(settings)[0] if settings else Recipe()


def given_recipe() -> dict[str, Any]:
    """Draw the fields for the recipe, and give those that are filled in, as a recipe's YAML has them."""
    settings: dict[str, Any] = {}
    with st.expander("Recipe: what was switched when", icon=":material/tune:"):
        st.caption("With these a drop can be matched with the schedule. Leave empty what you do not know.")
        with st.grid(3):
            for name, title, low, high, text in _SETTINGS:
                value = st.number_input(
                    title, min_value=low, max_value=high, value=None, step=0.05 if isinstance(low, float) else 1,
                    help=text, key=f"training_{name}", placeholder="unknown", persist_state="session",
                )  # fmt: skip
                if value is not None:
                    settings[name] = value
        event = _other_event()
        if event:
            settings["events"] = [event]
    st.session_state[_SETTLED] = settings
    return settings


def _other_event() -> dict[str, Any]:
    """One thing more that was switched: what, and at which step or epoch."""
    st.caption("Something else that was switched, such as the learning rate, the crops or the data:")
    with st.grid(3):
        what = st.selectbox(
            "What changed", list(KINDS), index=None, format_func=lambda kind: KINDS[kind][0] if kind in KINDS else kind,
            accept_new_options=True, key="training_event", placeholder="choose, or write it", persist_state="session",
        )  # fmt: skip
        place = st.number_input(
            "At step or epoch", min_value=0.0, value=None, step=1.0, key="training_event_at", placeholder="unknown",
            format="%g", persist_state="session",
        )  # fmt: skip
        unit = st.selectbox("Counted in", _UNITS, format_func="{}s".format, key="training_event_unit",
                            persist_state="session")  # fmt: skip
    if (what is None) != (place is None):
        st.caption(f":orange[Say also {'what changed' if what is None else 'at which step or epoch'}.]")
    return {} if what is None or place is None else {"kind": str(what)[:60], str(unit): place}
