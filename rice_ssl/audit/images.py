"""The images of an audit: decoded once, at a size at which small structures are still there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rice_ssl.data.loading import ImageCache, build_cache, pair_rows
from rice_ssl.sensors import Sensor

LONG_SIDE = 256
_SMALL = 160  # pixels of the long side
_LEAST = 64  # pixels of the short side


@dataclass(frozen=True)
class AuditImages:
    """Images and whose they are.

    Attributes:
        table: the manifest; row k is image k.
        sensors: of the images.
        cache: uint8, shape (N, H, W, 3), H and W even.
        pair_ids: of the P pairs.
        rows: manifest row of each pair and sensor, -1 where there is no image that can be read, shape (P, S).
    """

    table: pd.DataFrame
    sensors: tuple[Sensor, ...]
    cache: ImageCache
    pair_ids: tuple[str, ...]
    rows: npt.NDArray[np.int64]

    @property
    def readable(self) -> list[int]:
        """Rows of the manifest whose image could be decoded."""
        return [row for row in range(len(self.table)) if row not in self.cache.faults]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the decoded images, in pixels."""
        return self.cache.images.shape[1], self.cache.images.shape[2]

    def grey(self, row: int) -> npt.NDArray[np.float32]:
        """Mean of an image's bands, in [0, 255], shape (H, W)."""
        found: npt.NDArray[np.float32] = self.cache.images[row].mean(axis=2, dtype=np.float32)
        return found

    def small_grey(self, row: int) -> npt.NDArray[np.float32]:
        """The same in half size where the image is larger than 160 pixels."""
        grey, (height, width) = self.grey(row), self.size
        if max(height, width) <= _SMALL:
            return grey
        small: npt.NDArray[np.float32] = grey.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        return small


def audit_size(table: pd.DataFrame) -> tuple[int, int]:
    """Height and width at which an audit looks: even, the aspect of most images, 256 pixels on the long side at most.

    Small images keep their size, but for an odd row or column, and are enlarged to 64 pixels on the short side.
    """
    width, height = table[["width", "height"]].value_counts().index[0]
    factor = min(1.0, LONG_SIDE / max(width, height))
    factor = max(factor, _LEAST / min(width, height))
    return max(_LEAST, round(height * factor / 2) * 2), max(_LEAST, round(width * factor / 2) * 2)


def load_images(
    table: pd.DataFrame, root: Path, sensors: tuple[Sensor, ...], folder: Path, *, progress: bool
) -> AuditImages:
    """Decode the images of a manifest, or take what an earlier audit decoded.

    Args:
        table: the manifest.
        root: what its paths are relative to.
        sensors: of the images.
        folder: where decoded images are kept.
        progress: whether to show a progress bar.

    Raises:
        InputError: not one image can be decoded.
    """
    cache = build_cache(table, root, audit_size(table), folder, progress=progress)
    pair_ids, rows = pair_rows(table, [sensor.name for sensor in sensors])
    rows = np.where(np.isin(rows, list(cache.faults)), -1, rows)
    return AuditImages(table, sensors, cache, tuple(pair_ids), rows)
