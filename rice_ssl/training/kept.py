"""Where a training's checkpoints lie that no later one replaces."""

from __future__ import annotations

from pathlib import Path

KEPT = "kept"
"""Their folder in the stage's checkpoint folder."""


def kept_checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints kept for good in a stage's checkpoint folder, by the step that they were written before."""
    found = {int(path.stem): path for path in (folder / KEPT).glob("*.pt") if path.stem.isdecimal()}
    return dict(sorted(found.items()))
