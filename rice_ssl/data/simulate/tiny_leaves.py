"""A few hundred tiny drawn leaves, to be shown of simulated embeddings over and over."""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from rice_ssl.data.simulate.embeddings import CLASSES, CLUSTERS

VARIANTS: Final = 6
"""Of each cluster and sensor."""
SIZE: Final = (100, 80)
"""Width and height, in pixels."""

_LEAF = ((60, 140, 50), (205, 60, 70))
_SPOTS = {"blast": ((190, 180, 140), (120, 70, 110)), "brown": ((110, 70, 30), (60, 30, 60)), "healthy": None}


def tiny_leaves(seed: int) -> list[bytes]:
    """JPEGs: of cluster c, sensor s and variant v at place ``(c * 2 + s) * VARIANTS + v``."""
    pictures = []
    for cluster in range(len(CLASSES) * CLUSTERS):
        for sensor in range(2):
            for variant in range(VARIANTS):
                rng = np.random.default_rng([seed, 4, cluster, variant])  # the two sensors see one leaf
                pictures.append(_leaf(rng, CLASSES[cluster // CLUSTERS], cluster % CLUSTERS, sensor))
    return pictures


def _leaf(rng: np.random.Generator, label: str, kind: int, sensor: int) -> bytes:
    width, height = SIZE
    picture = Image.new("RGB", SIZE, ((90, 80, 60), (120, 90, 95))[sensor])
    draw = ImageDraw.Draw(picture)
    middle, half = height / 2 + rng.uniform(-6, 6), 14 + 2 * kind
    leaf = tuple(int(value + shift) for value, shift in zip(_LEAF[sensor], rng.uniform(-12, 12, 3), strict=True))
    draw.ellipse((4, middle - half, width - 4, middle + half), fill=leaf)
    draw.line((4, middle, width - 4, middle), fill=tuple(min(255, value + 40) for value in leaf), width=2)
    spots = _SPOTS[label]
    for _ in range(0 if spots is None else 3 + kind):
        x, y, r = rng.uniform(15, width - 15), middle + rng.uniform(-0.6, 0.6) * half, rng.uniform(2, 5)
        if spots is not None:
            draw.ellipse((x - 2 * r, y - r, x + 2 * r, y + r), fill=spots[sensor])
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=70)
    return stream.getvalue()
