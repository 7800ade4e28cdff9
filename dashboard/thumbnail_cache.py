"""Thumbnails that were looked up last, so that a picture is read once though screens ask for it over and over."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

import pandas as pd

Entry = tuple[str, str]


class ThumbnailCache:
    """JPEGs of one run, read when asked for.

    Args:
        read: gives rows ``pair_id``, ``sensor``, ``jpeg`` of pairs.
        most: images that are kept, >= 1; those not asked for longest go first.
    """

    def __init__(self, read: Callable[[Sequence[str]], pd.DataFrame], most: int = 4096) -> None:
        """Begin with none."""
        self._read, self._most = read, most
        self._kept: OrderedDict[Entry, bytes | None] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, entries: Sequence[Entry]) -> list[bytes | None]:
        """JPEGs of images, each named by pair and sensor; None where there is none."""
        with self._lock:
            known = {entry: self._kept[entry] for entry in entries if entry in self._kept}
        lacking = [entry for entry in dict.fromkeys(entries) if entry not in known]
        if lacking:
            rows = self._read([pair_id for pair_id, _ in lacking])
            found = dict(zip(zip(rows["pair_id"], rows["sensor"], strict=True), rows["jpeg"], strict=True))
            known.update({entry: found.get(entry) for entry in lacking})
            known.update({entry: jpeg for entry, jpeg in found.items() if entry not in known})  # the twins are next
        with self._lock:
            self._kept.update(known)
            for entry in entries:
                self._kept.move_to_end(entry)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return [known[entry] for entry in entries]
