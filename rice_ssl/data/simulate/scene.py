"""One plant scene, shared by both cameras: backdrop, main leaf, lesions, light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rice_ssl.data.simulate.background import Background, draw_background
from rice_ssl.data.simulate.confounders import mark_skin
from rice_ssl.data.simulate.leaf import LeafShape, LeafSkin, draw_shape, draw_skin
from rice_ssl.data.simulate.lesions import LesionLayer, draw_lesions
from rice_ssl.data.simulate.reflectance import NIR, FloatArray

Evidence = Literal["both", "rgb", "rgnir"]
EVIDENCES: Final[tuple[Evidence, ...]] = ("both", "rgb", "rgnir")


@dataclass(frozen=True)
class Scene:
    """What stands in front of the cameras.

    Attributes:
        label: ``blast``, ``brown`` or ``healthy``.
        evidence: sensors in which the lesions show; ``both`` for every healthy leaf.
        background: the backdrop.
        shape: the main leaf's outline.
        skin: the main leaf's surface with its harmless marks.
        lesions: the lesions over it.
        marks: names of the harmless marks.
        leaf_light: light on the main leaf, 1 = full sun.
        stripes: cast shadows as (direction in radians, offset and half width in scene units, depth in [0, 1]).
        severity: lesion area without halo over leaf area, within 200 units of the anchor, in [0, 1].
    """

    label: str
    evidence: Evidence
    background: Background
    shape: LeafShape
    skin: LeafSkin
    lesions: LesionLayer
    marks: tuple[str, ...]
    leaf_light: float
    stripes: tuple[tuple[float, float, float, float], ...]
    severity: float

    def leaf_reflectance(self, sensor: str) -> FloatArray:
        """Give the main leaf as one sensor gets to see it.

        Args:
            sensor: ``rgb`` or ``rgnir``.

        Returns:
            Reflectance in leaf coordinates, shape (4, rows, columns), float32.

        A lesion's colour and its fall in the near infrared are switched separately. ``rgnir`` evidence is an early
        infection: the mesophyll collapses, the pigments are still there, so only the near infrared changes (Knipling
        1970). ``rgb`` evidence is a change of pigment above an intact mesophyll; the RGNIR camera's red and green are
        squeezed into the lowest tenth of their range and should show a trace of it. We damp that trace to 6 % of the
        colour change. That damping is a shortcut of ours, which stands for the overflow and blur that hide it in the
        real pictures; it is not derived from either.
        """
        visible = {"both": 1.0, "rgb": 1.0 if sensor == "rgb" else 0.06, "rgnir": 0.0}[self.evidence]
        infrared = {"both": 1.0, "rgb": 0.0, "rgnir": 1.0}[self.evidence]
        weight = np.full((4, 1, 1), visible, dtype=np.float32)
        weight[NIR] = infrared
        skin = self.skin.reflectance
        return skin + (self.lesions.reflectance - skin) * (self.lesions.cover * weight)


def draw_scene(rng: np.random.Generator, lesion_rng: np.random.Generator, label: str, evidence: Evidence) -> Scene:
    """Draw a scene.

    Everything but the lesions is drawn without regard to the label, from a generator of its own: the same scene with
    another label differs in its lesions alone.

    Args:
        rng: draws everything but the lesions.
        lesion_rng: draws the lesions.
        label: ``blast``, ``brown`` or ``healthy``.
        evidence: sensors in which lesions show.

    Returns:
        The scene.
    """
    background = draw_background(rng)
    shape = draw_shape(rng)
    skin = draw_skin(rng, shape)
    marks = mark_skin(rng, shape, skin)
    leaf_light = float(rng.uniform(0.8, 1.15))
    stripes = tuple(
        (
            float(rng.uniform(0, np.pi)),
            float(rng.uniform(-180, 180)),
            float(rng.uniform(8, 50)),
            float(rng.uniform(0.2, 0.55)),
        )
        for _ in range(int(rng.choice([0, 0, 0, 1, 2])))
    )
    lesions = draw_lesions(lesion_rng, label, shape, skin)
    seen = slice(max(0, int(shape.anchor_u) - 200), int(shape.anchor_u) + 200)
    severity = float(lesions.core[:, seen].sum() / max(1, int(skin.inside[:, seen].sum())))
    return Scene(label, evidence, background, shape, skin, lesions, marks, leaf_light, stripes, severity)
