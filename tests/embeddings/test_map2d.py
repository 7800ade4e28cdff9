import re

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from rice_ssl.embeddings import map2d as module
from rice_ssl.embeddings.map2d import cluster_prototypes, fit_map
from rice_ssl.errors import InputError


def two_groups():
    """40 vectors of 6: 20 about one direction, 20 about another."""
    rng = np.random.default_rng(0)
    centre = np.zeros((40, 6))
    centre[:20, 0] = centre[20:, 1] = 5
    return centre + rng.normal(size=(40, 6))


def test_pca_equals_scikit_learn_and_a_hand_made_one():
    values = two_groups()
    found = fit_map(values, "pca", seed=0)
    np.testing.assert_allclose(found, PCA(2).fit_transform(values.astype(np.float32)), atol=1e-5)
    centred = values - values.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs(centred @ axes[:2].T), atol=1e-4)


def test_pca_of_one_dimension_has_zeros_for_the_second():
    found = fit_map(np.array([[1.0], [2.0], [6.0]]), "pca", seed=0)
    assert np.abs(found[:, 0]) == pytest.approx(np.array([2.0, 1.0, 3.0]))
    assert found[:, 1].tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_the_seed_decides_and_groups_stay_together(method):
    values = two_groups()
    first, again = (fit_map(values, method, seed=1) for _ in range(2))
    assert first.shape == (40, 2)
    assert np.isfinite(first).all()
    assert np.array_equal(first, again)
    if method == "umap":  # t-SNE starts from PCA, which no seed changes
        assert not np.array_equal(first, fit_map(values, method, seed=2))
    else:
        assert not np.allclose(first, fit_map(values, method, seed=1, random_start=True), atol=1)
    nearest = NearestNeighbors(n_neighbors=4).fit(first).kneighbors(return_distance=False)
    same = (nearest < 20) == (np.arange(40) < 20)[:, None]
    assert same.mean() > 0.9


@pytest.mark.parametrize("dimensions", [2, 3])
def test_pca_of_all_by_parts_is_the_same(dimensions, monkeypatch):
    """Also its signs; the rows that others are fitted on do not matter to it, the landmarks do."""
    monkeypatch.setattr(module, "_PART", 7)
    values, told = two_groups().astype(np.float32), []
    landmarks = 3 * values[:4, ::-1]
    found = fit_map(values, "pca", seed=0, dimensions=dimensions, landmarks=landmarks, fit_on=np.arange(9),
                    advance=told.append)  # fmt: skip
    joint = np.concatenate([values, landmarks])
    np.testing.assert_allclose(found, fit_map(joint, "pca", seed=0, dimensions=dimensions), atol=1e-4)
    assert (found.shape, sum(told)) == ((44, dimensions), 40)
    flat = fit_map(values[:, :1], "pca", seed=0, dimensions=dimensions, fit_on=np.arange(9))
    assert (np.abs(flat[:, 0] - flat[:, 0].mean()) > 0).any()
    assert not flat[:, 1:].any()


def test_pca_in_three_dimensions_adds_an_axis_to_that_in_two():
    found = fit_map(two_groups(), "pca", seed=0, dimensions=3)
    np.testing.assert_allclose(found[:, :2], fit_map(two_groups(), "pca", seed=0), atol=1e-4)
    np.testing.assert_allclose(found, PCA(3).fit_transform(two_groups().astype(np.float32)), atol=1e-4)


def test_umap_in_three_dimensions():
    found = fit_map(two_groups(), "umap", seed=0, dimensions=3)
    assert (found.shape, np.isfinite(found).all()) == ((40, 3), True)
    near = NearestNeighbors(n_neighbors=4).fit(found).kneighbors(return_distance=False)
    assert ((near < 20) == (np.arange(40) < 20)[:, None]).mean() > 0.9


