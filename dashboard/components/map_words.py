"""How maps, and the values of their columns, are written."""

from __future__ import annotations

from dashboard import access
from dashboard.access import RunKey
from dashboard.charts.map import METHODS
from dashboard.components.words import SPLITS
from dashboard.map_points import MapKey

SPACES = {
    "embedding": "Embeddings",
    "projection": "Projections",
    "logits": "Logits",
    "prototype_logits": "Prototype logits",
}


def value_text(run: RunKey, column: str, value: object) -> str:
    """How a value of a category column is written, in legends, filters and links.

    Args:
        run: the run, whose sensors have titles.
        column: name of the column.
        value: a category of it.
    """
    text = str(value)
    if column == "sensor":
        return access.titles(run).get(text, text)
    if column == "split":
        return SPLITS.get(text, text)
    if column == "cluster" and text.isdigit():
        return f"cluster {text}"
    return text


def map_title(key: MapKey) -> str:
    """A map in words: method, space, and what tells it from others."""
    title = f"{METHODS.get(key.method, key.method)} of {SPACES.get(key.space, key.space).lower()}"
    return f"{title}, seed {key.seed}" if key.dimensions == 2 else f"{title} in three dimensions"
