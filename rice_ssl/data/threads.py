"""Work on many image files with a few threads: reading, hashing and decoding release Python's global lock."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image
from tqdm import tqdm

Item = TypeVar("Item")
Result = TypeVar("Result")
_WORKERS = 2


def map_images(
    function: Callable[[Item], Result], items: Sequence[Item], *, description: str, progress: bool
) -> list[Result]:
    """Apply a function to each item, in threads; results in the order of the items.

    Args:
        function: thread-safe.
        items: one for each image.
        description: name of the progress bar, which is drawn on the standard error stream with rate and time left.
        progress: whether to draw it.
    """
    with warnings.catch_warnings():
        # Set here, not beside Image.open: filters belong to the process, so threads must not change them.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        pool = ThreadPoolExecutor(_WORKERS)
        try:
            work = pool.map(function, items)
            return list(tqdm(work, total=len(items), desc=description, unit="image", disable=not progress))
        finally:
            pool.shutdown(cancel_futures=True)
