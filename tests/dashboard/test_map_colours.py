"""Colours of points, by values."""

import numpy as np
import pandas as pd

from dashboard.charts.figures import CLASS_COLOURS, GREY
from dashboard.charts.map_colours import DISTINCT, colour_numbers, colour_values


def test_values_have_their_own_colours_and_none_is_grey():
    values = pd.Series(["b", "a", None, "b", "c"]).astype(pd.CategoricalDtype(["c", "a", "b", "never"]))
    found = colour_values(values, {"a": "#111111"}, lambda value: f"<{value}>")
    assert [found.palette[code] for code in found.codes] == [
        CLASS_COLOURS[1], "#111111", GREY, CLASS_COLOURS[1], CLASS_COLOURS[0],
    ]  # fmt: skip
    assert [(found.palette[code], text) for code, text in found.legend] == [
        (CLASS_COLOURS[0], "<c>"), ("#111111", "<a>"), (CLASS_COLOURS[1], "<b>"), (GREY, "unknown"),
    ]  # fmt: skip
    assert found.scale is None


def test_twenty_values_have_colours_and_rarer_ones_are_other():
    counts = {f"v{k:02d}": 1 + (k * 7) % 25 for k in range(25)}  # every count from 1 to 25 once
    values = pd.Series([name for name, count in counts.items() for _ in range(count)], dtype="category")
    found = colour_values(values, {})
    frequent = sorted(counts, key=counts.get, reverse=True)[:20]
    assert [text for _, text in found.legend] == [*frequent, "other (5 values)"]
    texts = dict(found.legend)
    for name, code in zip(values, found.codes, strict=True):
        assert texts[code] == (name if name in frequent else "other (5 values)")
    shades = [found.palette[code] for code, _ in found.legend]
    assert len(set(shades)) == 21
    assert shades[-1] == GREY


def test_there_are_twenty_colours_and_no_two_are_the_same():
    assert len(set(DISTINCT)) == len(DISTINCT) == 20
    assert GREY not in DISTINCT


def test_no_value_at_all():
    found = colour_values(pd.Series([None, None], dtype="category"), {})
    assert [found.palette[code] for code in found.codes] == [GREY, GREY]
    assert [text for _, text in found.legend] == ["unknown"]


def brightness(colour):
    return sum(weight * int(colour[k : k + 2], 16) for weight, k in ((0.299, 1), (0.587, 3), (0.114, 5)))


def test_numbers_are_brighter_the_higher_they_are():
    values = np.array([0.5, -2.0, 3.0, np.nan, 0.5, np.inf], dtype=np.float32)
    found = colour_numbers(values)
    assert found.codes.tolist() == [64, 0, 127, 128, 64, 128]
    assert found.scale == ("-2", "3")
    assert found.legend == ((128, "unknown"),)
    shades = [brightness(colour) for colour in found.palette[:128]]
    assert shades == sorted(shades)
    assert found.palette[128] == GREY


def test_numbers_that_are_all_one_or_none():
    same = colour_numbers(np.full(3, 0.25, dtype=np.float32))
    assert (set(same.codes.tolist()), same.scale) == ({0}, ("0.25", "0.25"))
    none = colour_numbers(np.full(3, np.nan, dtype=np.float32))
    assert (set(none.codes.tolist()), none.scale) == ({128}, None)
    assert [text for _, text in none.legend] == ["unknown"]
