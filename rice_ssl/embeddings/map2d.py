"""2-D maps of a space, both sensors in one fit. A map is a picture: its distances are not evidence."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA

from rice_ssl.errors import InputError

Points = npt.NDArray[np.float64]


def fit_map(
    vectors: npt.NDArray[np.floating],
    method: str,
    *,
    seed: int,
    neighbours: int = 15,
    min_dist: float = 0.1,
    perplexity: float = 30.0,
    metric: str = "cosine",
) -> Points:
    """Lay vectors out in two dimensions.

    UMAP is umap-learn's; t-SNE is openTSNE's (its Fourier-accelerated form takes a million points, and it repeats
    itself by seed); PCA is scikit-learn's. Neighbours and perplexity are lowered where there are too few vectors for
    them.

    Args:
        vectors: shape (N, D), finite, N >= 2.
        method: ``umap``, ``tsne`` or ``pca``.
        seed: of UMAP and t-SNE.
        neighbours: of UMAP.
        min_dist: of UMAP.
        perplexity: of t-SNE.
        metric: ``cosine`` or ``euclidean``, of UMAP and t-SNE.

    Returns:
        Shape (N, 2).

    Raises:
        InputError: fewer than 2 vectors (5 for UMAP and t-SNE), or an unknown method.
    """
    count = len(vectors)
    least = 2 if method == "pca" else 5
    if count < least:
        raise InputError(f"A {method} map needs {least} images, there are {count}: use pca, or more images.")
    values = np.ascontiguousarray(vectors, dtype=np.float32)
    if method == "pca":
        found = PCA(n_components=min(2, values.shape[1]), random_state=seed).fit_transform(values)
        return np.pad(found, ((0, 0), (0, 2 - found.shape[1]))).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method == "umap":
            from umap import UMAP  # slow to import

            fitted = UMAP(
                n_neighbors=min(neighbours, count - 1), min_dist=min_dist, metric=metric, random_state=seed, n_jobs=1
            )
            return np.asarray(fitted.fit_transform(values), dtype=np.float64)
        if method == "tsne":
            from openTSNE import TSNE

            fitted = TSNE(perplexity=min(perplexity, (count - 1) / 3), metric=metric, random_state=seed, n_jobs=2)
            return np.asarray(fitted.fit(values), dtype=np.float64)
    raise InputError(f"Map method {method!r} is unknown: take umap, tsne or pca.")


def cluster_prototypes(prototypes: npt.NDArray[np.floating], clusters: int) -> npt.NDArray[np.int64]:
    """Cluster prototypes by average linkage on cosine distance.

    Args:
        prototypes: shape (K, P), unit rows.
        clusters: wanted; K at most.

    Returns:
        Cluster of each prototype, 0 for the largest cluster, shape (K,).
    """
    count = len(prototypes)
    if count < 2:
        return np.zeros(count, dtype=np.int64)
    fitted = AgglomerativeClustering(min(clusters, count), metric="cosine", linkage="average")
    names = np.asarray(fitted.fit_predict(prototypes), dtype=np.int64)
    order = np.argsort(-np.bincount(names), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    renamed: npt.NDArray[np.int64] = rank[names]
    return renamed
