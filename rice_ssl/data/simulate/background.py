"""What lies behind the main leaf: ground, blades, straw and panicles, each layer less blurred than the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from rice_ssl.data.simulate.noise import resize_plane, rough_noise, smooth_noise
from rice_ssl.data.simulate.reflectance import FloatArray, mixed, spectrum

GROUNDS: Final = ("soil", "water", "canopy")
_GROUND_SHARES: Final = (0.34, 0.22, 0.44)

SCENE_WIDTH: Final = 760.0
SCENE_HEIGHT: Final = 690.0
PIXELS_PER_UNIT: Final = 0.7
SHAPE: Final = (int(SCENE_HEIGHT * PIXELS_PER_UNIT), int(SCENE_WIDTH * PIXELS_PER_UNIT))


@dataclass(frozen=True)
class Background:
    """The backdrop shared by both cameras.

    Attributes:
        ground: one of ``GROUNDS``.
        radiance: reflectance times local light (1 = full sun), shape (4, height, width), float32, bands as in
            ``reflectance.BANDS``; ``PIXELS_PER_UNIT`` pixels per scene unit, the scene's origin at its centre.
    """

    ground: str
    radiance: FloatArray


class _Blades:
    """Collects strips that are painted with one reflectance each; later ones cover earlier ones."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.shape = (int(SHAPE[0] * scale), int(SHAPE[1] * scale))
        self.image = Image.new("I", (self.shape[1], self.shape[0]), 0)
        self.draw = ImageDraw.Draw(self.image)
        self.colours: list[FloatArray] = [np.zeros(4, dtype=np.float32)]

    def polygon(self, points: FloatArray, colour: FloatArray) -> None:
        self.colours.append(colour)
        scaled = (points * np.float32(self.scale)).tolist()
        self.draw.polygon([(x, y) for x, y in scaled], fill=len(self.colours) - 1)

    def blade(
        self,
        start: tuple[float, float],
        angle: float,
        length: float,
        width: float,
        bend: float,
        colour: FloatArray,
        fold: float,
    ) -> None:
        """Add a tapering curved blade in two halves, one lit by ``1 + fold``, one by ``1 - fold``."""
        t = np.linspace(0.0, 1.0, 9, dtype=np.float32)
        heading = np.float32(angle) + np.float32(bend) * t
        step = length / 8
        x = start[0] + np.concatenate([[0.0], np.cumsum(np.cos(heading[:-1]) * step)])
        y = start[1] + np.concatenate([[0.0], np.cumsum(np.sin(heading[:-1]) * step)])
        half = width / 2 * np.minimum(1.0, 0.5 + 2 * t) * np.sqrt(np.clip(1.02 - t, 0, 1))
        centre = np.stack([x, y], axis=1)
        normal = np.stack([-np.sin(heading), np.cos(heading)], axis=1) * half[:, None]
        for side, light in ((1, 1 + fold), (-1, 1 - fold)):
            outline = np.concatenate([centre, (centre + side * normal)[::-1]])
            self.polygon(outline.astype(np.float32), (colour * np.float32(light)).astype(np.float32))

    def paint(self, radiance: FloatArray) -> FloatArray:
        """Cover ``radiance`` (4, h, w) with what was collected."""
        index = np.asarray(self.image, dtype=np.int32)
        table = np.stack(self.colours, axis=1)
        return np.where(index > 0, table[:, index], radiance)


def _blur(radiance: FloatArray, sigma: float) -> FloatArray:
    if sigma < 0.3:
        return radiance
    return np.stack([gaussian_filter(band, sigma, truncate=2.5) for band in radiance])


