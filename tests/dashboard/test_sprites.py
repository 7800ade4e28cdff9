"""Images as points: which are drawn, and the one picture that holds them."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dashboard.charts.sprites import TILE, spread_out, sprite_sheet


def slowly(x, y, across, down, box):
    """The point nearest to the middle of each cell, cell by cell."""
    x0, x1, y0, y1 = box
    best = {}
    for k in range(len(x)):
        if not (x0 <= x[k] <= x1 and y0 <= y[k] <= y1):
            continue
        u, v = (x[k] - x0) / (x1 - x0) * across, (y[k] - y0) / (y1 - y0) * down
        cell = min(int(u), across - 1), min(int(v), down - 1)
        off = (u - cell[0] - 0.5) ** 2 + (v - cell[1] - 0.5) ** 2
        if cell not in best or off < best[cell][0]:
            best[cell] = (off, k)
    return sorted(k for _, k in best.values())


def test_spread_out_keeps_one_point_of_each_cell():
    places = np.array([0, 0.1, 0.9, 1.0])
    assert spread_out(places, places, 2).tolist() == [1, 2]  # nearest to the middles of two cells, 0.25 and 0.75


@pytest.mark.parametrize(("across", "down"), [(1, 1), (7, 5), (14, 9)])
def test_spread_out_is_as_a_slow_loop(across, down):
    x, y = np.random.default_rng(0).normal(size=(2, 3000))
    x[1000:1100], y[1000:1100] = x[:100], y[:100]  # duplicates: the first is drawn
    box = (-1.5, 1.0, -0.5, 2.0)
    assert spread_out(x, y, (across, down), box).tolist() == slowly(x, y, across, down, box)
    whole = (x.min(), x.max(), y.min(), y.max())
    assert spread_out(x, y, (across, down)).tolist() == slowly(x, y, across, down, whole)


def test_spread_out_of_nothing_of_one_place_and_of_no_place():
    assert spread_out(np.empty(0), np.empty(0), 4).tolist() == []
    assert spread_out(np.full(5, 2.0), np.full(5, -1.0), 4).tolist() == [0]
    assert spread_out(np.array([0.0, np.nan]), np.array([0.0, 0.0]), 4, (-1.0, 1.0, -1.0, 1.0)).tolist() == [0]


def jpeg(colour, size=(100, 60)):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "JPEG")
    return stream.getvalue()


def test_every_tile_is_its_picture():
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (120, 120, 40), (10, 10, 10)]
    sheet = sprite_sheet([jpeg(colour) for colour in colours])
    picture = Image.open(io.BytesIO(base64.b64decode(sheet.url.removeprefix("data:image/webp;base64,"))))
    assert (sheet.tile, picture.size) == (TILE, (3 * TILE, 2 * TILE))
    assert list(zip(sheet.left, sheet.top, strict=True)) == [
        (0, 0), (TILE, 0), (2 * TILE, 0), (0, TILE), (TILE, TILE),
    ]  # fmt: skip
    for colour, left, top in zip(colours, sheet.left, sheet.top, strict=True):
        middle = np.asarray(picture.convert("RGB"))[top + 8 : top + TILE - 8, left + 8 : left + TILE - 8]
        np.testing.assert_allclose(middle.mean(axis=(0, 1)), colour, atol=6)


def test_a_picture_that_is_not_there_or_cannot_be_read_leaves_its_tile_grey():
    sheet = sprite_sheet([None, b"no picture", jpeg((200, 30, 30))])
    content = base64.b64decode(sheet.url.partition(",")[2])
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=int)
    assert np.abs(picture[8 : TILE - 8, 8 : 2 * TILE - 8] - 128).max() <= 12
    assert len(sheet.left) == 3
    assert sprite_sheet([]).left == []
