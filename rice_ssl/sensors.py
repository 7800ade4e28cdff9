"""Sensors: which bands an image file holds, in which order, and how its files are named."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rice_ssl.errors import InputError

IMAGENET_MEAN = {"red": 0.485, "green": 0.456, "blue": 0.406}
IMAGENET_STD = {"red": 0.229, "green": 0.224, "blue": 0.225}
"""Per-band statistics of ImageNet; a band that ImageNet lacks borrows those of the file channel it sits in."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,15}\Z")


@dataclass(frozen=True)
class Sensor:
    """One camera.

    Attributes:
        name: short key used in tables and on the command line, e.g. ``rgb``.
        title: how the sensor is written on screen, e.g. ``RGB``.
        bands: the three bands of a file, in channel order.
        pattern: file name with ``{id}`` where the pair's id goes, e.g. ``{id}_rgn.jpg``.
        mean: normalisation mean per band, in [0, 1].
        std: normalisation standard deviation per band, in (0, 1].
    """

    name: str
    title: str
    bands: tuple[str, str, str]
    pattern: str
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        """Refuse a name that could not be a table key, or a pattern without ``{id}``."""
        if not _NAME.match(self.name):
            raise InputError(
                f"Sensor name {self.name!r} cannot be used: "
                "take 1 to 16 lower-case letters, digits or '_', letter first."
            )
        if self.pattern.count("{id}") != 1:
            raise InputError(
                f"Pattern {self.pattern!r} of sensor {self.name!r} must hold {{id}} exactly once, "
                "e.g. '{id}_rgn.jpg'."
            )

    @property
    def is_natural(self) -> bool:
        """Whether an image shows what the eye sees, so that hue and saturation mean something."""
        return self.bands == ("red", "green", "blue")


RGB = Sensor("rgb", "RGB", ("red", "green", "blue"), "{id}.jpg")
RGNIR = Sensor("rgnir", "RGNIR", ("red", "green", "near infrared"), "{id}_rgn.jpg")
KNOWN_SENSORS = {sensor.name: sensor for sensor in (RGB, RGNIR)}

SHARED, FUSED = "shared", "fused"
"""What a classifier may learn from besides one sensor: either sensor's image, or a pair's images joined."""

BOTH = "both"
"""The word used in the ``sensor`` column of predictions for a pair judged from all its sensors."""


def sensor_from_pattern(name: str, pattern: str) -> Sensor:
    """Describe a sensor given on the command line as ``NAME=PATTERN``.

    Args:
        name: sensor key; ``rgb`` and ``rgnir`` bring their known bands, others get "band 1" to "band 3".
        pattern: file name with ``{id}`` once.

    Raises:
        InputError: the name or the pattern cannot be used, or the name is the reserved word ``both``.
    """
    if name == BOTH:
        raise InputError(f"Sensor name {BOTH!r} is reserved for the pair judged from all sensors: choose another.")
    known = KNOWN_SENSORS.get(name)
    if known is not None:
        return Sensor(known.name, known.title, known.bands, pattern, known.mean, known.std)
    return Sensor(name, name, ("band 1", "band 2", "band 3"), pattern)
