"""Measure the contrast of text as it is drawn, from the pixels of a screenshot."""

import io
from collections import Counter

import numpy as np
from PIL import Image
from playwright.sync_api import Locator


def luminance(colour: np.ndarray) -> np.ndarray:
    """Relative luminance (WCAG 2.2) of sRGB colours, shape (..., 3), 0 to 255."""
    share = np.asarray(colour, dtype=float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast_of(text: Locator) -> float:
    """Contrast, 1 to 21, of the most frequent colour in a text's box, its ground, with the colour farthest from it.

    Take it on a context with ``device_scale_factor`` of 3 or more: on small type every pixel is a blend of both.
    """
    pixels = np.asarray(Image.open(io.BytesIO(text.screenshot())).convert("RGB")).reshape(-1, 3)
    ground = luminance(np.array(Counter(map(tuple, pixels.tolist())).most_common(1)[0][0]))
    found = luminance(pixels)
    ratios = (np.maximum(found, ground) + 0.05) / (np.minimum(found, ground) + 0.05)
    return float(ratios.max())
