"""What of a recipe bears on how training and validation loss compare."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rice_ssl.dynamics.recipe import Recipe, TrainAverage, check_setting
from rice_ssl.errors import InputError


@dataclass(frozen=True)
class LossSettings:
    """Settings that move one of the two losses; None is not known.

    Attributes:
        dropout: probability, in [0, 1).
        label_smoothing: epsilon, in [0, 1).
        mixup: alpha of MixUp's Beta distribution; 0 is no MixUp.
        classes: number C of classes.
        class_shares: share of each class among the training pairs; equal ones are taken when not known.
        val_smoothed: whether the validation loss has the label smoothing too, as in fastai and in our own fine-tuning.
        train_average: what a logged training loss is: of one ``batch``, the ``epoch mean``, or ``fastai``'s exponential
            average over all batches so far (weight 0.98).
        steps_per_epoch: batches an epoch.
        pretraining: whether the loss is SwAV's, which has neither labels nor dropout.
    """

    dropout: float | None = None
    label_smoothing: float | None = None
    mixup: float | None = None
    classes: int | None = None
    class_shares: tuple[float, ...] | None = None
    val_smoothed: bool | None = None
    train_average: TrainAverage | None = None
    steps_per_epoch: int | None = None
    pretraining: bool = False

    def __post_init__(self) -> None:
        """Refuse shares that are none, and as many as there are no classes.

        Raises:
            InputError: the message names the setting and its value.
        """
        check_setting("classes", self.classes, 2, math.inf, "a whole number of at least 2", whole=True)
        shares = self.class_shares
        if shares is not None and (abs(sum(shares) - 1) > 1e-6 or min(shares) < 0 or len(shares) < 2):
            raise InputError(f"class_shares is {shares!r}: give one share for each class, with the sum 1.")
        if shares is not None and self.classes not in {None, len(shares)}:
            raise InputError(f"classes is {self.classes}, but class_shares has {len(shares)}: give one for each class.")

    @property
    def shares(self) -> tuple[float, ...] | None:
        """Share of each class, equal ones where only their number is known; None when that is not known either."""
        if self.class_shares is not None or self.classes is None:
            return self.class_shares
        return (1 / self.classes,) * self.classes


def settings_of_recipe(recipe: Recipe) -> LossSettings:
    """What a recipe says; prototypes or a queue tell that it is a pretraining's."""
    swav = (recipe.prototypes, recipe.queue_start_pct, recipe.queue_start, recipe.queue_start_step)
    return LossSettings(
        dropout=recipe.dropout,
        label_smoothing=recipe.label_smoothing,
        mixup=recipe.mixup,
        classes=recipe.classes,
        val_smoothed=recipe.val_smoothed,
        train_average=recipe.train_average,
        steps_per_epoch=recipe.steps_per_epoch,
        pretraining=any(setting is not None for setting in swav),
    )


def settings_of_run(config: Mapping[str, Any], stage: str, *, classes: int | None = None) -> LossSettings:
    """What the configuration of one of our own runs says.

    Our trainer logs the loss of single batches, has no MixUp, and computes the validation loss as the training loss,
    with its label smoothing.

    Args:
        config: as run.json holds it.
        stage: ``pretrain`` or ``finetune``.
        classes: number of classes, which the configuration does not hold.
    """
    if stage == "pretrain":
        return LossSettings(train_average="batch", pretraining=True)
    section = config.get("finetune")
    given = section if isinstance(section, Mapping) else {}
    return LossSettings(
        dropout=_number(given.get("dropout")),
        label_smoothing=_number(given.get("label_smoothing")),
        mixup=0.0,
        classes=classes,
        val_smoothed=True,
        train_average="batch",
    )


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
