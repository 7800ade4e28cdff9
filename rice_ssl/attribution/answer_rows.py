"""Rows of the table of replaced bands: the answers before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from torch import Tensor

from rice_ssl.evaluation.agreement import jensen_shannon
from rice_ssl.evaluation.metrics import log_losses
from rice_ssl.training.batches import Rows

Values = npt.NDArray[np.float64]
COLUMNS = (
    "pair_id", "sensor", "band", "replacement", "original", "prediction", "confidence", "flipped", "joint_original",
    "joint_prediction", "joint_flipped", "divergence", "label", "split", "donor", "original_confidence",
    "log_loss_before", "log_loss_after", "joint_log_loss_before", "joint_log_loss_after",
)  # fmt: skip
"""Of the table: those of ``TABLES["channels"]``, and what a summary needs besides. ``donor`` is the pair whose band was
taken (``other_pair``), else null; log losses in nats, NaN without a label."""


@dataclass(frozen=True)
class Answers:
    """Probabilities of one sensor's picture of each pair, and of the whole pair, both of shape (B, C)."""

    own: Values
    joint: Values


def answers(found: tuple[Tensor, Tensor], slot: int) -> Answers:
    """Of what a :class:`rice_ssl.attribution.predict.Predict` gave, for the sensor of number ``slot``."""
    each, joint = found
    return Answers(*(softmax(part.double().cpu().numpy(), axis=1) for part in (each[:, slot], joint)))


def answer_rows(
    before: Answers, after: Answers, targets: Rows, several: npt.NDArray[np.bool_], classes: Sequence[str]
) -> dict[str, npt.NDArray[Any]]:
    """The columns of the table that the answers give.

    Args:
        before: of N pairs, with the picture as it is.
        after: with one band replaced.
        targets: class numbers, shape (N,), -1 where unknown.
        several: whether the pair is judged from two pictures or more, shape (N,).
        classes: names, in the order of the probabilities.
    """
    names, labelled = np.array(classes, dtype=object), targets >= 0
    null = np.array(None)
    best = [probabilities.argmax(axis=1) for probabilities in (before.own, after.own, before.joint, after.joint)]

    def cost(probabilities: Values, known: npt.NDArray[np.bool_]) -> Values:
        return np.where(known, log_losses(probabilities, np.maximum(targets, 0)), np.nan)

    return {
        "original": names[best[0]],
        "prediction": names[best[1]],
        "confidence": after.own.max(axis=1),
        "flipped": best[0] != best[1],
        "joint_original": np.where(several, names[best[2]], null),
        "joint_prediction": np.where(several, names[best[3]], null),
        "joint_flipped": np.where(several, (best[2] != best[3]).astype(object), null),
        "divergence": jensen_shannon(before.own, after.own),
        "label": np.where(labelled, names[np.maximum(targets, 0)], null),
        "original_confidence": before.own.max(axis=1),
        "log_loss_before": cost(before.own, labelled),
        "log_loss_after": cost(after.own, labelled),
        "joint_log_loss_before": cost(before.joint, labelled & several),
        "joint_log_loss_after": cost(after.joint, labelled & several),
    }
