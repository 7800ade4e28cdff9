import numpy as np
import pytest

from rice_ssl.evaluation.map_quality import map_quality


def distances(vectors, metric):
    if metric == "cosine":
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return 1 - unit @ unit.T
    return np.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(-1))


def ranks(distance):
    """Place of each other image by distance, from 1, image by image."""
    found = []
    for i in range(len(distance)):
        others = sorted((j for j in range(len(distance)) if j != i), key=lambda j: distance[i, j])
        found.append({j: place for place, j in enumerate(others, start=1)})
    return found


def slow(original, points, metric, k):
    """The three measures by their definitions, one image and one neighbour at a time."""
    count, there, here = len(points), ranks(distances(original, metric)), ranks(distances(points, "euclidean"))
    false, lost, shared = 0, 0, 0
    for i in range(count):
        for j in range(count):
            if j == i:
                continue
            if here[i][j] <= k < there[i][j]:  # near on the map alone: V of the paper
                false += there[i][j] - k
            if there[i][j] <= k < here[i][j]:  # near in the space alone: U of the paper
                lost += here[i][j] - k
            shared += there[i][j] <= k and here[i][j] <= k
    scale = 2 / (count * k * (2 * count - 3 * k - 1))
    return 1 - scale * false, 1 - scale * lost, shared / (count * k)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 4, 7])
def test_agrees_with_a_slow_loop(metric, k):
    rng = np.random.default_rng(k)
    original = rng.normal(size=(40, 6))
    points = original[:, :2] + rng.normal(0, 0.5, (40, 2))
    found = map_quality(original, points, metric=metric, neighbours=k)
    measured = (found.trustworthiness, found.continuity, found.shared)
    assert measured == pytest.approx(slow(original, points, metric, k), abs=1e-12)
    assert abs(found.trustworthiness - found.continuity) > 1e-4  # the two are told apart here
    assert (found.neighbours, found.images) == (k, 40)


def test_a_perfect_map_and_a_shuffled_one():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(60, 2))
    same = map_quality(flat, flat, metric="euclidean")
    assert (same.trustworthiness, same.continuity, same.shared) == (1.0, 1.0, 1.0)
    shuffled = map_quality(flat, flat[rng.permutation(60)], metric="euclidean")
    assert shuffled.shared == pytest.approx(15 / 59, abs=0.05)  # what chance gives
    assert shuffled.trustworthiness < 0.65
    assert shuffled.continuity < 0.65


def test_trustworthiness_is_not_the_share():
    """False neighbours that are only just outside the k nearest cost a share in full, and hardly any trust."""
    line = np.arange(60.0)[:, None]
    points = np.concatenate([line + 0.9 * (np.arange(60) % 2)[:, None], np.zeros((60, 1))], axis=1)
    found = map_quality(line, points, metric="euclidean", neighbours=5)
    assert found.shared < 0.95
    assert found.trustworthiness > 0.99


def test_laying_two_groups_over_each_other_costs_trust_and_tearing_one_apart_costs_continuity():
    line = np.arange(40.0)[:, None]
    over = map_quality(np.concatenate([line, line + 1000]), np.concatenate([line, line + 0.5]), metric="euclidean")
    assert over.continuity > over.trustworthiness + 0.02
    torn = line + 1000 * (np.arange(40) % 2)[:, None]
    apart = map_quality(line, torn, metric="euclidean", neighbours=5)
    assert apart.trustworthiness > apart.continuity + 0.02


def test_length_does_not_count_for_cosines():
    rng = np.random.default_rng(3)
    original, points = rng.normal(size=(60, 5)), rng.normal(size=(60, 3))
    longer = original * np.linspace(0.1, 30, 60)[:, None]
    found, again = map_quality(original, points), map_quality(longer.astype(np.float32), points.astype(np.float32))
    assert (again.trustworthiness, again.continuity) == pytest.approx((found.trustworthiness, found.continuity))


@pytest.mark.parametrize(("rows", "k", "said"), [(10, 5, "neighbours is 5 for 10"), (10, 0, "neighbours is 0")])
def test_too_many_neighbours_are_refused(rows, k, said):
    with pytest.raises(ValueError, match=said):
        map_quality(np.zeros((rows, 3)), np.zeros((rows, 2)), neighbours=k)


def test_shapes_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match=r"\(5, 3\) and points \(4, 2\)"):
        map_quality(np.zeros((5, 3)), np.zeros((4, 2)), neighbours=1)
