"""Which pictures a step sees: derived from seed, epoch and step alone, so that a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rice_ssl.data.loading import ImageCache
from rice_ssl.sensors import Sensor
from rice_ssl.transforms.views import Batch, normalise, to_unit

Rows = npt.NDArray[np.int64]


def epoch_order(count: int, seed: int, epoch: int) -> Rows:
    """Order of ``count`` samples in an epoch."""
    return np.random.default_rng([seed, 1, epoch]).permutation(count)


def step_generator(seed: int, step: int, device: torch.device, *, purpose: int = 0) -> torch.Generator:
    """Generator of a step's random choices; ``purpose`` keeps independent uses apart."""
    state = np.random.SeedSequence([seed, 2, purpose, step]).generate_state(2, np.uint32)
    return torch.Generator(device=device).manual_seed(int(state[0]) << 20 ^ int(state[1]))


class Pictures:
    """Decoded pictures by manifest row, with what is known of the sensor that took each.

    Args:
        cache: decoded pictures.
        row_sensors: name of the sensor of every row.
        sensors: the manifest's sensors.
        device: where batches are wanted.
    """

    def __init__(
        self, cache: ImageCache, row_sensors: Sequence[str], sensors: Sequence[Sensor], device: torch.device
    ) -> None:
        """Look up every row's normalisation."""
        by_name = {sensor.name: sensor for sensor in sensors}
        self.cache, self.device = cache, device
        self._mean = torch.tensor([by_name[name].mean for name in row_sensors], dtype=torch.float32)
        self._std = torch.tensor([by_name[name].std for name in row_sensors], dtype=torch.float32)
        self._natural = torch.tensor([by_name[name].is_natural for name in row_sensors], dtype=torch.bool)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures, in pixels."""
        _, height, width, _ = self.cache.images.shape
        return height, width

    def batch(self, rows: Rows) -> Batch:
        """Pictures of manifest rows, shape (B,)."""
        pictures = torch.from_numpy(np.ascontiguousarray(self.cache.images[rows]))
        where = torch.from_numpy(rows)
        known = [table[where] for table in (self._mean, self._std, self._natural)]
        if self.device.type == "cuda":  # pinned memory is copied while the GPU computes
            pictures, *known = (tensor.pin_memory().to(self.device, non_blocking=True) for tensor in (pictures, *known))
        return Batch(to_unit(pictures), *known)

    def whole(self, rows: Rows) -> Tensor:
        """Whole normalised pictures of manifest rows, shape (B, 3, H, W)."""
        batch = self.batch(rows)
        return normalise(batch.images, batch.mean, batch.std)


@dataclass(frozen=True)
class LabelledRows:
    """Pairs: manifest rows, shape (P, S), -1 for a missing picture, and class numbers, shape (P,), -1 where unknown."""

    rows: Rows
    targets: Rows


def fill_missing(rows: Rows) -> Rows:
    """Give a pair that lacks one sensor's picture the one that it has, shape (P, S); -1 marks what is missing.

    Every pair must have at least one picture.
    """
    first = rows[np.arange(len(rows)), (rows >= 0).argmax(axis=1)]
    return np.where(rows >= 0, rows, first[:, None])
