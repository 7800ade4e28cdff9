"""What takes a band's place: its mean, the same band of another pair, or a band of the other sensor."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rice_ssl.sensors import Sensor
from rice_ssl.training.batches import Pictures, Rows

MEAN, OTHER_PAIR, OTHER_SENSOR = "mean", "other_pair", "other_sensor"
REPLACEMENTS = {
    MEAN: "the band is one grey everywhere: its mean over {mean_over}",
    OTHER_PAIR: "the band is that of another pair of the same split, drawn at random whatever its class",
    OTHER_SENSOR: "the band is one of the pair's other sensor, as it lies there: shapes shift, and brightness does, "
    "where the two cameras do not see alike; how much that does by itself is seen where the two bands have one name",
}
"""In words; ``{mean_over}`` stands for the pairs that the mean was taken over."""


@dataclass(frozen=True)
class BandSource:
    """A band of another sensor: number of the sensor, of the band, and whether both bands have the same name."""

    sensor: int
    band: int
    same: bool


def band_source(sensors: Sequence[Sensor], sensor: int, band: int) -> BandSource | None:
    """The band of another sensor that takes a band's place.

    The band of the same name where another sensor has one. Else one that this sensor lacks, of the next sensor: that
    at the same place in the file if it is such a one, else the first. Else the one at the same place.

    Args:
        sensors: all of them.
        sensor: number of the sensor whose band is replaced.
        band: number of its band, in channel order.

    Returns:
        None where there is one sensor only.
    """
    others = [(sensor + step) % len(sensors) for step in range(1, len(sensors))]
    if not others:
        return None
    own = sensors[sensor].bands
    for other in others:
        if own[band] in sensors[other].bands:
            return BandSource(other, sensors[other].bands.index(own[band]), True)
    bands = sensors[others[0]].bands
    lacking = [number for number, name in enumerate(bands) if name not in own]
    chosen = band if band in lacking or not lacking else lacking[0]
    return BandSource(others[0], chosen, False)


def source_as_dict(sensors: Sequence[Sensor], sensor: int, band: int) -> dict[str, Any] | None:
    """A band's :func:`band_source` by name and in words, for people; None where there is none."""
    source = band_source(sensors, sensor, band)
    if source is None:
        return None
    own, other = sensors[sensor], sensors[source.sensor]
    words = f"{own.bands[band]} of {own.title} is replaced by {other.bands[source.band]} of {other.title}"
    if not source.same:
        words += f", which has no {own.bands[band]}"
    return {
        "sensor": own.name,
        "band": own.bands[band],
        "from_sensor": other.name,
        "from_band": other.bands[source.band],
        "same_band": source.same,
        "words": words,
    }


def band_means(pictures: Pictures, rows: Rows, *, batch_size: int = 64) -> npt.NDArray[np.float64]:
    """Mean of each band over pairs, in [0, 1].

    Args:
        pictures: decoded pictures.
        rows: manifest rows of the pairs, shape (P, S), -1 for none.
        batch_size: pictures read at once.

    Returns:
        Shape (S, 3); NaN for a sensor without a picture.
    """
    found = np.full((rows.shape[1], 3), np.nan)
    for slot in range(rows.shape[1]):
        own = rows[rows[:, slot] >= 0, slot]
        totals = np.zeros(3)
        for at in range(0, len(own), batch_size):
            images = pictures.cache.images[own[at : at + batch_size]]
            totals += images.mean(axis=(1, 2)).sum(axis=0)
        if len(own):
            found[slot] = totals / len(own) / 255
    return found


def deranged(groups: Sequence[Hashable], seed: int) -> Rows:
    """Give everyone another one, each one once, and of another group where that can be.

    All are put in a random order in which groups stay together, and each takes the one that is the largest group's
    size further on, round the end. So nobody gets one of its own group. Where a group holds more than half, that cannot
    be, and groups are disregarded: everyone gets another one all the same.

    Args:
        groups: of N, equal for those that must not get each other (e.g. photos of one leaf); all different for none.
        seed: of the order.

    Returns:
        Numbers in 0..N-1, shape (N,), a permutation without a fixed point; -1 where N is 1.
    """
    count = len(groups)
    if count < 2:
        return np.full(count, -1, dtype=np.int64)
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    codes = np.array([numbers[group] for group in groups])
    largest = int(np.bincount(codes).max())
    if 2 * largest > count:
        codes, largest = np.arange(count), 1
    generator = np.random.default_rng([seed, 11])
    order = generator.permutation(count)
    place = generator.permutation(int(codes.max()) + 1)[codes]
    order = order[np.argsort(place[order], kind="stable")]
    found = np.empty(count, dtype=np.int64)
    found[order] = np.roll(order, -largest)
    return found
