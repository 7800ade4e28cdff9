"""Why validation loss can lie below training loss, and what log and recipe say about each cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.below_stretches import Estimate
from rice_ssl.dynamics.loss_settings import LossSettings
from rice_ssl.dynamics.target_entropy import mixup_floor, smoothing_floor, smoothing_surplus, target_floor

Floats = npt.NDArray[np.float64]
EVALUATE = "Evaluate the training pairs in evaluation mode, without augmentation, on the same checkpoints."


@dataclass(frozen=True)
class Cause:
    """One cause.

    Attributes:
        name: of the cause.
        explains: how much of the gap it can account for, in nats; None where log and recipe cannot tell.
        testable: whether log and recipe suffice to tell, or would with the setting that is lacking.
        sentence: what log and recipe say about it.
        settle: what would settle it; empty where nothing is open.
    """

    name: str
    explains: float | None
    testable: bool
    sentence: str
    settle: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return dict(vars(self))


def causes_of(
    val: Floats, gap: float, averaged: Estimate | None, averaging: str, settings: LossSettings
) -> list[Cause]:
    """Each cause with what is known about it.

    Args:
        val: validation losses of the rows in question, nats.
        gap: mean of training less validation loss over them, nats.
        averaged: mean of the training loss as logged less the corrected one over them; None where it is not known.
        averaging: what the training values were taken for.
        settings: of the recipe.
    """
    if settings.pretraining:
        return [_running_average(gap, averaged, averaging), _swav(), _easier()]
    return [
        _running_average(gap, averaged, averaging),
        _smoothing(val, settings),
        _mixup(settings),
        _dropout(settings),
        Cause(
            "augmentation",
            None,
            False,
            "Augmented training pictures are harder than plain ones of validation; a log does not tell by how much.",
            EVALUATE,
        ),
        _easier(),
    ]


def _running_average(gap: float, averaged: Estimate | None, averaging: str) -> Cause:
    name = "running average"
    if averaged is None:
        return Cause(name, None, True, f"Too few rows to move the training loss to the time of validation. {averaging}")
    between = "" if averaged.low is None or averaged.high is None else f" ({averaged.low:.3g} to {averaged.high:.3g})"
    part = "none of it" if averaged.value <= 0 else f"{min(averaged.value / gap, 1):.0%} of it" if gap > 0 else "none"
    return Cause(
        name,
        averaged.value,
        True,
        f"That the training loss is older than the validation loss makes {averaged.value:.3g} nats{between} of the gap "
        f"of {gap:.3g}, {part}. {averaging}",
    )


def _smoothing(val: Floats, settings: LossSettings) -> Cause:
    name, epsilon, shares = "label smoothing", settings.label_smoothing, settings.shares
    if epsilon is None:
        return Cause(name, None, True, "Not known: give label_smoothing in the recipe (and classes, val_smoothed).")
    if epsilon == 0:
        return Cause(name, 0.0, True, "There is no label smoothing.")
    if settings.val_smoothed:
        return Cause(
            name, 0.0, True, f"Label smoothing of {epsilon:g} is in both losses, so it makes no gap between them."
        )
    if shares is None:
        return Cause(name, None, True, f"Label smoothing is {epsilon:g}; its floor is not known: give classes.")
    floor = smoothing_floor(epsilon, len(shares))
    said = f"Label smoothing of {epsilon:g} with {len(shares)} classes keeps a loss at {floor:.3g} nats or more"
    surplus = float(np.mean(smoothing_surplus(val, epsilon, len(shares))))
    if settings.val_smoothed is None:
        return Cause(
            name,
            None,
            True,
            f"{said}; whether the validation loss has it too is not known: give val_smoothed. fastai and rice-ssl "
            "compute both losses with it, and then it makes no gap.",
        )
    weighed = (
        f"predictions as good as those of validation cost at least {surplus:.3g} nats more with it"
        if surplus > 0
        else "but at a validation loss as high as here it need not add anything"
    )
    return Cause(
        name,
        max(surplus, 0.0),
        True,
        f"{said}, which the validation loss is without; {weighed}.",
        "Log the training loss without smoothing too.",
    )


def _mixup(settings: LossSettings) -> Cause:
    name, alpha, shares = "MixUp", settings.mixup, settings.shares
    if alpha is None:
        return Cause(name, None, True, "Not known: give mixup in the recipe (its alpha, 0 for none; and classes).")
    if alpha == 0:
        return Cause(name, 0.0, True, "There is no MixUp.")
    if shares is None:
        return Cause(name, None, True, f"MixUp has alpha {alpha:g}; its floor is not known: give classes.")
    floor = mixup_floor(alpha, shares)
    added = floor
    if epsilon := settings.label_smoothing:
        added = target_floor(epsilon, alpha, shares) - smoothing_floor(epsilon, len(shares))
    equal = "" if settings.class_shares is not None else " with equal classes"
    together = "" if added == floor else f" ({added:.3g} on top of label smoothing)"
    return Cause(
        name,
        added,
        True,
        f"MixUp with alpha {alpha:g} raises the least possible training loss by {floor:.3g} nats{equal}{together}, and "
        "leaves validation as it is; far above that floor mixed pictures can cost more or less than this.",
        "Log the training loss of unmixed pictures too.",
    )


def _dropout(settings: LossSettings) -> Cause:
    if settings.dropout is None:
        return Cause("dropout", None, False, "Not known: give dropout in the recipe.", EVALUATE)
    if settings.dropout == 0:
        return Cause("dropout", 0.0, True, "There is no dropout.")
    return Cause(
        "dropout",
        None,
        False,
        f"Dropout of {settings.dropout:g} is active in training alone; a log does not tell what it costs.",
        EVALUATE,
    )


def _easier() -> Cause:
    return Cause(
        "easier validation set",
        None,
        False,
        "The validation pairs may be easier than the training pairs, or have twins among them; a log does not tell.",
        "Swap the folds: an easier set stays easier. Or evaluate training and validation pairs on one checkpoint.",
    )


def _swav() -> Cause:
    return Cause(
        "SwAV's validation",
        None,
        False,
        "In pretraining there are no labels and no dropout; the validation crops never change, and their codes are "
        "balanced over other batches than those of training.",
        "Evaluate training and validation pairs with the same crops, batch size and queue on one checkpoint.",
    )
