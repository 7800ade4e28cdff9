"""Marks that are no disease, drawn with the same chance whatever the label: they must not give it away.

Soil splash (irregular brown specks), insect scrape (pale streaks between veins), a senescent tip or edge, dew with its
glint. Each changes the leaf's skin in place, in leaf coordinates.
"""

from __future__ import annotations

import numpy as np

from rice_ssl.data.simulate.leaf import LeafShape, LeafSkin
from rice_ssl.data.simulate.noise import smooth_noise
from rice_ssl.data.simulate.reflectance import FloatArray, mixed, spectrum

_CHANCES = {"splash": 0.35, "scrape": 0.3, "senescence": 0.4, "dew": 0.25}


def _cover(skin: LeafSkin, colour: FloatArray, alpha: FloatArray) -> None:
    """Replace the skin by one colour where ``alpha`` in [0, 1] says so."""
    skin.reflectance[:] += (colour[:, None, None] - skin.reflectance) * alpha


def _splash(rng: np.random.Generator, shape: LeafShape, skin: LeafSkin) -> None:
    size = skin.inside.shape
    specks = smooth_noise(rng, size, rng.uniform(3.0, 5.5))
    clusters = smooth_noise(rng, size, 70) + np.float32(rng.uniform(-0.3, 0.5))
    alpha = np.clip((specks + 0.55 * np.minimum(clusters, 1.0) - 1.55) * 5, 0, 1)
    soil = mixed("soil_wet", "soil_dry", float(rng.uniform(0, 0.7)))
    _cover(skin, soil, (alpha * np.float32(rng.uniform(0.7, 1.0))).astype(np.float32))


def _scrape(rng: np.random.Generator, shape: LeafShape, skin: LeafSkin) -> None:
    rows, columns = skin.inside.shape
    alpha = np.zeros((rows, columns), dtype=np.float32)
    for _ in range(int(rng.integers(3, 14))):
        length, width = int(rng.uniform(30, 110)), rng.uniform(1.5, 4.0)
        centre = float(np.clip(shape.anchor_u + rng.uniform(-210, 210), 0, columns - 1))
        v = rng.uniform(-0.85, 0.85) * float(shape.half_width_at(np.asarray(centre, np.float32)))
        left, right = max(0, int(centre) - length // 2), min(columns, int(centre) + length // 2)
        across = np.arange(rows, dtype=np.float32)[:, None] - np.float32(skin.margin_v + v)
        streak = np.clip(width / 2 - np.abs(across) + 0.5, 0, 1)
        alpha[:, left:right] = np.maximum(alpha[:, left:right], streak)
    patchy = np.clip(0.9 + 0.35 * smooth_noise(rng, (rows, columns), (2, 12)), 0, 1)
    pale = mixed("scraped", "necrotic_bleached", float(rng.uniform(0, 0.8)))
    _cover(skin, pale, (alpha * patchy * np.float32(rng.uniform(0.6, 0.95))).astype(np.float32))


def _senescence(rng: np.random.Generator, shape: LeafShape, skin: LeafSkin) -> None:
    """Dry out the tip, or an edge, from yellow to straw to brown."""
    rows, columns = skin.inside.shape
    u = np.arange(columns, dtype=np.float32)[None, :]
    wave = 26 * smooth_noise(rng, (rows, columns), (9, 60))
    if rng.random() < 0.5:
        front = shape.anchor_u + rng.uniform(40, 190)
        depth = (u - np.float32(front) + wave) / 40
    else:
        side = 1.0 if rng.random() < 0.5 else -1.0
        v = np.arange(rows, dtype=np.float32)[:, None] - np.float32(skin.margin_v)
        half = shape.half_width_at(u)
        where = np.exp(-(((u - shape.anchor_u - rng.uniform(-200, 200)) / rng.uniform(40, 150)) ** 2))
        depth = (np.float32(side) * v - half + np.float32(rng.uniform(6, 20)) * where + 0.12 * wave) / 5
    _cover(skin, spectrum("chlorotic"), (np.clip(depth + 0.8, 0, 1) * 0.8).astype(np.float32))
    dry = mixed("senescent", "necrotic", float(rng.uniform(0, 0.6)))
    _cover(skin, dry, (np.clip(depth, 0, 1) * 0.92).astype(np.float32))


def _dew(rng: np.random.Generator, shape: LeafShape, skin: LeafSkin) -> None:
    rows, columns = skin.inside.shape
    for _ in range(int(rng.integers(6, 30))):
        radius = rng.uniform(2.0, 5.5)
        u = int(np.clip(shape.anchor_u + rng.uniform(-210, 210), 8, columns - 9))
        v = int(rng.uniform(-0.9, 0.9) * float(shape.half_width_at(np.asarray(u, np.float32)))) + skin.margin_v
        top, bottom, left, right = max(0, v - 8), min(rows, v + 9), max(0, u - 8), min(columns, u + 9)
        dv = np.arange(top, bottom, dtype=np.float32)[:, None] - v
        du = np.arange(left, right, dtype=np.float32)[None, :] - u
        drop = np.clip(np.float32(radius) - np.hypot(du, dv) + 0.5, 0, 1)
        light = 1 + drop * np.float32(0.25) * (du + dv) / np.float32(radius)
        glint = np.exp(-((du + radius * 0.4) ** 2 + (dv + radius * 0.4) ** 2) / np.float32(0.12 * radius**2)) * drop
        window = skin.reflectance[:, top:bottom, left:right]
        window *= light
        window += np.float32(0.5) * glint


def mark_skin(rng: np.random.Generator, shape: LeafShape, skin: LeafSkin) -> tuple[str, ...]:
    """Add marks that are no disease to a skin, in place.

    Args:
        rng: the pair's generator; the label plays no part.
        shape: the leaf's outline.
        skin: changed in place.

    Returns:
        Names of the marks drawn, of splash, scrape, senescence, dew.
    """
    marks = {"splash": _splash, "scrape": _scrape, "senescence": _senescence, "dew": _dew}
    drawn = tuple(name for name, chance in _CHANCES.items() if rng.random() < chance)
    for name in drawn:
        marks[name](rng, shape, skin)
    np.clip(skin.reflectance, 0.005, 1.0, out=skin.reflectance)
    return drawn
