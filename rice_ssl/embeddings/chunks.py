"""Long work on many samples in chunks that are kept on disk, so that a call cut short is taken up where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from rice_ssl.artifacts import atomic_path
from rice_ssl.swav.ranks import Ranks

Arrays = dict[str, npt.NDArray[np.floating]]
"""Values by name, of shape (N, ...) each."""


def in_chunks(
    count: int,
    size: int,
    folder: Path,
    compute: Callable[[range, Callable[[int], None]], Arrays],
    *,
    title: str,
    unit: str,
    progress: bool = True,
    ranks: Ranks = Ranks(),  # noqa: B008
) -> Arrays:
    """Compute values of samples 0..N-1, some at a time.

    Args:
        count: N.
        size: samples whose values are kept in one file.
        folder: of these files; the caller names another one for other inputs, and removes it.
        compute: gives the values of a range of samples; it calls its second argument with how many more are done.
        title: of the progress bar.
        unit: of a sample, for the bar.
        progress: whether to show it.
        ranks: processes that share the chunks and the folder; the leading one gets the values, the others nothing.

    Returns:
        All values; empty where N is 0.
    """
    starts = range(0, count, size)
    with tqdm(total=count, desc=title, unit=unit, disable=not (progress and ranks.leads)) as bar:

        def advance(samples: int) -> None:
            bar.update(samples * ranks.world)

        for start in starts[ranks.rank :: ranks.world]:
            wanted, path = range(start, min(start + size, count)), _path(folder, start)
            if path.is_file():
                advance(len(wanted))
                continue
            values = compute(wanted, advance)
            with atomic_path(path) as temporary, temporary.open("wb") as stream:
                np.savez(stream, **values)  # type: ignore[arg-type]
    ranks.wait()
    if not ranks.leads:
        return {}
    parts: list[Arrays] = []
    for start in starts:
        with np.load(_path(folder, start), allow_pickle=False) as kept:
            parts.append({name: kept[name] for name in kept.files})
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def _path(folder: Path, start: int) -> Path:
    return folder / f"{start:09d}.npz"