def _soil(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    moisture = rng.uniform(0.0, 0.8)
    wet = np.clip(moisture + 0.25 * smooth_noise(rng, shape, 60), 0, 1)
    relief = rough_noise(rng, shape, rng.uniform(14, 34), 5)
    # Light from the upper left: clods are lit on one side and throw shade on the other; cracks stay dark.
    slope = np.roll(relief, (2, 2), (0, 1)) - relief
    cracks = np.clip(np.abs(smooth_noise(rng, shape, rng.uniform(18, 50))) * 9, 0.25, 1)
    clods = (1 + rng.uniform(0.3, 0.9) * slope + 0.2 * relief) * cracks
    light = rng.uniform(0.45, 1.0)
    ground = spectrum("soil_dry")[:, None, None] * (1 - wet) + spectrum("soil_wet")[:, None, None] * wet
    soil: FloatArray = (ground * np.clip(clods, 0.12, 2.0) * light).astype(np.float32)
    return soil


def _water(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Open water: dark, with the sky mirrored where no plant stands in the way, and mud shining through."""
    plants = smooth_noise(rng, shape, (90, 9)) + 0.9 * rough_noise(rng, shape, 60, 3)
    sky = np.clip(0.4 + 0.9 * (plants + rng.uniform(-0.6, 0.4)), 0, 1) * rng.uniform(0.15, 0.6)
    mud = np.clip(0.15 + 0.3 * rough_noise(rng, shape, 45), 0, 1)
    ground = spectrum("water")[:, None, None] * (1 - mud) + spectrum("soil_wet")[:, None, None] * mud
    water: FloatArray = (ground + spectrum("sky_glint")[:, None, None] * sky).astype(np.float32)
    return water


def _shade(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """The dark foot of a dense canopy: litter and lower leaves in deep shade."""
    light = np.clip(0.2 + 0.12 * rough_noise(rng, shape, 40, 3), 0.05, 0.8) * rng.uniform(0.6, 1.2)
    litter = mixed("leaf_dark", "soil_wet", rng.uniform(0.1, 0.7))
    shade: FloatArray = (litter[:, None, None] * light).astype(np.float32)
    return shade


def _leaf_colour(rng: np.random.Generator, yellowness: float, light: float) -> FloatArray:
    base = mixed("leaf_dark", "leaf", rng.uniform(0.0, 1.0))
    yellow = float(np.clip(yellowness + rng.normal(0, 0.12), 0, 0.9))
    gloss = np.float32(rng.uniform(0.0, 0.03))
    return ((base * np.float32(1 - yellow) + spectrum("chlorotic") * np.float32(yellow) + gloss) * light).astype(
        np.float32
    )


def _tussocks(
    rng: np.random.Generator,
    blades: _Blades,
    count: int,
    light: tuple[float, float],
    yellow: float,
    width: tuple[float, float],
) -> None:
    """Blades that fan out from a few hills, as transplanted rice stands."""
    height, breadth = SHAPE
    hills = [(rng.uniform(-0.1, 1.1) * breadth, rng.uniform(0.3, 1.3) * height) for _ in range(int(rng.integers(2, 6)))]
    lean = rng.uniform(-0.3, 0.3)
    for _ in range(count):
        x, y = hills[int(rng.integers(len(hills)))]
        angle = -np.pi / 2 + lean + rng.normal(0, 0.6)
        if rng.random() < 0.12:
            angle = rng.uniform(0, 2 * np.pi)
        dead = rng.random() < 0.10
        shade = rng.uniform(*light)
        colour = (spectrum("straw") * np.float32(max(shade, 0.62))) if dead else _leaf_colour(rng, yellow, shade)
        blades.blade(
            (x + rng.normal(0, 25), y + rng.normal(0, 25)),
            float(angle),
            rng.uniform(120, 420),
            rng.uniform(*width) * (0.5 if dead else 1.0),
            rng.normal(0, 0.5),
            colour,
            rng.uniform(0, 0.22),
        )


def _straws(rng: np.random.Generator, blades: _Blades, count: int) -> None:
    height, breadth = SHAPE
    for _ in range(count):
        colour = (spectrum("straw") * np.float32(rng.uniform(0.6, 0.95))).astype(np.float32)
        blades.blade(
            (rng.uniform(0, breadth), rng.uniform(0, height)),
            rng.uniform(0, 2 * np.pi),
            rng.uniform(40, 260),
            rng.uniform(1.5, 4),
            rng.normal(0, 0.3),
            colour,
            0.1,
        )


def _panicle(rng: np.random.Generator, blades: _Blades) -> None:
    """A drooping ear: grains along a bent axis and its branches."""
    height, breadth = SHAPE
    x, y = rng.uniform(0.05, 0.95) * breadth, rng.uniform(-0.05, 0.7) * height
    angle, bend = rng.uniform(-0.4, np.pi + 0.4), rng.normal(0, 0.9)
    ripe = rng.uniform(0, 1)
    grain = mixed("leaf", "panicle", 0.35 + 0.65 * ripe)
    grains = int(rng.integers(35, 80))
    length, thick = rng.uniform(80, 170), rng.uniform(2.6, 4.2)
    for k in range(grains):
        t = k / grains
        heading = angle + bend * t
        px = x + np.cos(heading) * length * t + rng.normal(0, 5 + 6 * t)
        py = y + np.sin(heading) * length * t + rng.normal(0, 5 + 6 * t)
        turn = heading + rng.normal(0, 0.5)
        ring = np.linspace(0, 2 * np.pi, 9)[:-1]
        ex, ey = np.cos(ring) * thick * 1.9, np.sin(ring) * thick * 0.8
        points = np.stack([px + ex * np.cos(turn) - ey * np.sin(turn), py + ex * np.sin(turn) + ey * np.cos(turn)], 1)
        blades.polygon(points.astype(np.float32), (grain * np.float32(rng.uniform(0.55, 1.1))).astype(np.float32))


def draw_background(rng: np.random.Generator) -> Background:
    """Draw ground and neighbours.

    Args:
        rng: the pair's generator.

    Returns:
        The backdrop; its ground, density of blades, yellowness and light are drawn without regard to the label.
    """
    ground = str(rng.choice(GROUNDS, p=_GROUND_SHARES))
    yellow = float(rng.beta(1.2, 3.5))
    half = (SHAPE[0] // 2, SHAPE[1] // 2)
    if ground == "soil":
        far, middle = int(rng.integers(5, 110)), int(rng.integers(6, 40))
        radiance = np.stack([resize_plane(band, SHAPE) for band in _soil(rng, SHAPE)])
    elif ground == "water":
        far, middle = int(rng.integers(20, 150)), int(rng.integers(8, 50))
        radiance = np.stack([resize_plane(band, SHAPE) for band in _water(rng, half)])
    else:
        far, middle = int(rng.integers(120, 320)), int(rng.integers(25, 90))
        radiance = np.stack([resize_plane(band, SHAPE) for band in _shade(rng, half)])
    defocus = float(rng.choice([rng.uniform(0.3, 0.9), rng.uniform(0.6, 1.2), rng.uniform(1.2, 3.2)]))

    blades = _Blades(1.0)
    _straws(rng, blades, int(rng.integers(0, 45)) if ground != "water" else int(rng.integers(0, 8)))
    _tussocks(rng, blades, far, (0.12, 0.6), yellow, (3, 13))
    radiance = _blur(blades.paint(radiance), defocus)

    blades = _Blades(1.0)
    _tussocks(rng, blades, middle, (0.35, 1.0), yellow, (5, 24))
    if rng.random() < 0.35:
        for _ in range(int(rng.integers(1, 4))):
            _panicle(rng, blades)
    radiance = _blur(blades.paint(radiance), 0.35 + 0.35 * defocus)

    if rng.random() < 0.6:
        blades = _Blades(1.0)
        _tussocks(rng, blades, int(rng.integers(1, 5)), (0.8, 1.1), yellow, (22, 50))
        radiance = _blur(blades.paint(radiance), 0.45 + 0.25 * defocus)
    return Background(ground, np.ascontiguousarray(radiance, dtype=np.float32))
