"""The main leaf: its outline in the scene, and its skin as a raster in leaf coordinates.

Leaf coordinates are u (along the midrib, from the base, scene units) and v (across, 0 on the midrib). Both cameras
sample the same raster through their own pose, so a lesion is one thing seen twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rice_ssl.data.simulate.noise import smooth_noise
from rice_ssl.data.simulate.reflectance import FloatArray, mixed, spectrum


@dataclass(frozen=True)
class LeafShape:
    """Outline and place of the main leaf in the scene.

    Attributes:
        length: base to tip, scene units (one pixel at scale 1).
        half_width: greatest half width, scene units.
        taper_from: share of the length, in (0, 1), at which the leaf begins to narrow.
        angle: direction of the midrib at the anchor, radians; 0 points right, pi/2 down.
        bend: curvature, scene units of sideways offset per squared unit of length.
        anchor_u: the place on the midrib, scene units from the base, that lies at the scene's origin.
    """

    length: float
    half_width: float
    taper_from: float
    angle: float
    bend: float
    anchor_u: float

    def half_width_at(self, u: FloatArray) -> FloatArray:
        """Half width at ``u`` (scene units, any shape); 0 beyond the tip, the stalk's width before the base."""
        share = u / np.float32(self.length)
        swell = np.clip(0.78 + 0.7 * share, 0.72, 1.0)
        narrowing = np.clip((share - self.taper_from) / (1 - self.taper_from), 0, 1)
        half_width: FloatArray = (self.half_width * swell * (1 - narrowing**1.5)).astype(np.float32)
        return half_width

    def leaf_coordinates(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Turn scene coordinates into (u, v), all in scene units and of one shape.

        The bend is applied as a sideways offset quadratic in u: exact for a parabola, and close to arc length for the
        slight bends drawn here.
        """
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        along = x * cos + y * sin
        across = y * cos - x * sin - np.float32(self.bend) * along * along
        return along + np.float32(self.anchor_u), across


@dataclass(frozen=True)
class LeafSkin:
    """Reflectance of the leaf's surface without lesions.

    Attributes:
        reflectance: shape (4, 2 * margin_v + 1, length + 1), float32: rows are v from ``-margin_v``, columns u from 0.
        inside: True on the leaf, shape of one band.
        margin_v: v of the last row, scene units.
    """

    reflectance: FloatArray
    inside: np.ndarray[tuple[int, int], np.dtype[np.bool_]]
    margin_v: int


def draw_shape(rng: np.random.Generator) -> LeafShape:
    """Draw a long leaf that passes through the middle of the scene, 60 to 130 units wide."""
    length = float(rng.uniform(720, 1300))
    upright = rng.normal(0, 0.4)
    return LeafShape(
        length=length,
        half_width=float(rng.uniform(32, 64)),
        taper_from=float(rng.uniform(0.5, 0.85)),
        angle=float(-np.pi / 2 + upright + (np.pi if rng.random() < 0.3 else 0.0)),
        bend=float(rng.normal(0, 0.00025)),
        anchor_u=length * float(rng.uniform(0.35, 0.72)),
    )


def draw_skin(rng: np.random.Generator, shape: LeafShape) -> LeafSkin:
    """Draw midrib, parallel veins, patchy chlorophyll and the light on the two halves of the blade.

    Args:
        rng: the pair's generator; nothing here depends on the label.
        shape: the leaf's outline.

    Returns:
        The skin of a leaf without lesions or other marks. Local light (a fold along the midrib) is folded into the
        reflectance, as a factor in about [0.7, 1.3].
    """
    margin = int(np.ceil(shape.half_width)) + 2
    size = (2 * margin + 1, int(shape.length) + 1)
    v = np.arange(-margin, margin + 1, dtype=np.float32)[:, None]
    u = np.arange(size[1], dtype=np.float32)[None, :]
    half = np.maximum(shape.half_width_at(u), 1e-3)
    across = v / half

    yellow_mean = rng.beta(1.1, 3.2)
    yellow = np.clip(
        yellow_mean + 0.13 * smooth_noise(rng, size, (60, 130)) + 0.05 * smooth_noise(rng, size, (3, 90)), 0, 0.9
    )
    tip = rng.uniform(0, 0.5) * np.clip((u / shape.length - 0.5) * 2, 0, 1) ** 2
    yellow = np.clip(yellow + tip, 0, 0.95).astype(np.float32)
    green = mixed("leaf_dark", "leaf", float(rng.uniform(0, 1)))[:, None, None]
    skin = green * (1 - yellow) + spectrum("chlorotic")[:, None, None] * yellow

    veins = rng.standard_normal(size[0], dtype=np.float32)[:, None] * np.float32(rng.uniform(0.02, 0.06))
    spacing = rng.uniform(5, 8)
    veins = veins + np.float32(rng.uniform(0.02, 0.06)) * np.cos(2 * np.pi * v / np.float32(spacing))
    rib_width = np.float32(rng.uniform(1.4, 2.8)) * np.clip(half / shape.half_width, 0.3, 1)
    rib = np.exp(-((v / rib_width) ** 2)) * np.float32(rng.uniform(0.4, 0.95))
    fold = np.float32(rng.normal(0, 0.12)) * np.tanh(v / 4) + np.float32(rng.normal(0, 0.10)) * across
    light = np.clip(1 + veins + fold - 0.10 * across**2, 0.6, 1.4)
    skin = (skin * (1 - rib) + spectrum("midrib")[:, None, None] * rib) * light
    return LeafSkin(skin.astype(np.float32), np.abs(v) <= half, margin)
