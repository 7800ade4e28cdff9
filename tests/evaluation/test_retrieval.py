import numpy as np

from rice_ssl.evaluation.retrieval import recall_at, twin_ranks


def test_ranks_by_hand():
    """On a circle: one other lies before the twin of query 0, none before that of query 1, two before query 2's."""
    angles = np.radians([[0, 10], [90, 40], [180, 0]])
    query, gallery = (np.stack([np.cos(a), np.sin(a)], axis=1) for a in (angles[:, 0], angles[:, 1]))
    assert twin_ranks(query, gallery).tolist() == [1, 0, 2]  # of query 0, gallery 2 (0 degrees) is nearer than 10
    assert twin_ranks(5 * query, gallery).tolist() == [1, 0, 2]  # cosine knows no length


def test_ranks_equal_a_slow_loop_beyond_one_chunk():
    rng = np.random.default_rng(0)
    first = rng.normal(size=(1100, 6))
    second = first + rng.normal(size=first.shape)
    found = twin_ranks(first, second)
    for row in (0, 5, 1023, 1024, 1099):
        cosine = [float(first[row] @ s / np.linalg.norm(first[row]) / np.linalg.norm(s)) for s in second]
        assert found[row] == sum(value > cosine[row] for value in cosine)


def test_embeddings_that_are_all_alike_find_nothing():
    same = np.ones((10, 4))
    assert twin_ranks(same, same).tolist() == [9] * 10
    assert recall_at(same, same, 5).tolist() == [0] * 10


def test_recall_counts_both_directions():
    """Gallery 0 is nearest to both queries: forward pair 0 hits, pair 1 misses; backward both hit."""
    query = np.array([[1.0, 0.0], [0.8, 0.6]])
    gallery = np.array([[0.95, 0.31], [0.0, 1.0]])
    assert recall_at(query, gallery, 1).tolist() == [1.0, 0.5]
    assert recall_at(query, gallery, 2).tolist() == [1.0, 1.0]
    assert recall_at(np.zeros((0, 2)), np.zeros((0, 2)), 1).tolist() == []
