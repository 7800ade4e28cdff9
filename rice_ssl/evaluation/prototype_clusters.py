"""Clusters of prototypes, named by the label that most of their images have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rice_ssl.evaluation.prototypes import prototype_table

UNUSED, UNLABELLED = "unused", "no label"


def cluster_table(assignments: pd.DataFrame, labels: pd.Series, clusters: pd.Series) -> pd.DataFrame:
    """One row for each cluster of prototypes.

    Args:
        assignments: columns ``pair_id``, ``sensor``, ``prototype``.
        labels: label of each pair, indexed by pair_id; null where unknown.
        clusters: cluster of each prototype, indexed by prototype. :func:`rice_ssl.embeddings.map2d.cluster_prototypes`
            makes them, by average linkage on cosine distance: they know neither images nor labels.

    Returns:
        Index ``cluster``, sorted; columns ``prototypes``, ``used`` (prototypes with an image), ``images``,
        ``labelled``, ``label``, ``purity``, ``purity_low``, ``purity_high`` (of its images; Wilson, 95%) and ``name``:
        the cluster and its most frequent label.
    """
    numbers = np.unique(clusters.to_numpy())
    place = pd.Series(np.searchsorted(numbers, clusters.to_numpy()), index=clusters.index)
    own = assignments[assignments["prototype"].isin(place.index)]
    of_cluster = own.assign(prototype=own["prototype"].map(place).astype(np.int64))
    found = prototype_table(of_cluster, labels, len(numbers))
    found.index = pd.Index(numbers, name="cluster")
    used = np.unique(own["prototype"])
    found["prototypes"] = clusters.value_counts().reindex(numbers).to_numpy()
    found["used"] = clusters.loc[used].value_counts().reindex(numbers, fill_value=0).to_numpy()
    mostly = found["label"].where(found["labelled"] > 0, UNLABELLED).where(found["images"] > 0, UNUSED)
    found["name"] = [f"{cluster} · {word}" for cluster, word in zip(numbers, mostly, strict=True)]
    columns = ["prototypes", "used", "images", "labelled", "label", "purity", "purity_low", "purity_high", "name"]
    return found[columns]
