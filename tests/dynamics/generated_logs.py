"""Training logs made up from a seed: trends, noises, faults of logging, and drops of known place, size and shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.signal import lfilter

from rice_ssl.dynamics.logs import tidy_log

Floats = npt.NDArray[np.float64]
SIZES = (1.0, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0)
"""Sizes of drops, in standard deviations of the noise."""


@dataclass(frozen=True)
class TrueDrop:
    """A drop that was put into a log.

    Attributes:
        event: last step before the fall begins.
        onset: last step before 5% of the fall is done.
        end: first step at which 95% of the fall is done.
        size: in standard deviations of the noise.
        shape: how it falls.
    """

    event: float
    onset: float
    end: float
    size: float
    shape: str


@dataclass(frozen=True)
class GeneratedLog:
    """A curve and what was put into it.

    Attributes:
        steps: increasing, shape (N,).
        values: shape (N,).
        trend: name of the smooth part.
        noise: name of the noise.
        fault: name of what happened to the logging.
        drops: none or one.
    """

    steps: Floats
    values: Floats
    trend: str
    noise: str
    fault: str
    drops: tuple[TrueDrop, ...]


Trend = Callable[[Floats, np.random.Generator], Floats]
TRENDS: dict[str, Trend] = {
    "flat": lambda t, rng: np.zeros_like(t),
    "line": lambda t, rng: -t,
    "exponential": lambda t, rng: np.exp(-t * rng.uniform(3, 40)),
    "power law": lambda t, rng: (1 + t * rng.uniform(10, 400)) ** -rng.uniform(0.3, 0.8),
    "cosine": lambda t, rng: 0.5 + 0.5 * np.cos(np.pi * t),
    "one-cycle": lambda t, rng: 0.5 * np.exp(-20 * t) + 0.5 * (1 - t) ** 2 + 0.08 * np.sin(np.pi * t) ** 2,
    "kink": lambda t, rng: -np.maximum(t - rng.uniform(0.2, 0.8), 0),
    "plateaus": lambda t, rng: np.exp(-8 * t) - 0.5 * np.clip((t - rng.uniform(0.3, 0.5)) / 0.3, 0, 1),
    "wave": lambda t, rng: 0.3 * np.cos(2 * np.pi * t * rng.uniform(1, 3)) - 0.5 * t,
    "stairs": lambda t, rng: -np.floor(t * rng.integers(6, 25)) * 0.04 - 0.02 * t,
}
NOISES = ("white", "autocorrelated", "heavy tails", "shrinking", "skewed")
FAULTS = ("none", "resume", "gap", "rows lost")
SHAPES = ("step", "ramp", "two steps", "step and tail", "S", "dip")


def noise_of(kind: str, samples: int, rng: np.random.Generator) -> Floats:
    """Noise of unit standard deviation."""
    white: Floats = rng.normal(0, 1, samples)
    if kind == "autocorrelated":
        phi = float(rng.uniform(0.3, 0.8))
        return np.asarray(lfilter([np.sqrt(1 - phi**2)], [1, -phi], rng.normal(0, 1, samples + 50))[50:])
    if kind == "heavy tails":
        return rng.standard_t(4, samples) / np.sqrt(2)
    if kind == "shrinking":
        return white * np.linspace(1.6, 0.6, samples)
    if kind == "skewed":
        return (rng.gamma(4, 1, samples) - 4) / 2
    return white


def fall_of(shape: str, since: Floats, length: float) -> Floats:
    """Share of the fall that is done ``since`` samples after its onset; it takes ``length`` samples."""
    begun = since > 0
    way = np.clip(since / length, 0, None)
    if shape == "ramp":
        return np.minimum(way, 1)
    if shape == "two steps":
        return 0.5 * begun + 0.5 * (way >= 1)
    if shape == "step and tail":
        return begun * (0.5 + 0.5 * (1 - np.exp(-3 * np.clip(since - 1, 0, None) / length)))
    if shape == "S":
        return np.where(begun, 1 / (1 + np.exp(-8 * (way - 0.5))), 0)
    if shape == "dip":  # falls at once, comes back by half over a twentieth to a tenth of the log
        return begun * (1 - 0.5 * np.clip((since - 2 * length) / (4 * length), 0, 1))
    return begun.astype(np.float64)


def generated_log(seed: int, *, drop: bool, short: bool | None = None, size: float | None = None) -> GeneratedLog:
    """A log from a seed.

    Args:
        seed: decides all that is not given.
        drop: whether a drop is put in.
        short: 16 to 60 rows, as a validation curve has; one in four when left out.
        size: of the drop in noise units; one of :data:`SIZES` when left out.
    """
    rng = np.random.default_rng([seed, int(drop)])
    short = bool(rng.random() < 0.25) if short is None else short
    samples = int(rng.integers(16 if not drop else 24, 61)) if short else int(rng.integers(150, 1201))
    names = [name for name in TRENDS if not (short and name == "stairs") and not (drop and name == "stairs")]
    trend = str(rng.choice(names))
    noise = str(rng.choice(NOISES))
    fault = str(rng.choice(FAULTS))
    shape = "step" if short else str(rng.choice(SHAPES))
    t = np.linspace(0, 1, samples)
    spacing = float(rng.choice([1, 5, 19, 83]))
    level = 1 / rng.uniform(8, 120)  # noise as a share of the trend's range
    smooth, rough = TRENDS[trend](t, rng), noise_of(noise, samples, rng)
    values = smooth / level + rough
    drops: tuple[TrueDrop, ...] = ()
    steps = spacing * np.arange(samples)
    size = float(rng.choice(SIZES)) if size is None else size
    room = min(max(8, samples // 8), samples // 2 - 1)
    onset = int(rng.integers(room, samples - room))
    longest = 1.0 if shape == "step" else float(rng.uniform(3, max(4, 0.03 * samples)))
    if drop:
        done = fall_of(shape, np.arange(samples) - onset * 1.0, longest)
        values = values - size * done
        late = done >= (0.95 if shape != "dip" else 0.99)
        end = int(np.argmax(late)) if late.any() else samples - 1
        early = int(np.flatnonzero(done[: end + 1] < 0.05)[-1])
        drops = (TrueDrop(*(float(steps[k]) for k in (early if shape == "S" else onset, early, end)), size, shape),)
    kept, order = np.ones(samples, dtype=bool), np.arange(samples)
    again = values
    if fault == "gap":
        width = int(samples * rng.uniform(0.03, 0.1))
        first = int(rng.integers(room // 2, samples - width - room // 2))
        if not drop or first > onset + 3 * longest + 5 or first + width < onset - 5:
            kept[first : first + width] = False
    elif fault == "rows lost":
        kept = rng.random(samples) > 0.1
    elif fault == "resume":  # rows are written twice, with other noise the second time
        back = int(rng.integers(samples // 4, samples - 2))
        repeated = np.arange(max(0, back - samples // 10), back)
        order = np.concatenate([np.arange(back), repeated, np.arange(back, samples)])
        again = values.copy()
        again[repeated] += noise_of("white", len(repeated), rng) - rough[repeated]
    written = values[order]
    if fault == "resume":
        written[back:] = again[order[back:]]
    scale, offset = float(10 ** rng.uniform(-2, 0)), float(rng.uniform(0, 5))
    use = kept[order]
    rows = pd.DataFrame(
        {"step": steps[order][use], "value": offset + scale * written[use], "split": "train", "name": "loss"}
    )
    curve = tidy_log(rows, source="generated", unit="step").curve("loss", "train")
    return GeneratedLog(*curve, trend, noise, fault, drops)
