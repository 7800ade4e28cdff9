"""From a views setting to the crops that are cut of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rice_ssl.config import PretrainConfig
from rice_ssl.errors import InputError
from rice_ssl.training.batches import Pictures, Rows, fill_missing
from rice_ssl.transforms.views import CropSettings, augmented_crop


@dataclass(frozen=True)
class ViewPlan:
    """Crops of a sample.

    Attributes:
        rows: manifest rows of every sample, shape (samples, slots).
        assigned: the slot each assigned view is cut from; the first two are different sensors where there are two.
        local: the slot each local crop is cut from.
        settings: crop settings of assigned views and of local crops.
        effective: the views setting that this amounts to, as a run with one sensor cannot be paired.
    """

    rows: Rows
    assigned: tuple[int, ...]
    local: tuple[int, ...]
    settings: tuple[CropSettings, CropSettings]
    effective: str

    def complete(self, samples: Rows) -> Tensor:
        """Whether the pictures of a sample's slots are all different files (none stands in for another), bool, (B,)."""
        rows = self.rows[samples]
        return torch.from_numpy((np.diff(np.sort(rows, axis=1), axis=1) > 0).all(axis=1))

    def crops(self, pictures: Pictures, samples: Rows, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Cut the crops of some samples.

        Returns:
            Assigned views (A * B, 3, h, w), view by view, and local crops (L * B, 3, h', w') or None.
        """
        slots = {slot: pictures.batch(self.rows[samples, slot]) for slot in {*self.assigned, *self.local}}
        first = [augmented_crop(*slots[slot], self.settings[0], generator) for slot in self.assigned]
        second = [augmented_crop(*slots[slot], self.settings[1], generator) for slot in self.local]
        return torch.cat(first), torch.cat(second) if second else None


def plan_views(config: PretrainConfig, rows: Rows, sensors: Sequence[str], image_size: tuple[int, int]) -> ViewPlan:
    """Make the plan.

    Args:
        config: views, crops.
        rows: manifest rows of the training pairs, shape (P, S), -1 where a picture is missing.
        sensors: names of the S sensors.
        image_size: height and width of the cached pictures.

    Raises:
        InputError: the named sensor is not there, or a crop is larger than the pictures.
    """
    for name, side in (("global_size", config.global_size), ("local_size", config.local_size)):
        if side > min(image_size):
            raise InputError(
                f"pretrain.{name} is {side} px, but pictures are {image_size[0]}x{image_size[1]} px (data.image_size): "
                f"take at most {min(image_size)}, or larger pictures."
            )
    views = config.views
    if views in {"rgb-only", "rgnir-only"}:
        wanted = views.removesuffix("-only")
        if wanted not in sensors:
            raise InputError(
                f"pretrain.views is {views!r}, but the images are of {', '.join(sensors)}: take another setting."
            )
        rows = rows[:, [sensors.index(wanted)]]
        rows = rows[rows[:, 0] >= 0]
    elif views == "mixed":
        rows = np.sort(rows[rows >= 0])[:, None]
    elif len(sensors) == 1:
        views = f"{sensors[0]}-only"  # type: ignore[assignment]
    rows = fill_missing(rows[(rows >= 0).any(axis=1)])
    slots = rows.shape[1]
    size, local_size = (config.global_size, config.global_size), (config.local_size, config.local_size)
    local = CropSettings(local_size, config.local_scale, config.rotation, True, config.jitter, config.blur)
    if views == "paired":
        plain = CropSettings(size, config.global_scale, flip=False)
        return ViewPlan(rows, tuple(range(slots)), (), (plain, local), views)
    augmented = CropSettings(size, config.global_scale, config.rotation, True, config.jitter, config.blur)
    repeat = 1 if slots > 1 else 2
    assigned = tuple(range(slots)) * (config.global_crops * repeat)
    return ViewPlan(rows, assigned, tuple(range(slots)) * (config.local_crops * repeat), (augmented, local), views)
