"""One simulated pair: two pictures, their masks, and the truth about them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rice_ssl.data.simulate.camera import Pose, draw_pose, photograph
from rice_ssl.data.simulate.reflectance import BLUE, GREEN, NIR, RED
from rice_ssl.data.simulate.responses import Image8, draw_rgb_response, draw_rgnir_response
from rice_ssl.data.simulate.scene import Evidence, draw_scene

CLASSES: Final = ("blast", "brown", "healthy")
SENSORS: Final = ("rgb", "rgnir")
SUFFIXES: Final = {"rgb": "", "rgnir": "_rgn"}
#: The challenge has .56, .29, .15; at 300 test pairs that leaves 45 healthy ones. Flatter here, so that each class's
#: figures have support (about 70 healthy test pairs of 300), yet unequal as the challenge's classes are.
CLASS_SHARES: Final = (0.45, 0.32, 0.23)
#: Shares of diseased pairs whose lesions show in both sensors, in RGB only, in RGNIR only.
EVIDENCE_SHARES: Final = (0.76, 0.12, 0.12)
_BANDS: Final = {"rgb": (RED, GREEN, BLUE), "rgnir": (RED, GREEN, NIR)}
# Roberts 2018, "The unreasonable effectiveness of quasirandom sequences": steps of the 3-D R sequence.
_R3_STEPS: Final = (0.8191725133961645, 0.6710436067037893, 0.5497004779019703)


@dataclass(frozen=True)
class PairPlan:
    """What pair ``index`` of a seed is going to be, known before it is drawn."""

    index: int
    pair_id: str
    label: str
    split: str
    evidence: Evidence


@dataclass(frozen=True)
class SensorImage:
    """One camera's picture (400, 500, 3) uint8 with masks (400, 500) bool of the main leaf and its lesions."""

    image: Image8
    leaf: NDArray[np.bool_]
    lesion: NDArray[np.bool_]


def _pick(point: float, shares: tuple[float, ...]) -> int:
    return int(np.searchsorted(np.cumsum(shares[:-1]), point, side="right"))


def plan_pair(seed: int, index: int, test_fraction: float) -> PairPlan:
    """Decide id, label, split and evidence of a pair.

    A quasi-random sequence keeps classes, splits and evidence near their shares at any number of pairs, without a pair
    having to know how many there are.

    Args:
        seed: the data set's seed, >= 0.
        index: the pair's number, >= 0.
        test_fraction: share of test pairs, in [0, 1).

    Returns:
        The plan; the id is a hash, so that it tells nothing.
    """
    offsets = np.random.default_rng(np.random.SeedSequence([seed, 0x51A7])).random(3)
    point = [(float(offset) + step * (index + 1)) % 1.0 for offset, step in zip(offsets, _R3_STEPS, strict=True)]
    digest = int.from_bytes(hashlib.sha256(f"rice_ssl {seed} {index}".encode()).digest()[:8], "big")
    letters = "0123456789abcdefghijklmnopqrstuvwxyz"
    name = "".join(letters[digest // 36**k % 36] for k in range(10))
    label = CLASSES[_pick(point[0], CLASS_SHARES)]
    kinds: tuple[Evidence, ...] = ("both", "rgb", "rgnir")
    evidence: Evidence = "both" if label == "healthy" else kinds[_pick(point[2], EVIDENCE_SHARES)]
    return PairPlan(index, f"id_{name}", label, "test" if point[1] < test_fraction else "train", evidence)


def draw_pair(seed: int, plan: PairPlan) -> tuple[dict[str, SensorImage], dict[str, str | int | float]]:
    """Draw both pictures of a pair.

    Args:
        seed: the data set's seed.
        plan: the pair's plan; its random numbers come from (seed, index) alone, in one stream each for scene, lesions
            and cameras.

    Returns:
        The pictures by sensor, and the pair's row of truth.csv: severity (lesion area over leaf area), counts, and each
        camera's pose and response (angles in degrees, blur in pixels).
    """
    streams = np.random.SeedSequence([seed, plan.index]).spawn(2 + len(SENSORS))
    scene_rng, lesion_rng, *camera_rngs = (np.random.default_rng(stream) for stream in streams)
    scene = draw_scene(scene_rng, lesion_rng, plan.label, plan.evidence)
    row: dict[str, str | int | float] = {
        "pair_id": plan.pair_id,
        "label": plan.label,
        "split": plan.split,
        "seed": seed,
        "index": plan.index,
        "evidence": plan.evidence,
        "severity": round(scene.severity, 5),
        "lesions": scene.lesions.count,
        "marks": " ".join(scene.marks),
        "ground": scene.background.ground,
        "leaf_width": round(2 * scene.shape.half_width, 2),
    }
    pictures: dict[str, SensorImage] = {}
    for sensor, rng in zip(SENSORS, camera_rngs, strict=True):
        pose: Pose = draw_pose(rng, sensor)
        exposure = photograph(scene, pose, sensor, _BANDS[sensor])
        if sensor == "rgb":
            colour = draw_rgb_response(rng)
            settings, image = asdict(colour), colour.develop(rng, exposure.light)
        else:
            leaf_nir = 0.47 * scene.leaf_light
            stretched = draw_rgnir_response(rng, leaf_nir)
            settings, image = asdict(stretched), stretched.develop(rng, exposure.light)
        pictures[sensor] = SensorImage(image, exposure.leaf, exposure.lesion)
        poses = asdict(pose) | {"rotation": float(np.degrees(pose.rotation))}
        row |= {f"{sensor}_{name}": round(float(value), 5) for name, value in (poses | settings).items()}
        row[f"{sensor}_leaf_pixels"] = int(exposure.leaf.sum())
        row[f"{sensor}_lesion_pixels"] = int(exposure.lesion.sum())
    return pictures, row
