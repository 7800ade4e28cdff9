"""Which pictures a step sees: derived from seed, epoch and step alone, so that a resumed run sees the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rice_ssl.data.loading import ImageCache
from rice_ssl.sensors import Sensor
from rice_ssl.transforms.views import to_unit

Rows = npt.NDArray[np.int64]


def epoch_order(count: int, seed: int, epoch: int) -> Rows:
    """Order of ``count`` samples in an epoch."""
    return np.random.default_rng([seed, 1, epoch]).permutation(count)


def step_generator(seed: int, step: int, device: torch.device, *, purpose: int = 0) -> torch.Generator:
    """Generator of a step's random choices; ``purpose`` keeps independent uses apart."""
    state = np.random.SeedSequence([seed, 2, purpose, step]).generate_state(2, np.uint32)
    return torch.Generator(device=device).manual_seed(int(state[0]) << 20 ^ int(state[1]))


class Pictures:
    """Decoded pictures by manifest row, with the normalisation of the sensor that took each.

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

    def batch(self, rows: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, 3, H, W) in [0, 1], and mean and standard deviation of each one's sensor, (B, 3)."""
        pictures = torch.from_numpy(np.ascontiguousarray(self.cache.images[rows])).to(self.device)
        where = torch.from_numpy(rows)
        return to_unit(pictures), self._mean[where].to(self.device), self._std[where].to(self.device)


def fill_missing(rows: Rows) -> Rows:
    """Give a pair that lacks one sensor's picture the one that it has, shape (P, S); -1 marks what is missing.

    Every pair must have at least one picture.
    """
    first = rows[np.arange(len(rows)), (rows >= 0).argmax(axis=1)]
    return np.where(rows >= 0, rows, first[:, None])
