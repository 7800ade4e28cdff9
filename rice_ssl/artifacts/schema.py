"""What a run directory holds: every table with its columns, types and the command that makes it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = 1

_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()
_VECTOR = pa.list_(pa.float32())


@dataclass(frozen=True)
class Table:
    """One Parquet file of a run directory.

    Attributes:
        name: key in code.
        file: path inside the run directory.
        columns: column name -> Arrow type; a table may hold more columns, never fewer.
        made_by: the command that writes it; ``{run}`` stands for the run directory.
        row_group: rows in each row group of a table that rows are looked up in by pair: it is sorted by pair_id.
    """

    name: str
    file: str
    columns: dict[str, pa.DataType]
    made_by: str
    row_group: int | None = None


TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "manifest",
            "manifest.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "path": _TEXT,  # relative to run.json's data_root, with forward slashes
                "label": _TEXT,  # null where unknown
                "split": _TEXT,  # train | val | test
                "fold": _INT,  # 0..folds-1 for labelled pairs, -1 for the others
                "group": _TEXT,  # site or duplicate cluster
                "width": _INT,
                "height": _INT,
                "sha256": _TEXT,
            },
            "rice-ssl run CONFIG",
        ),
        Table(
            "findings",
            "findings.parquet",
            {
                "kind": _TEXT,  # missing_twin, twin_not_listed, unreadable, unknown_pair, unknown_label, ...
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "cluster": _INT,  # duplicates: cluster number, else -1
                "detail": _TEXT,  # one sentence
            },
            "rice-ssl run CONFIG",
        ),
        Table(
            "metrics",
            "metrics.parquet",
            {
                "stage": _TEXT,  # pretrain | finetune
                "step": _INT,
                "epoch": _FLOAT,
                "split": _TEXT,  # train | val
                "name": _TEXT,  # loss, lr, grad_norm, ...
                "value": _FLOAT,
            },
            "rice-ssl pretrain {run}",
        ),
        Table(
            "predictions",
            "predictions.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,  # a sensor's name, or "both"
                "logits": _VECTOR,
                "probabilities": _VECTOR,
                "prediction": _TEXT,
                "label": _TEXT,  # null where unknown
                "split": _TEXT,
                "fold": _INT,
            },
            "rice-ssl embed {run}",
        ),
        Table(
            "embeddings",
            "embeddings.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "embedding": _VECTOR,  # pooled output of the SwAV encoder
                "projection": _VECTOR,  # L2-normalised; null without a SwAV head
                "prototype_logits": _VECTOR,  # cosine similarities; null without prototypes
            },
            "rice-ssl embed {run}",
        ),
        Table(
            "prototypes",
            "prototypes.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "prototype": _INT,  # arg-max of the prototype logits
                "confidence": _FLOAT,  # soft-max probability of that prototype at the run's temperature
                "second": _INT,
                "entropy": _FLOAT,  # nats, of the soft-max over prototypes
            },
            "rice-ssl embed {run}",
        ),
        Table(
            "cams",
            "cams/index.parquet",
            {"pair_id": _TEXT, "sensor": _TEXT, "row": _INT},  # row of cams/cams.npy, (N, classes, h, w) float16
            "rice-ssl embed {run}",
        ),
        Table(
            "thumbnails",
            "thumbnails/images.parquet",
            {"pair_id": _TEXT, "sensor": _TEXT, "width": _INT, "height": _INT, "jpeg": pa.binary()},
            "rice-ssl embed {run}",
            row_group=256,
        ),
        Table(
            "cross_validation",
            "cross_validation.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,  # or both
                "logits": _VECTOR,  # after test-time augmentation, mean over seeds; of test pairs over folds, too
                "probabilities": _VECTOR,  # after temperature scaling
                "prediction": _TEXT,
                "confidence": _FLOAT,
                "label": _TEXT,
                "split": _TEXT,  # oof: judged by networks that did not see the pair | test: by those of all folds
                "fold": _INT,  # -1 for test pairs
            },
            "rice-ssl cross-validate {run}",
        ),
        Table(
            "quality",
            "quality.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "brightness": _FLOAT,  # mean, in [0, 1]
                "sharpness": _FLOAT,
                "clipped": _FLOAT,  # share of saturated values, in [0, 1]
                "leaf_area": _FLOAT,  # share of the foreground, in [0, 1]
            },
            "rice-ssl audit {run}",
        ),
        Table(
            "audit",
            "audit.parquet",
            {
                "kind": _TEXT,  # duplicate | wrong_pair | registration | exposure | blur | saturation | label
                "pair_id": _TEXT,
                "sensor": _TEXT,  # null: the pair
                "other_pair_id": _TEXT,  # null: none
                "score": _FLOAT,  # higher is worse
                "detail": _TEXT,
            },
            "rice-ssl audit {run}",
        ),
        Table(
            "registration",
            "registration.parquet",
            {
                "pair_id": _TEXT,
                "dx": _FLOAT,  # pixels of the image files, second sensor relative to the first
                "dy": _FLOAT,
                "confidence": _FLOAT,  # in [0, 1]
                "confident": pa.bool_(),
            },
            "rice-ssl audit {run}",
        ),
        Table(
            "channels",
            "channels.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,  # whose band was replaced
                "band": _TEXT,
                "replacement": _TEXT,  # mean | other_pair | other_sensor
                "original": _TEXT,  # prediction of the sensor before
                "prediction": _TEXT,
                "confidence": _FLOAT,
                "flipped": pa.bool_(),
                "joint_original": _TEXT,  # prediction of the pair before; null where it has one image
                "joint_prediction": _TEXT,
                "joint_flipped": pa.bool_(),
                "divergence": _FLOAT,  # Jensen-Shannon, bits, of the sensor's probabilities before and after
                "label": _TEXT,
                "split": _TEXT,
            },
            "rice-ssl channels {run}",
        ),
        Table(
            "attribution",
            "attribution/index.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "row": _INT,  # of every attribution/*.npy; one that holds fewer rows holds the first
                "measured": pa.bool_(),  # these come first
            },
            "rice-ssl attribution {run}",
        ),
        Table(
            "trust",
            "attribution/trust.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "method": _TEXT,  # random: mean over the random maps | gaussian: centred
                "layer": _TEXT,
                "class_name": _TEXT,  # predicted for that image, and explained
                "deletion": _FLOAT,  # area under the class' probability, in [0, 1]
                "insertion": _FLOAT,
                "score": _FLOAT,  # insertion less deletion
                "random_score": _FLOAT,
                "gaussian_score": _FLOAT,
                "p_random": _FLOAT,  # (1 + random maps that do as well) / (1 + random maps)
                "road": _FLOAT,  # null where not measured
                "label": _TEXT,
                "split": _TEXT,
            },
            "rice-ssl attribution {run}",
        ),
        Table(
            "localisation",
            "attribution/localisation.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "method": _TEXT,
                "layer": _TEXT,
                "visible": pa.bool_(),  # whether this sensor shows the lesions
                "pointing": _FLOAT,  # share of the map's maxima on a lesion
                "mass": _FLOAT,  # share of the evidence on lesions
                "rank": _FLOAT,  # share of lesions among as many of the strongest pixels
            },
            "rice-ssl attribution {run}",
        ),
        Table(
            "map_agreement",
            "attribution/agreement.parquet",
            {
                "pair_id": _TEXT,
                "method": _TEXT,
                "layer": _TEXT,
                "class_name": _TEXT,
                "registered": pa.bool_(),
                "overlap": _FLOAT,
                "rank_correlation": _FLOAT,
                "centre_distance": _FLOAT,  # share of the diagonal
                "null_overlap": _FLOAT,  # of shuffled pairs
                "null_rank_correlation": _FLOAT,
                "null_centre_distance": _FLOAT,
                "strength_first": _FLOAT,  # logits
                "strength_second": _FLOAT,
                "spread_first": _FLOAT,  # share of the area
                "spread_second": _FLOAT,
                "p_overlap": _FLOAT,
            },
            "rice-ssl attribution {run}",
        ),
        Table(
            "band_evidence",
            "attribution/bands.parquet",
            {
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "band": _TEXT,
                "share": _FLOAT,  # of absolute integrated gradients for the predicted class
                "signed": _FLOAT,  # logits
            },
            "rice-ssl attribution {run}",
        ),
        Table(
            "map",
            "map.parquet",
            {
                "method": _TEXT,  # umap | tsne | pca
                "space": _TEXT,  # embedding | projection | logits | prototype_logits
                "dimensions": _INT,  # 2 | 3
                "seed": _INT,
                "kind": _TEXT,  # image | prototype
                "pair_id": _TEXT,  # null for prototypes
                "sensor": _TEXT,  # null for prototypes
                "prototype": _INT,  # -1 for images
                "cluster": _INT,  # cluster of the prototype, -1 for images
                "x": _FLOAT,
                "y": _FLOAT,
                "z": _FLOAT,  # null in two dimensions
                "fitted": pa.bool_(),  # whether the map was fitted on it; else it was laid into the fitted map
            },
            "rice-ssl map {run}",
        ),
        Table(
            "neighbourhoods",
            "neighbourhoods.parquet",
            {
                "pair_id": _TEXT,  # pairs with an embedding of the first two sensors
                "overlap": _FLOAT,  # Jaccard index of the pair's nearest pairs in either sensor, in [0, 1]
                "first_rank": _INT,  # of the second sensor's image of the pair, seen from the first's; 1 is nearest
                "second_rank": _INT,  # of the first sensor's image, seen from the second's; null where not found
            },
            "rice-ssl map {run}",
        ),
        Table(
            "assignments",
            "assignments.parquet",
            {
                "step": _INT,  # of pretraining, before which the checkpoint was kept
                "epoch": _FLOAT,
                "pair_id": _TEXT,
                "sensor": _TEXT,
                "prototype": _INT,
                "confidence": _FLOAT,  # soft-max probability at the run's temperature
            },
            "rice-ssl assignments {run}",
        ),
    )
}

DOCUMENTS = {
    "report": "rice-ssl evaluate {run}",
    "dynamics": "rice-ssl dynamics {run}",
    "dynamics_tests": "rice-ssl dynamics test {run}",
    "audit": "rice-ssl audit {run}",
    "channels": "rice-ssl channels {run}",
    "attribution": "rice-ssl attribution {run}",
    "map": "rice-ssl map {run}",
}
"""JSON files of a run directory (``NAME.json``) and the command that makes each."""
