"""Which runs can be shown beside the one on screen."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from dashboard.access import RunKey, comparison, has, key_of
from dashboard.command_line import comparison_folder, offered_runs
from rice_ssl.errors import ArtifactError


def other_runs(run: RunKey, most: int = 40) -> dict[str, RunKey]:
    """Runs that have a training log, to be laid over a run: those offered, and the run directories beside it.

    Args:
        run: the run on screen, which is left out.
        most: directories that are offered.

    Returns:
        What to call each -> the run.
    """
    own = Path(run.path).resolve()
    places = [*offered_runs(), *_beside(own)]
    return _keys([path for path in places if path.resolve() != own and has(key_of(path), "metrics")], most)


def known_runs(run: RunKey, most: int = 60) -> dict[str, RunKey]:
    """Runs that can be compared: the one on screen, those offered, those beside it, and the comparison's.

    Args:
        run: the run on screen, which comes first.
        most: directories that are offered.

    Returns:
        What to call each -> the run.
    """
    places = [Path(run.path), *offered_runs(), *_beside(Path(run.path).resolve())]
    with contextlib.suppress(ArtifactError, KeyError, TypeError):  # the screen of sensors says what is wrong with it
        folder = comparison_folder().resolve()
        named = [(folder / str(each["folder"])).resolve() for each in comparison()["conditions"]]
        places += [path for path in named if path.is_relative_to(folder)]  # a file may name any folder, we show its own
    return _keys([path for path in places if (path / "run.json").is_file()], most)


def _beside(own: Path) -> list[Path]:
    return sorted(path.parent for path in own.parent.glob("*/run.json"))


def _keys(places: Sequence[Path], most: int) -> dict[str, RunKey]:
    """Runs by ``folder/name``, each directory once; by the whole path where another is called so."""
    found: dict[Path, RunKey] = {}
    for path in places:
        if len(found) < most:
            found.setdefault(path.resolve(), key_of(path))
    named: dict[str, RunKey] = {}
    for path, key in found.items():
        short = f"{path.parent.name}/{path.name}"
        named[path.as_posix() if short in named else short] = key
    return named
