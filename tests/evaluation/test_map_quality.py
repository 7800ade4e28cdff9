import numpy as np
import pytest

from rice_ssl.evaluation.map_quality import map_quality


def distances(vectors, metric):
    if metric == "cosine":
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return 1 - unit @ unit.T
    return np.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(-1))


def slow(original, points, metric, k):
    """Both measures by their definitions, one image and one neighbour at a time."""
    count, there, here = len(points), distances(original, metric), distances(points, "euclidean")
    penalty, shared = 0, 0
    for i in range(count):
        others = [j for j in range(count) if j != i]
        by_space = sorted(others, key=lambda j: there[i, j])
        rank = {j: place for place, j in enumerate(by_space, start=1)}
        for j in sorted(others, key=lambda j: here[i, j])[:k]:
            penalty += max(0, rank[j] - k)
            shared += rank[j] <= k
    return 1 - 2 * penalty / (count * k * (2 * count - 3 * k - 1)), shared / (count * k)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4, 7])
def test_agrees_with_a_slow_loop(metric, k):
    rng = np.random.default_rng(k)
    original = rng.normal(size=(40, 6))
    points = original[:, :2] + rng.normal(0, 0.5, (40, 2))
    found = map_quality(original, points, metric=metric, neighbours=k)
    assert (found.trustworthiness, found.shared) == pytest.approx(slow(original, points, metric, k))
    assert (found.neighbours, found.images) == (k, 40)


def test_a_perfect_map_and_a_shuffled_one():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(60, 2))
    same = map_quality(flat, flat, metric="euclidean")
    assert (same.trustworthiness, same.shared) == (1.0, 1.0)
    shuffled = map_quality(flat, flat[rng.permutation(60)], metric="euclidean")
    assert shuffled.shared == pytest.approx(15 / 59, abs=0.05)  # what chance gives
    assert shuffled.trustworthiness < 0.65


def test_trustworthiness_is_not_the_share():
    """False neighbours that are only just outside the k nearest cost a share in full, and hardly any trust."""
    line = np.arange(60.0)[:, None]
    points = np.concatenate([line + 0.9 * (np.arange(60) % 2)[:, None], np.zeros((60, 1))], axis=1)
    found = map_quality(line, points, metric="euclidean", neighbours=5)
    assert found.shared < 0.95
    assert found.trustworthiness > 0.99


@pytest.mark.parametrize(("rows", "k", "said"), [(10, 5, "neighbours is 5 for 10"), (10, 0, "neighbours is 0")])
def test_too_many_neighbours_are_refused(rows, k, said):
    with pytest.raises(ValueError, match=said):
        map_quality(np.zeros((rows, 3)), np.zeros((rows, 2)), neighbours=k)


def test_shapes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 3\) and points \(4, 2\)"):
        map_quality(np.zeros((5, 3)), np.zeros((4, 2)), neighbours=1)
