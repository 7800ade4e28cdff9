"""The two cameras: each with its own pose, optics and exposure, never registered with the other.

``photograph`` gives the light that reaches the sensor and the true masks; ``responses`` turns light into JPEG values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from rice_ssl.data.simulate.background import PIXELS_PER_UNIT
from rice_ssl.data.simulate.reflectance import FloatArray
from rice_ssl.data.simulate.scene import Scene

WIDTH: Final = 500
HEIGHT: Final = 400


@dataclass(frozen=True)
class Pose:
    """Where a camera stands and how it is focused.

    Attributes:
        rotation: turn of the picture, radians.
        scale: pixels per scene unit.
        shift_x: scene x at the picture's centre, scene units.
        shift_y: scene y at the picture's centre, scene units.
        parallax_x: further shift of the backdrop, scene units.
        parallax_y: further shift of the backdrop, scene units.
        blur: standard deviation of the optics' blur, pixels.
        vignetting: loss of light in the corners, share in [0, 1).
        gradient: change of light from one side to the other, in [0, 1).
        gradient_direction: direction of that change, radians.
    """

    rotation: float
    scale: float
    shift_x: float
    shift_y: float
    parallax_x: float
    parallax_y: float
    blur: float
    vignetting: float
    gradient: float
    gradient_direction: float


@dataclass(frozen=True)
class Exposure:
    """Light on the sensor and what is where.

    Attributes:
        light: reflectance times light, bands as asked for, shape (bands, 400, 500), float32, >= 0.
        leaf: True where the main leaf covers the pixel, shape (400, 500).
        lesion: True where a lesion proper (halo excluded) lies, shape (400, 500).
    """

    light: FloatArray
    leaf: NDArray[np.bool_]
    lesion: NDArray[np.bool_]


def draw_pose(rng: np.random.Generator, sensor: str) -> Pose:
    """Draw a pose; the RGNIR camera is tilted more freely and is now and then badly focused."""
    wide = sensor == "rgnir"
    blur = float(rng.uniform(0.35, 1.1))
    if rng.random() < (0.14 if wide else 0.10):
        blur = float(rng.uniform(1.4, 2.6 if wide else 2.1))
    return Pose(
        rotation=float(rng.normal(0, 0.16 if wide else 0.10)),
        scale=float(rng.uniform(0.88, 1.25)),
        shift_x=float(rng.normal(0, 16)),
        shift_y=float(rng.uniform(-30, 30)),
        parallax_x=float(rng.uniform(-26, 26)),
        parallax_y=float(rng.uniform(-20, 20)),
        blur=blur,
        vignetting=float(rng.uniform(0.0, 0.3)),
        gradient=float(rng.uniform(0.0, 0.3)),
        gradient_direction=float(rng.uniform(0, 2 * np.pi)),
    )


def _scene_grid(pose: Pose) -> tuple[FloatArray, FloatArray]:
    """Scene coordinates of every pixel's centre."""
    x = (np.arange(WIDTH, dtype=np.float32)[None, :] - (WIDTH - 1) / 2) / np.float32(pose.scale)
    y = (np.arange(HEIGHT, dtype=np.float32)[:, None] - (HEIGHT - 1) / 2) / np.float32(pose.scale)
    cos, sin = np.float32(np.cos(pose.rotation)), np.float32(np.sin(pose.rotation))
    return (x * cos + y * sin + np.float32(pose.shift_x), y * cos - x * sin + np.float32(pose.shift_y))


def _backdrop(band: FloatArray, pose: Pose) -> FloatArray:
    """Sample one band of the backdrop through the pose (bilinear)."""
    rows, columns = band.shape
    cos, sin = np.cos(pose.rotation), np.sin(pose.rotation)
    step = PIXELS_PER_UNIT / pose.scale
    a, b, d, e = cos * step, sin * step, -sin * step, cos * step
    centre_x = (pose.shift_x + pose.parallax_x) * PIXELS_PER_UNIT + (columns - 1) / 2
    centre_y = (pose.shift_y + pose.parallax_y) * PIXELS_PER_UNIT + (rows - 1) / 2
    c = centre_x - a * (WIDTH - 1) / 2 - b * (HEIGHT - 1) / 2
    f = centre_y - d * (WIDTH - 1) / 2 - e * (HEIGHT - 1) / 2
    image = Image.fromarray(band).transform(
        (WIDTH, HEIGHT), Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
    )
    return np.asarray(image, dtype=np.float32)


def photograph(scene: Scene, pose: Pose, sensor: str, bands: tuple[int, ...]) -> Exposure:
    """Look at a scene.

    Args:
        scene: the scene.
        pose: where the camera stands.
        sensor: ``rgb`` or ``rgnir``: decides which of the lesions' changes show.
        bands: indices into ``reflectance.BANDS``, in the order wanted.

    Returns:
        Blurred light on the sensor, and masks of the main leaf and its lesions, unblurred and unoccluded.
    """
    x, y = _scene_grid(pose)
    u, v = scene.shape.leaf_coordinates(x, y)
    half = scene.shape.half_width_at(u)
    cover = np.clip((half - np.abs(v)) * np.float32(pose.scale) + 0.5, 0, 1) * (half > 0.3)
    skin = scene.leaf_reflectance(sensor)
    rows, columns = np.nonzero(cover > 0)
    alpha = cover[rows, columns]
    places = np.stack([v[rows, columns] + scene.skin.margin_v, u[rows, columns]])
    light = np.stack([_backdrop(scene.background.radiance[band], pose) for band in bands])
    for k, band in enumerate(bands):
        leaf = map_coordinates(skin[band], places, order=1, mode="nearest") * np.float32(scene.leaf_light)
        light[k, rows, columns] += (leaf - light[k, rows, columns]) * alpha
    core = np.zeros((HEIGHT, WIDTH), dtype=bool)
    core[rows, columns] = (map_coordinates(scene.lesions.core, places, order=1, mode="nearest") > 0.5) & (alpha > 0.5)

    for direction, offset, breadth, depth in scene.stripes:
        distance = np.abs(x * np.float32(np.cos(direction)) + y * np.float32(np.sin(direction)) - np.float32(offset))
        light *= 1 - np.float32(depth) * np.clip((breadth - distance) / 12 + 0.5, 0, 1)
    radius = (np.arange(WIDTH, dtype=np.float32)[None, :] / WIDTH - 0.5) ** 2 + (
        np.arange(HEIGHT, dtype=np.float32)[:, None] / HEIGHT - 0.5
    ) ** 2
    slope = np.cos(pose.gradient_direction) * (np.arange(WIDTH, dtype=np.float32)[None, :] / WIDTH - 0.5) + np.sin(
        pose.gradient_direction
    ) * (np.arange(HEIGHT, dtype=np.float32)[:, None] / HEIGHT - 0.5)
    falloff = (1 - 2 * pose.vignetting * radius) * (1 + pose.gradient * slope)
    light *= falloff.astype(np.float32)
    blurred = np.stack([gaussian_filter(band, pose.blur, truncate=2.5) for band in light])
    return Exposure(np.maximum(blurred, 0), cover > 0.5, core)
