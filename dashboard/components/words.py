"""How values that every screen shows are written."""

from __future__ import annotations

import re

SPLITS = {"test": "Test", "val": "Validation", "train": "Training"}
"""Split -> its title, in the order in which figures matter."""
JUDGED = {"test": "Test", "oof": "Out of fold", "val": "Validation", "train": "Training"}
"""The same with the labelled pairs of cross-validation, each judged by networks that did not see it."""
NO_LABEL = "no label"
_MARKUP = re.compile(r"[\\*~`$&<>\[\]|]|(?<!\w)_|_(?!\w)|:(?=\w)")
"""What Markdown, and Streamlit's colours, icons and formulas in it, could take for more than text."""
METHODS_MEANING = (
    "UMAP: uniform manifold approximation and projection. t-SNE: t-distributed stochastic neighbour embedding. "
    "PCA: principal component analysis."
)


def plain(text: object) -> str:
    """A name or a sentence out of a file, on one line and such that Markdown shows it as it stands."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(str(text).split()))


def split_title(split: object) -> str:
    """How a split is written; one of an unknown name by that name."""
    return JUDGED.get(str(split), str(split))


def label_text(label: object) -> str:
    """How a pair's label is written, also where it has none."""
    return label if isinstance(label, str) else NO_LABEL
