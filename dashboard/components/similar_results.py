"""Images that were found to be similar: by sensor, with what is known of each, and what they are mostly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboard import access, neighbours
from dashboard.access import RunKey
from dashboard.charts.dots import Dot, dots_figure
from dashboard.charts.figures import GREY
from dashboard.components.gallery import gallery
from dashboard.components.similar_query import IMAGE, Query, more_like
from dashboard.components.words import NO_LABEL, label_text, plain
from dashboard.neighbours import Found
from rice_ssl.evaluation.prototypes import wilson_interval

CONFIDENCE = 0.95
AMONG_THESE, IN_RUN = "among those found", "among all that were searched"
_LABELS_SHOWN = 8
_COLOUR = "#2F8AC4"


def results_table(run: RunKey, pairs: pd.DataFrame, found: Mapping[str, Found]) -> pd.DataFrame:
    """A row for each image found: ``sensor``, ``rank``, ``pair_id``, ``cosine``, ``label``, ``split``, ``prediction``.

    Args:
        run: the run.
        pairs: see :func:`dashboard.access.pairs`.
        found: by the sensor that was searched.
    """
    parts = []
    for sensor, own in found.items():
        known = pairs.reindex(own.pair_ids)
        predictions = known.get(f"{sensor}_prediction")
        parts.append(
            pd.DataFrame(
                {
                    "sensor": sensor,
                    "rank": range(1, len(own.pair_ids) + 1),
                    "pair_id": own.pair_ids,
                    "cosine": own.cosines,
                    "label": [label_text(label) for label in known["label"]],
                    "split": known["split"].to_numpy(),
                    "prediction": None if predictions is None else predictions.to_numpy(),
                }
            )
        )
    columns = ["sensor", "rank", "pair_id", "cosine", "label", "split", "prediction"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def show(
    run: RunKey, query: Query, found: Mapping[str, Found], table: pd.DataFrame, shown: pd.DataFrame, space: str
) -> None:
    """Draw the images of each sensor side by side, and below them their labels.

    Args:
        run: the run.
        query: what was searched with.
        found: by sensor.
        table: all rows of :func:`results_table`.
        shown: those that pass the filters.
        space: in which was searched.
    """
    alone = len(found) == 1
    if not access.has(run, "thumbnails"):
        st.caption(f"There are no pictures: this run keeps no thumbnails. Make them with `rice-ssl embed {run.path}`.")
    with st.grid(len(found), min_column_width=240, gap="medium") as columns:
        for sensor, own in found.items():
            with columns.container(key=f"similar-{sensor}"):
                _of_sensor(run, query, sensor, own, shown[shown["sensor"] == sensor], space, columns=6 if alone else 3)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Save as CSV", shown.to_csv(index=False), "similar.csv", "text/csv", key="similar_csv",
            icon=":material/download:", disabled=shown.empty, on_click="ignore",
        )  # fmt: skip
        st.caption("Cosine of vectors in the original space: 1 is the same direction, 0 none.", width="content")
    _labels(run, table, found, space)


def _of_sensor(
    run: RunKey, query: Query, sensor: str, own: Found, shown: pd.DataFrame, space: str, *, columns: int
) -> None:
    title = plain(access.titles(run)[sensor])
    st.markdown(f"##### {title} images")
    st.caption(_searched(own))
    own_image = _own_image(run, query, sensor, own, space)
    if own_image:
        st.markdown(own_image)
    if not own.pair_ids:
        st.info(f"There is no other {title} image with an embedding.")
        return
    if len(shown) < len(own.pair_ids):
        st.caption(f"{len(shown):,} of the {len(own.pair_ids):,} nearest pass the filters.")
    captions = {}
    for row in shown.itertuples(index=False):
        captions[row.pair_id, sensor] = _caption(row, "" if row.pair_id != query.pair_id else _relation(query, sensor))
    if captions and access.has(run, "thumbnails"):
        gallery(run, list(captions), key=f"similar-{sensor}", captions=captions, columns=columns, more=more_like)
    elif captions:
        st.dataframe(shown.drop(columns="sensor"), hide_index=True)


def _caption(row: object, relation: str) -> str:
    """Label, cosine and prediction of one image, and whose it is; a wrong prediction has a cross."""
    label, prediction = getattr(row, "label", NO_LABEL), getattr(row, "prediction", None)
    lines = [f"**{plain(label)}** · {getattr(row, 'cosine', 0.0):.2f}"]
    if isinstance(prediction, str):
        judged = "" if label == NO_LABEL else " :material/check:" if prediction == label else " :material/close:"
        lines.append(f"predicted {plain(prediction)}{judged}")
    return "  \n".join([*lines, *([relation] if relation else [])])


def _relation(query: Query, sensor: str) -> str:
    return "its own image" if query.sensor == sensor else "its twin"


def _searched(own: Found) -> str:
    """How many images were searched, and how surely the nearest were found."""
    said = f"{own.searched:,} {'was' if own.searched == 1 else 'were'} searched"
    if not own.exact:
        measured = (
            "how many it misses was not measured"
            if own.recall is None
            else f"it finds {100 * own.recall:.1f}% of the ten nearest, as measured"
        )
        return f"{said}, by an index: {measured}."
    return f"{said}, every one of them compared. {own.problem}".strip()


def _own_image(run: RunKey, query: Query, sensor: str, own: Found, space: str) -> str:
    """Where the twin, or the image of a region, comes among the images; empty where that is not asked."""
    if query.pair_id is None or (query.kind == IMAGE and query.sensor == sensor):
        return ""
    what = f"The {'image it is of' if query.sensor == sensor else 'twin'}"
    if query.pair_id in own.pair_ids and own.exact:
        place = own.pair_ids.index(query.pair_id)
        rank, count, cosine = place + 1, own.searched, float(own.cosines[place])
    else:
        if query.kind == IMAGE and query.sensor is not None:
            found = neighbours.twin_rank(run, query.pair_id, query.sensor, sensor, space)
        else:
            found = neighbours.rank_of(run, query.vector, sensor, query.pair_id, space)
        if found is None:
            return f"{what} has no embedding here."
        rank, count, cosine = found
    mark = ":material/check_circle: " if rank == 1 else ""
    return f"{mark}{what} is number **{rank:,}** of {count:,} (cosine {cosine:.2f})."


def _labels(run: RunKey, table: pd.DataFrame, found: Mapping[str, Found], space: str) -> None:
    """Labels of what was found against those of all that was searched."""
    titles = access.titles(run)
    dots, told, shown = [], [], _labels_of(table)
    for sensor in found:
        own = table[(table["sensor"] == sensor) & (table["label"] != NO_LABEL)]["label"].value_counts()
        base = neighbours.label_counts(run, sensor, space)
        if not own.sum() or not base.sum():
            continue
        for label in shown:
            share, (low, high) = _share(own, label)
            dots.append(Dot(titles[sensor], label, share, low, high, AMONG_THESE))
            usual = _share(base, label)[0]
            dots.append(Dot(titles[sensor], label, usual, usual, usual, IN_RUN))
        told.append(_most(plain(titles[sensor]), own, base))
    if not dots:
        return
    st.markdown("##### Their labels")
    st.markdown(
        " ".join(told),
        help="In brackets Wilson's interval (95%), as if the images found were drawn one by one, independently: they "
        "are near to each other as well as to what was searched with, so the truth is less certain than that.",
    )
    st.plotly_chart(
        dots_figure(dots, {AMONG_THESE: _COLOUR, IN_RUN: GREY}, columns=2, shares=[titles[name] for name in found]),
        config={"displayModeBar": False},
        key="similar_labels_chart",
        alt="Share of each label among the images found, with intervals, and among all images searched",
    )


def _labels_of(table: pd.DataFrame) -> Sequence[str]:
    counts = table.loc[table["label"] != NO_LABEL, "label"].value_counts()
    return [str(label) for label in counts.index[:_LABELS_SHOWN]]


def _share(counts: pd.Series, label: str) -> tuple[float, tuple[float, float]]:
    own, count = int(counts.get(label, 0)), int(counts.sum())
    return own / count, wilson_interval(own, count, CONFIDENCE)


def _most(title: str, own: pd.Series, base: pd.Series) -> str:
    label = str(own.index[0])
    share, (low, high) = _share(own, label)
    return (
        f"Of {int(own.sum()):,} {title} images with a label {int(own.iloc[0]):,} are **{plain(label)}** "
        f"({100 * share:.0f}% [{100 * low:.0f}%, {100 * high:.0f}%]); of all {title} images "
        f"{100 * _share(base, label)[0]:.0f}% are."
    )
