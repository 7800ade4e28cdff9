"""Maps of a space in two or three dimensions, both sensors in one fit.

A map is a picture: its distances are not evidence. Where there are more images than can be fitted, a sample is fitted
and the others are laid into its map.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from tqdm import tqdm

from rice_ssl.embeddings.neighbours import Advance, Rows, Vectors
from rice_ssl.errors import InputError

Points = npt.NDArray[np.float64]
_LEAST = {"umap": 5, "tsne": 5, "pca": 2}
_PART = 10_000
"""Vectors that are laid into a map at once."""
_ALONE = 5_000
"""Vectors below which t-SNE has one thread: several wait for each other by spinning, and on few that costs more."""


def fit_map(
    vectors: Vectors,
    method: str,
    *,
    seed: int,
    dimensions: int = 2,
    landmarks: Vectors | None = None,
    fit_on: Rows | None = None,
    random_start: bool = False,
    neighbours: int = 15,
    min_dist: float = 0.1,
    perplexity: float = 30.0,
    metric: str = "cosine",
    advance: Advance = lambda rows: None,
    progress: bool = False,
) -> Points:
    """Lay vectors out in two or three dimensions.

    UMAP is umap-learn's; t-SNE is openTSNE's (its Fourier-accelerated form takes a million points, and it repeats
    itself by seed); PCA is scikit-learn's, or where only some are fitted, of the covariance of all, summed by parts.
    Neighbours and perplexity are lowered where there are too few vectors for them.

    Args:
        vectors: shape (N, D), finite, N >= 2.
        method: ``umap``, ``tsne`` or ``pca``.
        seed: of UMAP and t-SNE.
        dimensions: 2 or 3; t-SNE has 2 alone.
        landmarks: further vectors on the same map, always fitted, shape (K, D); None for none.
        fit_on: rows of ``vectors`` that UMAP and t-SNE are fitted on, ascending; the others are laid into the fitted
            map by its ``transform``. None for all.
        random_start: whether t-SNE starts from random places, rather than from PCA, which no seed changes.
        neighbours: of UMAP.
        min_dist: of UMAP.
        perplexity: of t-SNE.
        metric: ``cosine`` or ``euclidean``, of UMAP and t-SNE.
        advance: told how many more of the N vectors have their place.
        progress: whether to show a bar of the epochs in which UMAP and t-SNE are fitted, as long as they are.

    Returns:
        Shape (N + K, dimensions), the landmarks last.

    Raises:
        InputError: fewer than 2 vectors to fit (5 for UMAP and t-SNE), or an unknown method.
    """
    if method not in _LEAST or (method == "tsne" and dimensions != 2):
        kind = f"{method!r}" if method not in _LEAST else f"{method!r} in {dimensions} dimensions"
        raise InputError(f"Map method {kind} is unknown: take umap, tsne or pca.")
    extra = np.empty((0, vectors.shape[1]), dtype=np.float32) if landmarks is None else landmarks
    rows = np.arange(len(vectors)) if fit_on is None else fit_on
    count, least = len(rows) + len(extra), _LEAST[method] + (dimensions - 2 if method == "umap" else 0)
    if count < least:
        raise InputError(f"A {method} map needs {least} images, there are {count}: use pca, or more images.")
    if method == "pca" and fit_on is not None:
        return _pca_by_parts(vectors, extra, dimensions, advance)
    values = vectors if fit_on is None else vectors[rows]
    values = np.array(np.concatenate([values, extra]) if len(extra) else values, dtype=np.float32, order="C")
    found = np.empty((len(vectors) + len(extra), dimensions))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if method == "pca":
            fitted, lay = _pca(values, dimensions, seed), None
        elif method == "umap":
            fitted, lay = _umap(values, dimensions, seed, min(neighbours, count - 1), min_dist, metric, progress)
        else:
            perplexity = min(perplexity, (count - 1) / 3)
            fitted, lay = _tsne(values, seed, perplexity, metric, random_start, progress)
        found[rows], found[len(vectors) :] = fitted[: len(rows)], fitted[len(rows) :]
        advance(len(rows))
        others = np.ones(len(vectors), dtype=np.bool_)
        others[rows] = False
        left = np.flatnonzero(others)
        for start in range(0, len(left) if lay else 0, _PART):
            part = left[start : start + _PART]
            found[part] = lay(np.ascontiguousarray(vectors[part], dtype=np.float32)) if lay else 0
            advance(len(part))
    return found


Lay = Callable[[npt.NDArray[np.float32]], Points]


def _umap(
    values: npt.NDArray[np.float32],
    dimensions: int,
    seed: int,
    neighbours: int,
    min_dist: float,
    metric: str,
    progress: bool,
) -> tuple[Points, Lay]:
    import torch  # slow to import, as UMAP is
    from umap import UMAP

    bar = {"desc": "umap", "unit": "epoch", "bar_format": None, "leave": False, "disable": not progress}
    fitted = UMAP(
        n_components=dimensions, n_neighbors=neighbours, min_dist=min_dist, metric=metric, random_state=seed, n_jobs=1,
        tqdm_kwds=bar,
    )  # fmt: skip
    # Numba begins its threads by setting OpenMP's number of them, which is PyTorch's too, whichever is loaded first:
    # put back, or what a run computes after its map would have other last digits than the same computed alone.
    threads = torch.get_num_threads()
    try:
        points = np.asarray(fitted.fit_transform(values), dtype=np.float64)
    finally:
        torch.set_num_threads(threads)
    bar["disable"] = True  # laying others into the map advances the caller's
    return points, lambda more: np.asarray(fitted.transform(more), dtype=np.float64)


def _tsne(
    values: npt.NDArray[np.float32], seed: int, perplexity: float, metric: str, random_start: bool, progress: bool
) -> tuple[Points, Lay]:
    from openTSNE import TSNE

    start, jobs = "random" if random_start else "pca", 1 if len(values) < _ALONE else 2
    method = TSNE(perplexity=perplexity, metric=metric, random_state=seed, n_jobs=jobs, initialization=start)
    epochs = method.early_exaggeration_iter + method.n_iter
    with tqdm(total=epochs, desc="tsne", unit="epoch", leave=False, disable=not progress) as bar:

        def advance(*_: object) -> None:  # returns nothing: what is true would end the fit
            bar.update(method.callbacks_every_iters)

        method.callbacks = [advance] if progress else None
        fitted = method.fit(values)
    fitted.gradient_descent_params["callbacks"] = None  # laying others into the map advances the caller's
    return np.asarray(fitted, dtype=np.float64), lambda more: np.asarray(fitted.transform(more), dtype=np.float64)


def _pca(values: npt.NDArray[np.float32], dimensions: int, seed: int) -> Points:
    found = PCA(n_components=min(dimensions, *values.shape), random_state=seed).fit_transform(values)
    return np.pad(found, ((0, 0), (0, dimensions - found.shape[1]))).astype(np.float64)


def _pca_by_parts(vectors: Vectors, extra: Vectors, dimensions: int, advance: Advance) -> Points:
    """The same from the covariance of all vectors, which are read in parts: mean, covariance, places."""
    parts = [vectors[start : start + _PART] for start in range(0, len(vectors), _PART)]
    everything = [*parts, extra]
    count, width = sum(len(part) for part in everything), vectors.shape[1]
    mean = np.asarray(sum(part.sum(axis=0, dtype=np.float64) for part in everything)) / count
    covariance = np.zeros((width, width))
    for part in everything:
        centred = part - mean
        covariance += centred.T @ centred
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :dimensions]
    axes *= np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])  # as scikit-learn turns them
    found = np.zeros((count, dimensions))
    start = 0
    for part in everything:
        found[start : start + len(part), : axes.shape[1]] = (part - mean) @ axes
        start += len(part)
        advance(len(part) if part is not extra else 0)
    return found


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
