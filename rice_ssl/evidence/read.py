"""Put the evidence of leaves together from a run directory."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from rice_ssl.artifacts import RunStore
from rice_ssl.errors import InputError
from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.evidence.leaf import MOST_LEAVES, Evidence, ImageEvidence, LeafEvidence
from rice_ssl.evidence.origin import run_facts
from rice_ssl.evidence.tables import Key, Neighbours, PairTables, Row
from rice_ssl.sensors import BOTH

JUDGES = ("predictions", "cross_validation")
"""Tables that say what is said of the pairs; the first that is there counts."""
_MOST_PIXELS = 4096 * 4096
"""Of a reduced picture that is drawn."""


def read_leaves(store: RunStore, pair_ids: Sequence[str], made: datetime | None = None) -> Evidence:
    """The evidence of some leaves.

    What the run lacks, from attribution to embeddings, is left out and named in ``run.missing``.

    Args:
        store: the run.
        pair_ids: 1 to 200 pairs; one named twice counts once.
        made: when this is done; now when left out.

    Raises:
        InputError: none, too many, or one that the run does not know.
        ArtifactError: there is no run, or it has no manifest that can be read.
    """
    ids = list(dict.fromkeys(pair_ids))
    if not ids:
        raise InputError("No leaf is named whose evidence could be exported: name 1 or more pair ids.")
    if len(ids) > MOST_LEAVES:
        raise InputError(
            f"{len(ids):,} leaves are too many for one export: take at most {MOST_LEAVES} and export the rest apart."
        )
    store.info()  # a run that is not there is the first thing to say
    manifest = store.read_table("manifest").drop_duplicates(["pair_id", "sensor"])
    unknown = sorted(set(ids) - set(manifest["pair_id"]))
    if unknown:
        named = ", ".join(repr(pair_id) for pair_id in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise InputError(f"The run {store.root} knows no pair {named}{more}: take ids from its manifest.parquet.")
    tables = PairTables(store, ids)
    classes = [str(name) for name in store.info()["classes"]]
    judged_by = next((name for name in JUDGES if store.has(name)), None)
    kinds = tables.kinds()
    drawn, cams = tables.grad_cams(kinds, len(classes))
    known = _Known(
        classes,
        {str(pair_id): _text(label) for pair_id, label in manifest.groupby("pair_id")["label"].first().items()},
        tables.by_image(judged_by or JUDGES[0], ["prediction", "probabilities"]),
        cams,
        tables.by_map("trust", ("pair_id", "sensor")) if kinds else {},
        tables.by_map("map_agreement", ("pair_id",)) if kinds else {},
        tables.bands() if kinds else {},
        tables.by_image("thumbnails", ["jpeg"]),
        Neighbours(tables.embeddings()),
    )
    run = run_facts(store, judged_by, tables.missing, made)
    parts = {str(pair_id): part for pair_id, part in manifest[manifest["pair_id"].isin(ids)].groupby("pair_id")}
    leaves = tuple(_leaf(pair_id, parts[pair_id], run.titles, known) for pair_id in ids)
    return Evidence(run, drawn, kinds or (() if drawn is None else (drawn,)), leaves)


@dataclass(frozen=True)
class _Known:
    """What the run's tables say, by image or pair."""

    classes: list[str]
    labels: Mapping[str, str | None]
    judged: Mapping[Key, Row]
    cams: Mapping[Key, npt.NDArray[Any]]
    trust: Mapping[tuple[str, ...], Mapping[str, Row]]
    agreement: Mapping[tuple[str, ...], Mapping[str, Row]]
    bands: Mapping[Key, Mapping[str, float]]
    pictures: Mapping[Key, Row]
    neighbours: Neighbours

    def prediction(self, pair_id: str, judge: str) -> tuple[str | None, tuple[float, ...]]:
        """Class predicted, and probabilities; None and nothing where there are none."""
        row = self.judged.get((pair_id, judge))
        if row is None:
            return None, ()
        values = row["probabilities"]
        whole = values is not None and len(values) == len(self.classes)
        return _text(row["prediction"]), tuple(float(value) for value in values) if whole else ()


def _leaf(pair_id: str, rows: pd.DataFrame, titles: Mapping[str, str], known: _Known) -> LeafEvidence:
    files = {str(row["sensor"]): row for row in rows.to_dict("records")}
    images = tuple(_image(pair_id, files[name], title, known) for name, title in titles.items() if name in files)
    prediction, probabilities = known.prediction(pair_id, BOTH)
    judges = [image for image in images if image.probabilities][:2]
    agree = divergence = cosine = None
    if len(judges) == 2:
        agree = judges[0].prediction == judges[1].prediction
        first, second = (np.array(image.probabilities)[None] for image in judges)
        divergence = float(jensen_shannon(first, second)[0])
    if len(images) > 1:
        cosine = known.neighbours.twins(pair_id, images[0].sensor, images[1].sensor)
    return LeafEvidence(
        pair_id,
        known.labels.get(pair_id),
        str(rows["split"].iloc[0]),
        images,
        prediction,
        probabilities,
        agree,
        divergence,
        known.agreement.get((pair_id,), {}),
        cosine,
    )


def _image(pair_id: str, file: Mapping[Any, Any], title: str, known: _Known) -> ImageEvidence:
    sensor = str(file["sensor"])
    prediction, probabilities = known.prediction(pair_id, sensor)
    cams = known.cams.get((pair_id, sensor))
    number = known.classes.index(prediction) if prediction in known.classes else None
    near = known.neighbours.of(pair_id, sensor)
    return ImageEvidence(
        sensor,
        title,
        str(file["path"]),
        str(file["sha256"]),
        int(file["width"]),
        int(file["height"]),
        _readable(known.pictures.get((pair_id, sensor), {}).get("jpeg")),
        prediction,
        probabilities,
        None if cams is None or number is None else cams[number],
        known.trust.get((pair_id, sensor), {}),
        known.bands.get((pair_id, sensor), {}),
        tuple((other, known.labels.get(other), cosine) for other, cosine in near),
    )


def _readable(jpeg: Any) -> bytes | None:
    """The picture, if it is a JPEG that can be decoded and is small enough to be looked at."""
    if not isinstance(jpeg, bytes):
        return None
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            opened.load()
    except Exception:  # damaged files make Pillow raise nearly anything, and huge ones an error of its own
        return None
    return jpeg


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
