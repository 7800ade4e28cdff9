"""A colour for every point of a map: numbers of a palette, so that a million points are a million bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from plotly.colors import find_intermediate_color, get_colorscale, hex_to_rgb

from dashboard.charts.figures import CLASS_COLOURS, CLUSTER_COLOURS, GREY

MOST_VALUES = 20
"""Values with a colour of their own; the rest, the rarer ones, are ``other``."""
DISTINCT = (*CLASS_COLOURS[:7], *CLUSTER_COLOURS, "#7F5539", "#4C9F70", "#E07BE0", "#6C8EBF")
SHADES = 128
"""Steps of a continuous scale."""
OTHER, UNKNOWN = "other", "unknown"


@dataclass(frozen=True)
class Colouring:
    """How points are coloured.

    Attributes:
        codes: number of each point's colour in the palette, shape (N,).
        palette: colours.
        legend: (code, text) in order, of values that are there; empty where the palette is continuous.
        scale: lowest and highest value as text, where the palette is continuous; the last colour is of no value.
    """

    codes: npt.NDArray[np.uint8]
    palette: tuple[str, ...]
    legend: tuple[tuple[int, str], ...]
    scale: tuple[str, str] | None = None


def colour_values(values: pd.Series, colours: Mapping[str, str], text: Callable[[object], str] = str) -> Colouring:
    """Colours of a category column.

    Args:
        values: category dtype, shape (N,).
        colours: value -> its colour; values without one get one of a list, in their order.
        text: how a value is written.
    """
    given = values.cat.codes.to_numpy()
    counts = np.bincount(given[given >= 0], minlength=len(values.cat.categories))
    there = np.flatnonzero(counts)
    shown = there
    if len(there) > MOST_VALUES:
        shown = there[np.lexsort((there, -counts[there]))][:MOST_VALUES]
    spare = iter(shade for shade in DISTINCT * 2 if shade not in set(colours.values()))
    names = [str(values.cat.categories[code]) for code in shown]
    palette = [colours.get(name) or next(spare, GREY) for name in names]
    legend = [(k, text(values.cat.categories[code])) for k, code in enumerate(shown)]
    table = np.full(len(counts) + 1, len(shown) + 1, dtype=np.uint8)  # the last is of code -1, no value
    table[there] = len(shown)
    table[shown] = np.arange(len(shown), dtype=np.uint8)
    if len(there) > len(shown):
        legend.append((len(shown), f"{OTHER} ({len(there) - len(shown):,} values)"))
    if (given < 0).any():
        legend.append((len(shown) + 1, UNKNOWN))
    return Colouring(table[given], (*palette, GREY, GREY), tuple(legend))


def colour_numbers(values: npt.NDArray[np.floating]) -> Colouring:
    """Colours of a column of numbers: dark for the lowest, bright for the highest, grey for none.

    Args:
        values: shape (N,); NaN where there is none.
    """
    known = np.isfinite(values)
    codes = np.full(len(values), SHADES, dtype=np.uint8)
    if not known.any():
        return Colouring(codes, (*_shades(), GREY), ((SHADES, UNKNOWN),))
    low, high = (float(bound(values[known])) for bound in (np.min, np.max))
    share = (values[known].astype(np.float64) - low) / ((high - low) or 1.0)
    codes[known] = np.minimum(share * SHADES, SHADES - 1).astype(np.uint8)
    legend = () if known.all() else ((SHADES, UNKNOWN),)
    return Colouring(codes, (*_shades(), GREY), legend, (written(low), written(high)))


def written(value: float) -> str:
    """A number at the end of a scale: three significant digits, whole numbers whole."""
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.3g}"


def _shades() -> Sequence[str]:
    """Viridis without its darkest and brightest ends, which one of the themes would swallow."""
    stops = [(place, hex_to_rgb(shade)) for place, shade in get_colorscale("viridis")]
    found = []
    for place in np.linspace(0.12, 0.88, SHADES):
        after = next(k for k, (stop, _) in enumerate(stops) if stop >= place)
        (low, first), (high, second) = stops[after - 1], stops[after]
        mixed = find_intermediate_color(first, second, (place - low) / (high - low))
        found.append("#" + "".join(f"{round(part):02X}" for part in mixed))
    return tuple(found)
