"""Whether to believe a map, in words: the same on screen and in what is handed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rice_ssl.evaluation.attribution_summary import MOST_P

BETTER, LIKE_RANDOM, LIKE_CENTRE = (
    "better than random maps",
    "no better than random",
    "no better than looking at the centre",
)
"""What is said of a map that was measured."""
NOT_MEASURED = "not measured"
SIMULATED = "The images are simulated, not photographed: nothing here is about real plants."
TRAINED_ON_SIMULATED = "The weights were trained on simulated leaves: nothing here shows what they know of real ones."
AS_IMPORTED = "The images are as imported, not simulated."
SPLITS = {"train": "training", "val": "validation", "test": "test"}
JUDGED_BY = {
    None: "nothing was predicted",
    "predictions": "the run's classifier",
    "cross_validation": "cross-validation, by networks that did not see the pair",
}
"""Table of predictions -> what they are of."""


def about_images(*, simulated: bool, weights_simulated: bool) -> str:
    """Whether what is handed on is about real plants, in a sentence."""
    return SIMULATED if simulated else TRAINED_ON_SIMULATED if weights_simulated else AS_IMPORTED


def verdict(row: Mapping[str, Any] | pd.Series | None) -> str:
    """What is said of a map.

    Args:
        row: of the table ``trust``; None where there is none.
    """
    if row is None or pd.isna(row["p_random"]):
        return NOT_MEASURED
    if row["p_random"] > MOST_P:
        return LIKE_RANDOM
    return BETTER if row["score"] > row["gaussian_score"] else LIKE_CENTRE


def detail(row: Mapping[str, Any] | pd.Series) -> str:
    """What the verdict on a measured map rests on, in sentences.

    Args:
        row: of the table ``trust``.
    """
    road = ""
    if not pd.isna(row["road"]):
        road = f" ROAD (remove and debias): {row['road']:+.2f}."
    return (
        f"Blurring the strongest places first leaves a mean probability of {row['deletion']:.2f} of "
        f"{row['class_name']}, showing them first {row['insertion']:.2f}: a score of {row['score']:+.2f}. Random maps "
        f"score {row['random_score']:+.2f} (p = {row['p_random']:.2f} that one does as well), a blot in the centre "
        f"{row['gaussian_score']:+.2f}.{road}"
    )
