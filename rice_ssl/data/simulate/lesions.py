"""Lesions of blast and brown spot, drawn in leaf coordinates.

Blast (Magnaporthe oryzae): spindles along the veins with a grey-white centre and a brown margin. Brown spot (Bipolaris
oryzae): small oval brown spots, scattered, with a yellow halo. Both use the same three materials (bleached, necrotic,
chlorotic) over about the same area, so that shape and not the sum of colours tells them apart.

Source of the appearance: Ou 1985, "Rice Diseases" (2nd ed., Commonwealth Mycological Institute), in words; the sizes
are ours, chosen to be visible in a 500x400 photograph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rice_ssl.data.simulate.leaf import LeafShape, LeafSkin
from rice_ssl.data.simulate.reflectance import FloatArray, mixed, spectrum


@dataclass(frozen=True)
class LesionLayer:
    """Lesions over a leaf's skin.

    Attributes:
        reflectance: what the lesions look like, shape (4, rows, columns) of the skin's raster, float32.
        cover: how far they replace the skin, in [0, 1], shape (rows, columns), float32; halo included.
        core: share of lesion proper (centre and margin, without the yellow halo), in [0, 1], same shape.
        count: number of lesions drawn.
    """

    reflectance: FloatArray
    cover: FloatArray
    core: FloatArray
    count: int


@dataclass(frozen=True)
class _Lesion:
    u: float
    v: float
    length: float
    width: float
    turn: float
    exponent: float
    centre: float
    halo: float


def _smoothstep(value: FloatArray, low: float, high: float) -> FloatArray:
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    step: FloatArray = t * t * (3 - 2 * t)
    return step


def _stamp(rng: np.random.Generator, layer: LesionLayer, lesion: _Lesion, margin_v: int) -> None:
    """Draw one lesion into the layer's window around it."""
    reach = int(max(lesion.length, lesion.width) * 0.5 * (1.3 + lesion.halo)) + 3
    rows, columns = layer.cover.shape
    row, column = round(lesion.v) + margin_v, round(lesion.u)
    top, bottom = max(0, row - reach), min(rows, row + reach + 1)
    left, right = max(0, column - reach), min(columns, column + reach + 1)
    if top >= bottom or left >= right:
        return
    dv = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(lesion.v + margin_v)
    du = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(lesion.u)
    cos, sin = np.float32(np.cos(lesion.turn)), np.float32(np.sin(lesion.turn))
    along = np.abs(du * cos + dv * sin) / np.float32(lesion.length / 2)
    across = np.abs(dv * cos - du * sin) / np.float32(lesion.width / 2)
    power = np.float32(lesion.exponent)
    q = (along**power + across**power) ** (1 / power)
    waves = rng.uniform(0, 2 * np.pi, 2)
    polar = np.arctan2(dv, du)
    q = q * (1 + 0.06 * np.sin(3 * polar + waves[0]) + 0.05 * np.sin(5 * polar + waves[1]))

    core = 1 - _smoothstep(q, 0.85, 1.1)
    halo = 1 - _smoothstep(q, 1.0, 1.05 + lesion.halo)
    pale = 1 - _smoothstep(q, 0.35, 0.7)
    brown = mixed("necrotic", "senescent", float(rng.uniform(0, 0.12)))[:, None, None]
    grey = mixed("necrotic_bleached", "necrotic", float(rng.uniform(0, 0.35)))[:, None, None]
    yellow = spectrum("chlorotic")[:, None, None]
    inner = brown + (grey - brown) * (pale * lesion.centre)
    colour = yellow + (inner - yellow) * core
    alpha = np.maximum(core, 0.75 * halo * (lesion.halo > 0.15))

    window = (slice(top, bottom), slice(left, right))
    target = layer.reflectance[(slice(None), *window)]
    layer.reflectance[(slice(None), *window)] = target + (colour - target) * np.where(
        layer.cover[window] < 0.02, 1.0, alpha
    )
    layer.cover[window] = np.maximum(layer.cover[window], alpha)
    layer.core[window] = np.maximum(layer.core[window], core)


def _place(rng: np.random.Generator, shape: LeafShape, reach_v: float) -> tuple[float, float]:
    """Draw a place on the part of the leaf that both cameras see (within 190 units of the anchor)."""
    u = float(np.clip(shape.anchor_u + rng.uniform(-190, 190), 4, shape.length - 30))
    half = float(shape.half_width_at(np.asarray(u, dtype=np.float32)))
    return u, float(rng.uniform(-1, 1) * max(half - reach_v, 0.0) * 0.95)


def _blast(rng: np.random.Generator, shape: LeafShape) -> list[_Lesion]:
    lesions: list[_Lesion] = []
    grey = rng.uniform(0.55, 1.0)
    haloed = rng.random() < 0.4
    for _ in range(int(rng.integers(6, 13))):
        length, width = float(rng.uniform(42, 90)), float(rng.uniform(11, 21))
        u, v = _place(rng, shape, width / 2)
        young = rng.random() < 0.2
        lesions.append(
            _Lesion(
                u,
                v,
                length,
                width,
                float(rng.normal(0, 0.06)),
                float(rng.uniform(1.05, 1.35)),
                0.15 if young else float(grey),
                float(rng.uniform(0.2, 0.4)) if haloed else 0.1,
            )
        )
    return lesions


def _brown_spot(rng: np.random.Generator, shape: LeafShape) -> list[_Lesion]:
    lesions: list[_Lesion] = []
    size = rng.uniform(10.0, 15.0)
    for _ in range(int(rng.integers(24, 50))):
        length = float(np.clip(size * rng.lognormal(0, 0.2), 8, 20))
        width = length * float(rng.uniform(0.6, 0.95))
        u, v = _place(rng, shape, width / 2)
        centre = float(rng.uniform(0.4, 0.9)) if length > 14 and rng.random() < 0.3 else 0.0
        lesions.append(
            _Lesion(u, v, length, width, float(rng.normal(0, 0.4)), 2.0, centre, float(rng.uniform(0.35, 0.8)))
        )
    return lesions


def draw_lesions(rng: np.random.Generator, label: str, shape: LeafShape, skin: LeafSkin) -> LesionLayer:
    """Draw the lesions of a label over a skin.

    Args:
        rng: the pair's generator.
        label: ``blast``, ``brown`` or ``healthy`` (no lesion).
        shape: the leaf's outline; lesions stay inside it and near its anchor.
        skin: gives the raster's size.

    Returns:
        The lesions, cover cut to the leaf's outline.
    """
    cover, core = (np.zeros(skin.inside.shape, np.float32) for _ in range(2))
    layer = LesionLayer(np.zeros_like(skin.reflectance), cover, core, 0)
    lesions = {"blast": _blast, "brown": _brown_spot}[label](rng, shape) if label != "healthy" else []
    for lesion in lesions:
        _stamp(rng, layer, lesion, skin.margin_v)
    return LesionLayer(layer.reflectance, layer.cover * skin.inside, layer.core * skin.inside, len(lesions))
