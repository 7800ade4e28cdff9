import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from rice_ssl.embeddings import neighbours as module
from rice_ssl.embeddings.neighbours import finite_rows, nearest, nearest_of_all, rank_among, twin_ranks, unit_rows
from rice_ssl.evaluation import retrieval


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


def peer(vectors, count):
    """Nearest others of every row, by scikit-learn in float64."""
    found = NearestNeighbors(n_neighbors=count + 1, metric="cosine", algorithm="brute").fit(np.float64(vectors))
    rows = found.kneighbors(np.float64(vectors), return_distance=False)
    return np.array([[row for row in one if row != k][:count] for k, one in enumerate(rows)])


def slowly(vectors, count):
    """One row and one other at a time; ties by lower row."""
    unit = [row / np.linalg.norm(row) if row.any() else row for row in np.float64(vectors)]
    found = []
    for k, one in enumerate(unit):
        cosines = {j: round(float(sum(one * other)), 11) for j, other in enumerate(unit) if j != k}
        order = sorted((j for j in cosines if cosines[j] == cosines[j]), key=lambda j: (-cosines[j], j))[:count]
        found.append([*order, *[-1] * (count - len(order))])
    return found


@pytest.fixture(params=["one block", "many blocks", "groups of columns"])
def blocks(request, monkeypatch):
    """The same in one go, some rows at a time, and with the bound by groups, which is for many columns."""
    monkeypatch.setattr(module, "_PART", {"many blocks": 400, "groups of columns": 3000}.get(request.param, 8_000_000))
    monkeypatch.setattr(module, "_GROUP", 2 if request.param == "groups of columns" else 64)


@pytest.mark.parametrize("width", [2, 7, 64])
@pytest.mark.parametrize("spread", [1.0, 1e-3])
def test_neighbours_of_all_equal_scikit_learn(blocks, width, spread):
    """With a spread of a thousandth all cosines are within rounding of float32: float64 decides."""
    rng = np.random.default_rng(width)
    vectors = (rng.normal(size=width) + spread * rng.normal(size=(300, width))).astype(np.float32)
    told = []
    found = nearest_of_all(vectors, 10, advance=told.append)
    if width > 2 or spread == 1.0:  # angles in a plane this narrow tie in float64, too
        np.testing.assert_array_equal(found, peer(vectors, 10))
    for k in (0, 17, 299):
        assert nearest(vectors[k], vectors, 10, exclude=k)[0].tolist() == found[k].tolist()
    assert sum(told) == 300


def test_ties_go_to_the_lower_row(blocks):
    """Directions that come back many times, of other lengths, and rows of zeros."""
    rng = np.random.default_rng(4)
    vectors = rng.integers(-1, 2, (60, 3)) * rng.choice([1.0, 2.0, 4.0], (60, 1))
    assert not vectors.any(axis=1).all()
    found = nearest_of_all(vectors, 7)
    assert found.tolist() == slowly(vectors, 7)
    for k in range(60):
        assert nearest(vectors[k], vectors, 7, exclude=k)[0].tolist() == found[k].tolist()


def test_vectors_that_are_all_alike_have_the_first_rows_as_neighbours(blocks):
    found = nearest_of_all(np.full((70, 3), 0.7, dtype=np.float32), 3)
    assert found[:5].tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    assert (found[5:] == [0, 1, 2]).all()


def test_rows_with_nan_have_no_neighbours_and_are_nobodys(blocks):
    vectors = np.random.default_rng(5).normal(size=(40, 4)).astype(np.float32)
    vectors[[3, 17], [0, 2]] = [np.nan, np.inf]
    found, kept = nearest_of_all(vectors, 5), [k for k in range(40) if k not in (3, 17)]
    assert finite_rows(vectors).tolist() == [k in kept for k in range(40)]
    assert (found[[3, 17]] == -1).all()
    np.testing.assert_array_equal(found[kept], np.array(kept)[peer(vectors[kept], 5)])


def test_where_there_are_fewer_the_rest_is_minus_one():
    assert nearest_of_all(around([0, 10, 30]), 4).tolist() == [[1, 2, -1, -1], [0, 2, -1, -1], [1, 0, -1, -1]]
    assert nearest_of_all(around([0]), 2).tolist() == [[-1, -1]]
    assert nearest_of_all(np.empty((0, 3)), 2).shape == (0, 2)


def ranks_slowly(first, second):
    found = []
    for k, row in enumerate(first):
        others, _ = nearest(row, second, len(second))
        found.append(1 + others.tolist().index(k) if k in others else 0)
    return found


@pytest.mark.parametrize("spread", [1.0, 1e-3])
def test_ranks_of_twins_equal_the_order_of_the_nearest(blocks, spread):
    rng = np.random.default_rng(6)
    first = (rng.normal(size=6) + spread * rng.normal(size=(90, 6))).astype(np.float32)
    second = (first + 0.7 * spread * rng.normal(size=(90, 6))).astype(np.float32)
    told = []
    seen = twin_ranks(first, second, advance=told.append)
    assert [side.tolist() for side in seen] == [ranks_slowly(first, second), ranks_slowly(second, first)]
    if spread == 1.0:
        assert seen[0].tolist() == (retrieval.twin_ranks(first, second) + 1).tolist()
    assert sum(told) == 90
    assert 1 < seen[0].mean() < 40


def test_ranks_of_twins_with_ties_zeros_and_nan(blocks):
    rng = np.random.default_rng(7)
    first = rng.integers(-1, 2, (50, 2)).astype(np.float64)
    second = rng.integers(-1, 2, (50, 2)).astype(np.float64)
    seen = twin_ranks(first, second)
    assert [side.tolist() for side in seen] == [ranks_slowly(first, second), ranks_slowly(second, first)]
    first[4, 0] = np.nan
    seen = twin_ranks(first, second)
    kept = np.arange(50) != 4
    assert [side[4] for side in seen] == [0, 0]
    assert seen[0][kept].tolist() == ranks_slowly(first[kept], second[kept])
    assert seen[1][kept].tolist() == ranks_slowly(second[kept], first[kept])


def test_ranks_where_all_are_alike(blocks):
    alike = np.ones((60, 3), dtype=np.float32)
    assert [side.tolist() for side in twin_ranks(alike, 2 * alike)] == [list(range(1, 61))] * 2
    assert [side.tolist() for side in twin_ranks(np.empty((0, 2)), np.empty((0, 2)))] == [[], []]


def test_a_rank_is_the_place_in_the_order_of_the_nearest():
    """With ties, a row of zeros and one with NaN, which has none."""
    rng = np.random.default_rng(5)
    vectors = np.concatenate([rng.integers(-1, 2, (80, 3)).astype(np.float64), np.zeros((1, 3)), [[np.nan, 1, 0]]])
    query = np.array([1.0, 2.0, -1.0])
    order, cosines = nearest(query, vectors, len(vectors))
    assert len(order) == 81
    for place, (row, cosine) in enumerate(zip(order, cosines, strict=True), start=1):
        rank, found = rank_among(query, vectors, int(row))
        assert rank == place
        assert found == pytest.approx(cosine, abs=1e-7)
    assert rank_among(query, vectors, 81) is None
