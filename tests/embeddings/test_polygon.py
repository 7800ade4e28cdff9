"""Points in a polygon, against a slow loop in exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from rice_ssl.embeddings.polygon import inside
from rice_ssl.errors import InputError


def exactly(px, py, vertices):
    """Even-odd rule in rational numbers: where the ray to the right meets each edge, counted one by one."""
    px, py = Fraction(float(px)), Fraction(float(py))
    corners = [(Fraction(float(a)), Fraction(float(b))) for a, b in vertices]
    crossings = 0
    for k, (ax, ay) in enumerate(corners):
        bx, by = corners[(k + 1) % len(corners)]
        if ay == by:
            if py == ay and min(ax, bx) <= px <= max(ax, bx):
                return True
            continue
        if not min(ay, by) <= py <= max(ay, by):
            continue
        meets = ax + (py - ay) * (bx - ax) / (by - ay)
        if meets == px:
            return True
        if meets > px and py < max(ay, by):  # an edge holds its lower end and not its upper one
            crossings += 1
    return crossings % 2 == 1


STAR = [(0, 3), (2, -3), (-3, 1), (3, 1), (-2, -3)]  # crosses itself: its middle is enclosed twice
SPIKE = [(0, 0), (4, 0), (4, 4), (2, 4), (2, 7), (2, 4), (0, 4)]  # goes out and back on one line
CONCAVE = [(-4, -4), (4, -4), (4, 4), (0, 0), (-4, 4)]
BOW = [(-4, -4), (4, 4), (4, -4), (-4, 4)]
TWICE = [(-3, -3), (3, -3), (3, 3), (-3, 3)] * 2  # drawn over itself: all is enclosed twice
POINT = [(1, 1), (1, 1), (1, 1)]
LINE = [(-2, -2), (2, 2)]


@pytest.mark.parametrize("vertices", [STAR, SPIKE, CONCAVE, BOW, TWICE, POINT, LINE, STAR[::-1], CONCAVE[::-1]])
def test_every_point_of_a_lattice_is_as_the_fractions_say(vertices):
    """A lattice of halves has many points on edges, on vertices and level with them."""
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(-5, 8, 0.5), np.arange(-5, 8, 0.5)))
    expected = [exactly(px, py, vertices) for px, py in zip(x, y, strict=True)]
    np.testing.assert_array_equal(inside(x, y, np.array(vertices, dtype=float)), expected)
    np.testing.assert_array_equal(inside(x.astype(np.float32), y.astype(np.float32), np.array(vertices)), expected)


def test_what_is_on_a_slanted_edge_a_vertex_or_enclosed_twice():
    x, y = np.array([0.0, 0.0, 1.0, 2.0, 0.5, 3.0]), np.array([3.0, 0.0, 0.0, 0.0, 1.0, 1.0])
    assert inside(x, y, np.array(STAR, dtype=float)).tolist() == [True, False, True, False, True, True]
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    ends = np.array([0.0, 1.0, 0.5, 0.5, 0.5, 1.0000001])
    assert inside(ends, np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.5]), square).tolist() == [True] * 5 + [False]


def test_duplicates_are_all_in_or_all_out():
    rng = np.random.default_rng(0)
    place = rng.integers(-4, 5, (40, 2)).astype(float)
    rows = rng.permutation(np.repeat(np.arange(40), 25))
    found = inside(place[rows, 0], place[rows, 1], np.array(STAR, dtype=float))
    for k in range(40):
        assert set(found[rows == k]) == {exactly(*place[k], STAR)}


@pytest.mark.parametrize("seed", range(4))
def test_random_lassos_of_64_vertices_on_the_grid_of_the_link(seed):
    """As the screen asks: vertices on a grid of 65,536 steps, points in float32, the lasso crossing itself."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, 1500)).astype(np.float32)
    steps = rng.integers(0, 65536, (64, 2))
    low, high = (np.array([bound(x), bound(y)], dtype=np.float64) for bound in (np.min, np.max))
    vertices = low + steps * (high - low) / 65535
    x[:64], y[:64] = vertices.T  # rounded to float32, so near a vertex and seldom on it
    expected = [exactly(px, py, vertices) for px, py in zip(x, y, strict=True)]
    found = inside(x, y, vertices)
    np.testing.assert_array_equal(found, expected)
    assert 0 < found.sum() < len(found)


def test_points_that_have_no_place_are_outside():
    found = inside(np.array([np.nan, 0.0, np.inf, 0.0]), np.array([0.0, np.nan, 0.0, 0.0]), np.array(CONCAVE[:3]))
    assert found.tolist() == [False, False, False, True]
    assert inside(np.empty(0), np.empty(0), np.array(CONCAVE)).tolist() == []


@pytest.mark.parametrize(
    ("x", "y", "vertices", "said"),
    [
        (np.zeros(2), np.zeros(3), np.array(CONCAVE), r"x has shape \(2,\) and y \(3,\)"),
        (np.zeros(2), np.zeros(2), np.zeros((0, 2)), r"Vertices of shape \(0, 2\) are no polygon"),
        (np.zeros(2), np.zeros(2), np.zeros((3, 3)), r"Vertices of shape \(3, 3\) are no polygon"),
        (np.zeros(2), np.zeros(2), np.array([[0.0, np.nan]]), "give finite corners"),
    ],
)
def test_what_is_no_polygon_is_said(x, y, vertices, said):
    with pytest.raises(InputError, match=said):
        inside(x, y, vertices)
