import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from rice_ssl.embeddings.neighbours import nearest, neighbourhood_overlap, unit_rows


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)


def around(degrees):
    """Unit vectors in a plane, so that the nearest by cosine are the nearest by angle."""
    angles = np.deg2rad(np.array(degrees, dtype=np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_neighbours_equal_scikit_learn(vectors):
    peer = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(vectors)
    for query in np.random.default_rng(1).normal(size=(5, 7)):
        distances, expected = peer.kneighbors(query[None])
        rows, similarity = nearest(query, vectors, 10)
        assert rows.tolist() == expected[0].tolist()
        np.testing.assert_allclose(similarity, 1 - distances[0], atol=1e-5)


def test_length_does_not_count(vectors):
    rows, similarity = nearest(vectors[4], vectors, 9)
    longer = vectors * np.linspace(0.1, 50, 60, dtype=np.float32)[:, None]
    other_rows, other_similarity = nearest(300 * vectors[4], longer, 9)
    assert other_rows.tolist() == rows.tolist()
    np.testing.assert_allclose(other_similarity, similarity, atol=1e-6)


def test_the_excluded_row_is_left_out_and_nothing_else(vectors):
    everything, _ = nearest(vectors[3], vectors, 60)
    without, _ = nearest(vectors[3], vectors, 60, exclude=3)
    assert everything[0] == 3
    assert without.tolist() == everything[1:].tolist()


def test_rows_with_nan_are_never_neighbours_and_fewer_come_back():
    vectors = around([0, 10, 20, 30])
    vectors[1, 0] = np.nan
    rows, similarity = nearest(vectors[0], vectors, 10, exclude=0)
    assert rows.tolist() == [2, 3]
    assert similarity == pytest.approx(np.cos(np.deg2rad([20, 30])))


def test_a_query_with_nan_has_no_neighbours():
    rows, similarity = nearest(np.array([np.nan, 1.0]), around([0, 10]), 2)
    assert (len(rows), len(similarity)) == (0, 0)


def test_of_equally_near_rows_the_lower_comes_first():
    assert nearest(np.array([1.0, 0.0]), around([90, 0, 180, 0, 0]), 4)[0].tolist() == [1, 3, 4, 0]


def test_a_row_of_zeros_stays_zero():
    assert unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])) == pytest.approx(np.array([[0.6, 0.8], [0.0, 0.0]]))


def test_overlap_by_hand():
    """Two nearest of pair 0: {1, 2} and {1, 3}: 1 shared of 3; of pair 3: {2, 1} and {0, 1}: 1 of 3; and so on."""
    first, second = around([0, 10, 25, 45]), around([0, 10, 60, 25])
    nearest_first = [{1, 2}, {0, 2}, {1, 3}, {1, 2}]
    nearest_second = [{1, 3}, {0, 3}, {1, 3}, {0, 1}]
    expected = [len(a & b) / len(a | b) for a, b in zip(nearest_first, nearest_second, strict=True)]
    assert expected == [1 / 3, 1 / 3, 1, 1 / 3]
    assert neighbourhood_overlap(first, second, 2) == pytest.approx(np.array(expected))


def test_overlap_equals_a_slow_loop(vectors):
    other = np.random.default_rng(2).normal(size=(60, 5))
    sets = [
        [set(nearest(row, values, 10, exclude=k)[0]) for k, row in enumerate(values)] for values in (vectors, other)
    ]
    expected = [len(a & b) / len(a | b) for a, b in zip(*sets, strict=True)]
    assert neighbourhood_overlap(vectors, other) == pytest.approx(np.array(expected))


def test_a_turned_space_overlaps_entirely(vectors):
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(7, 7)))
    assert neighbourhood_overlap(vectors, vectors @ turn, 5).tolist() == [1.0] * 60
