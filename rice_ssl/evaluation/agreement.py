"""How far two sensors agree about the same pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def cohen_kappa(table: npt.NDArray[np.number]) -> float:
    """Agreement beyond chance of two raters, from their joint counts (C, C); NaN where chance agreement is complete.

    Source: Cohen 1960.
    """
    counts = np.asarray(table, dtype=np.float64)
    total = counts.sum()
    if total == 0:
        return float("nan")
    seen = np.trace(counts) / total
    chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum() / total**2)
    return float("nan") if chance >= 1 else float((seen - chance) / (1 - chance))


def jensen_shannon(first: npt.NDArray[np.floating], second: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Jensen-Shannon divergence in bits, in [0, 1], of each row of two tables of probabilities (N, C).

    Source: Lin 1991, with logarithms to base 2.
    """
    p, q = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    middle = (p + q) / 2

    def to_middle(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ratio = np.divide(values, middle, out=np.ones_like(values), where=values > 0)
        return np.asarray((values * np.log2(ratio)).sum(axis=1))

    return np.clip((to_middle(p) + to_middle(q)) / 2, 0.0, 1.0)


BOTH_RIGHT, NEITHER = "both", "neither"


def who_is_right(
    first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], names: tuple[str, str]
) -> npt.NDArray[np.object_]:
    """``both``, ``NAME only`` or ``neither`` for each pair, shape (N,), from whether each sensor is right there."""
    words = np.array([NEITHER, f"{names[1]} only", f"{names[0]} only", BOTH_RIGHT], dtype=object)
    found: npt.NDArray[np.object_] = words[2 * np.asarray(first, dtype=int) + np.asarray(second, dtype=int)]
    return found
