"""What a run's networks say of new pictures. Imports no torch: the dashboard uses it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ExplainedImage:
    """What the networks give of one image; what they lack is None.

    Attributes:
        embedding: shape (E,).
        logits: shape (C,), of the image judged alone.
        probabilities: shape (C,), in [0, 1].
        cam: Grad-CAM of every class, shape (C, h, w), >= 0, in logits.
        prototype_logits: cosines with the prototypes, shape (K,).
        prototype_probabilities: their soft-max at the temperature of training, shape (K,).
    """

    embedding: Values
    logits: Values | None
    probabilities: Values | None
    cam: Values | None
    prototype_logits: Values | None
    prototype_probabilities: Values | None


@dataclass(frozen=True)
class Explained:
    """What the networks say of a pair, or of one image of it.

    Attributes:
        images: by the name of the sensor.
        joint: probabilities of the pair judged from its images, shape (C,); None where there is one image, no
            classifier, or one that learnt from a single sensor and so judges images.
    """

    images: dict[str, ExplainedImage]
    joint: Values | None


@dataclass(frozen=True)
class MapTrust:
    """Whether the Grad-CAM of the class predicted from an image does better than maps that know nothing of it.

    Attributes:
        predicted: number of the class.
        deletion: mean probability of the class while the strongest places are blurred first, in [0, 1].
        insertion: the same while they are shown first.
        score: insertion less deletion, in [-1, 1].
        random_score: mean over random maps of the same resolution.
        gaussian_score: of a Gaussian in the centre.
        p_random: (1 + random maps that score as well) / (1 + random maps).
    """

    predicted: int
    deletion: float
    insertion: float
    score: float
    random_score: float
    gaussian_score: float
    p_random: float