@pytest.mark.parametrize(("method", "epochs"), [("umap", 500), ("tsne", 750)])
def test_a_bar_counts_the_epochs_of_the_fit_alone(method, epochs, capsys):
    """It changes nothing of the map, and says nothing of those that are laid into it; without it nothing is said."""
    values, rows = two_groups(), np.arange(20, dtype=np.int64) * 2
    quiet = fit_map(values, method, seed=0, fit_on=rows)
    assert capsys.readouterr() == ("", "")
    shown = fit_map(values, method, seed=0, fit_on=rows, progress=True)
    np.testing.assert_array_equal(shown, quiet)
    out, err = capsys.readouterr()
    assert out == ""
    assert set(re.findall(r"(\w+): +\d+%.*?/(\d+) ", err)) == {(method, str(epochs))}


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_what_is_not_fitted_is_laid_among_its_like(method, monkeypatch):
    """Of 600 vectors of two groups 150 are fitted; landmarks at the two centres are always fitted, and come last."""
    monkeypatch.setattr(module, "_PART", 170)
    rng = np.random.default_rng(5)
    group = np.arange(600) % 2
    centres = 5 * np.eye(6)[:2]
    values = centres[group] + rng.normal(size=(600, 6))
    values.flags.writeable = False  # as a column of a file that is mapped
    rows, told = np.sort(rng.choice(600, 150, replace=False)), []
    settings = {"landmarks": centres, "seed": 3}
    found = fit_map(values, method, fit_on=rows, advance=told.append, **settings)
    assert (found.shape, np.isfinite(found).all()) == ((602, 2), True)
    assert (told[0], sum(told)) == (150, 600)
    alone = fit_map(values[rows], method, **settings)
    np.testing.assert_array_equal(found[[*rows, 600, 601]], alone)  # the sample's map is that of the sample alone
    np.testing.assert_array_equal(found, fit_map(values, method, fit_on=rows, **settings))
    others = np.setdiff1d(np.arange(600), rows)
    near = NearestNeighbors(n_neighbors=5).fit(found[rows]).kneighbors(found[others], return_distance=False)
    assert (group[rows][near] == group[others][:, None]).mean() > 0.9
    landmark = NearestNeighbors(n_neighbors=9).fit(found[:600]).kneighbors(found[600:], return_distance=False)
    assert (group[landmark] == [[0], [1]]).mean() > 0.9


@pytest.mark.parametrize(("method", "least"), [("pca", 2), ("umap", 5), ("tsne", 5)])
def test_too_few_vectors_are_refused_and_the_fewest_allowed_are_laid_out(method, least):
    vectors = np.random.default_rng(0).normal(size=(least, 6))
    message = f"A {method} map needs {least} images, there are {least - 1}: use pca, or more images"
    with pytest.raises(InputError, match=message):
        fit_map(vectors[:-1], method, seed=0)
    found = fit_map(vectors, method, seed=0)
    assert found.shape == (least, 2)
    assert np.isfinite(found).all()


def test_an_unknown_method_is_named():
    with pytest.raises(InputError, match="Map method 'som' is unknown: take umap, tsne or pca"):
        fit_map(two_groups(), "som", seed=0)
    with pytest.raises(InputError, match="Map method 'tsne' in 3 dimensions is unknown"):
        fit_map(two_groups(), "tsne", seed=0, dimensions=3)


def test_three_dimensions_of_few_vectors():
    vectors = np.random.default_rng(0).normal(size=(6, 6))
    with pytest.raises(InputError, match="A umap map needs 6 images, there are 5"):
        fit_map(vectors[:5], "umap", seed=0, dimensions=3)
    assert np.isfinite(fit_map(vectors, "umap", seed=0, dimensions=3)).all()
    assert fit_map(vectors[:2], "pca", seed=0, dimensions=3)[:, 2].tolist() == [0.0, 0.0]


def test_clusters_by_hand():
    """Angles 0, 5 and 10 degrees; 90 and 95; 180: three clusters, numbered by size."""
    angles = np.deg2rad([180, 90, 0, 5, 95, 10])
    prototypes = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert cluster_prototypes(prototypes, 3).tolist() == [2, 1, 0, 0, 1, 0]


def test_linkage_is_the_average_cosine_distance():
    """With these numbers single and complete linkage, and Euclidean distance, give other clusters."""
    prototypes = np.random.default_rng(10).normal(size=(12, 3))
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    distance, groups = 1 - prototypes @ prototypes.T, [{k} for k in range(12)]
    while len(groups) > 4:
        pairs = [(a, b) for k, a in enumerate(groups) for b in groups[k + 1 :]]
        a, b = min(pairs, key=lambda two: np.mean([distance[i, j] for i in two[0] for j in two[1]]))
        groups = [*(group for group in groups if group not in (a, b)), a | b]
    found = cluster_prototypes(prototypes, 4)
    clusters = [set(np.flatnonzero(found == number)) for number in range(4)]
    assert sorted(map(sorted, clusters)) == sorted(map(sorted, groups))
    assert [len(cluster) for cluster in clusters] == sorted((len(group) for group in groups), reverse=True)


def test_more_clusters_than_prototypes_gives_each_its_own():
    assert sorted(cluster_prototypes(np.eye(3), 6).tolist()) == [0, 1, 2]
    assert cluster_prototypes(np.eye(3)[:1], 6).tolist() == [0]
    assert cluster_prototypes(np.zeros((0, 3)), 6).tolist() == []
