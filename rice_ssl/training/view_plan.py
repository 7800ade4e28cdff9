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
from rice_ssl.transforms.photometric import PhotometricSettings
from rice_ssl.transforms.views import CropSettings, cut_crops, draw_crops


@dataclass(frozen=True)
class Crops:
    """The crops of some samples.

    Attributes:
        assigned: assigned views, view by view, shape (A * B, 3, h, w).
        local: local crops, shape (L * B, 3, h', w'), or None.
        complete: whether the pictures of a sample's slots are all different files (none stands in for another, because
            it is missing or was left out by sensor dropout), bool, shape (B,).
    """

    assigned: Tensor
    local: Tensor | None
    complete: Tensor


@dataclass(frozen=True)
class ViewPlan:
    """What is cut of a sample.

    Attributes:
        rows: manifest rows of every sample, shape (samples, slots).
        assigned: the slot each assigned view is cut from; the first two are different sensors where there are two.
        local: the slot each local crop is cut from.
        settings: crop settings of assigned views and of local crops.
        effective: the views setting that this amounts to, as a run with one sensor cannot be paired.
        sensor_dropout: probability that one sensor of a sample is left out, and another stands in for it.
    """

    rows: Rows
    assigned: tuple[int, ...]
    local: tuple[int, ...]
    settings: tuple[CropSettings, CropSettings]
    effective: str
    sensor_dropout: float = 0.0

    def crops(self, pictures: Pictures, samples: Rows, generator: torch.Generator, part: slice = slice(None)) -> Crops:
        """Cut the crops of a batch, or of a part of it.

        Everything random is drawn for the whole batch, so that several processes that each cut a part cut together
        what one would cut alone.

        Args:
            pictures: decoded pictures.
            samples: numbers of the batch's samples, shape (N,).
            generator: source of all randomness.
            part: the samples of the batch that are wanted.
        """
        rows = self._drop_sensors(self.rows[samples], generator)
        drawn = [
            (slot, settings, draw_crops(len(samples), pictures.size, settings, generator))
            for slots, settings in zip((self.assigned, self.local), self.settings, strict=True)
            for slot in slots
        ]
        rows = rows[part]
        batches = {slot: pictures.batch(rows[:, slot]) for slot in {*self.assigned, *self.local}}
        cut = [cut_crops(batches[slot], settings, draw.part(part)) for slot, settings, draw in drawn]
        views = len(self.assigned)
        complete = torch.from_numpy((np.diff(np.sort(rows, axis=1), axis=1) > 0).all(axis=1))
        return Crops(torch.cat(cut[:views]), torch.cat(cut[views:]) if self.local else None, complete)

    def _drop_sensors(self, rows: Rows, generator: torch.Generator) -> Rows:
        """Rows (B, S) with one sensor of some samples replaced by the next."""
        slots = rows.shape[1]
        if self.sensor_dropout == 0 or slots < 2:
            return rows
        draw = torch.rand(2, len(rows), generator=generator, device=generator.device).cpu().numpy()
        chosen = np.flatnonzero(draw[0] < self.sensor_dropout)
        left_out = (draw[1, chosen] * slots).astype(np.int64)
        found = rows.copy()
        found[chosen, left_out] = rows[chosen, (left_out + 1) % slots]
        return found


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
    cuts_local = config.local_crops > 0 and config.views != "paired"
    for name, side in (("global_size", config.global_size), ("local_size", config.local_size if cuts_local else 0)):
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
    photometric = PhotometricSettings(config.jitter, config.blur, config.saturation, config.hue)
    size, local_size = (config.global_size, config.global_size), (config.local_size, config.local_size)
    local = CropSettings(local_size, config.local_scale, config.rotation, True, photometric)
    if views == "paired":
        plain = CropSettings(size, config.global_scale, flip=False)
        return ViewPlan(rows, tuple(range(slots)), (), (plain, local), views, config.sensor_dropout)
    augmented = CropSettings(size, config.global_scale, config.rotation, True, photometric)
    repeat = 1 if slots > 1 else 2
    return ViewPlan(
        rows,
        assigned=tuple(range(slots)) * (config.global_crops * repeat),
        local=tuple(range(slots)) * (config.local_crops * repeat),
        settings=(augmented, local),
        effective=views,
        sensor_dropout=config.sensor_dropout,
    )
