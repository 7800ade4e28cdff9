"""Training and validation loss side by side: as logged, and with the training loss moved to the time of validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.logs import TrainingLog, Unit
from rice_ssl.dynamics.loss_settings import LossSettings

Floats = npt.NDArray[np.float64]
BESIDE = 5
"""Training values just before a validation that are taken as those next to it."""
FASTAI_BETA = 0.98
"""Weight of the past in fastai's logged training loss (``AvgSmoothLoss``), which is never reset between epochs."""


@dataclass(frozen=True)
class PairedLosses:
    """One row for each validation; arrays of shape (N,), in the log's unit and the metric's.

    Attributes:
        steps: of the validations.
        val: validation loss.
        train: mean of the training values since the former validation, or the one that was logged for it.
        beside: mean of the last few training values before the validation; NaN where there are no more than one.
        corrected: training loss at the time of validation, see :func:`pair_losses`; NaN where it cannot be told.
        averaging: sentence on what the training values were taken for.
    """

    steps: Floats
    val: Floats
    train: Floats
    beside: Floats
    corrected: Floats
    averaging: str


def pair_losses(log: TrainingLog, metric: str, settings: LossSettings) -> PairedLosses:
    """Bring both losses to the steps of the validations.

    The mean over an epoch is about half an epoch older than the validation at its end, so a falling training loss looks
    higher than it is. ``corrected`` undoes that. Where training was logged more often than validation, it is a straight
    line through the training values within half a distance of validations to either side, read at the validation (at
    the end of the log through those before it). Where it was logged once for each validation, every training value is
    put back to the mean age of the batches in it, and the curve through these is read at the validation; the last
    validations, behind which there is no such value, are left without. Both are exact for a straight fall.

    Args:
        log: with the metric in train and val.
        metric: a name in the log.
        settings: what the training values are (``train_average``), and batches an epoch. When not known: values of
            single batches in a log with several of them for each validation, else means over an epoch, but not over
            more than the distance of the log's rows.
    """
    steps, train = log.curve(metric, "train")
    at, val = log.curve(metric, "val")
    rows = np.searchsorted(steps, at, side="right")
    dense = len(at) > 0 and float(np.median(np.diff(rows, prepend=0))) >= 2
    average = settings.train_average or ("batch" if dense else "epoch mean")
    if dense and average != "epoch mean":
        age, said = _age(steps, log.unit, settings, average)
        return _of_many(steps, train, steps - age, at, val, said)
    if dense:  # a mean that grows over the epoch: the row at its end holds it all
        last = np.unique(rows[rows > 0] - 1)
        steps, train = steps[last], train[last]
    age, said = _age(steps, log.unit, settings, average)
    return _of_one_each(steps, train, steps - age, at, val, said)


def fastai_age(batches: Floats) -> Floats:
    """Mean age, in batches, of what fastai's average holds after so many batches: 49 at last, less before.

    The loss of k batches ago has weight 0.98^k (1 - 0.98) / (1 - 0.98^n), hence
    beta / (1 - beta) - n beta^n / (1 - beta^n).

    Source:
        fastai 2, ``Learner.Recorder`` and ``AvgSmoothLoss(beta=0.98)``.
    """
    past = FASTAI_BETA**batches
    return np.asarray(FASTAI_BETA / (1 - FASTAI_BETA) - batches * past / (1 - past))


def _of_many(steps: Floats, train: Floats, centres: Floats, at: Floats, val: Floats, said: str) -> PairedLosses:
    """Several training values for each validation."""
    stops = np.searchsorted(steps, at, side="right")
    starts = np.concatenate([[0], stops[:-1]])
    kept = stops > starts
    distances = np.diff(at, prepend=2 * at[0] - at[1] if len(at) > 1 else steps[0])
    mean, beside, corrected = (np.full(len(at), np.nan) for _ in range(3))
    for k in np.flatnonzero(kept):
        within = train[starts[k] : stops[k]]
        mean[k] = within.mean()
        if len(within) > 1:
            beside[k] = within[-min(BESIDE, max(1, len(within) // 4)) :].mean()
        half = distances[k] / 2
        low, high = np.searchsorted(centres, [at[k] - half, at[k] + half], side="right")
        corrected[k] = _line_at(centres[low:high], train[low:high], float(at[k]))
    return PairedLosses(at[kept], val[kept], mean[kept], beside[kept], corrected[kept], said)


def _line_at(steps: Floats, values: Floats, where: float) -> float:
    """The straight line of least squares through the values, read at a step; NaN with fewer than two values."""
    if len(steps) < 2:
        return float("nan")
    offsets = steps - steps.mean()
    slope = float(offsets @ values / (offsets @ offsets))
    return float(values.mean() + slope * (where - steps.mean()))


def _of_one_each(steps: Floats, train: Floats, centres: Floats, at: Floats, val: Floats, said: str) -> PairedLosses:
    """One training value, or fewer, for each validation."""
    seen = (at >= steps[0]) & (at <= steps[-1]) if len(steps) else np.zeros(len(at), bool)
    at, val = at[seen], val[seen]
    if not len(at):
        return PairedLosses(at, val, at, at, at, said)
    order = np.argsort(centres, kind="stable")
    corrected = np.interp(at, centres[order], train[order], left=np.nan, right=np.nan)
    return PairedLosses(at, val, np.interp(at, steps, train), np.full(len(at), np.nan), corrected, said)


def _age(steps: Floats, unit: Unit, settings: LossSettings, average: str) -> tuple[Floats, str]:
    """How much older than its step each training value is, in the log's unit, and what it was taken for."""
    per_epoch = settings.steps_per_epoch
    known = "" if settings.train_average else " (not known: give train_average in the recipe)"
    if average == "batch" or len(steps) < 2:
        return np.zeros(len(steps)), f"The training values are taken as losses of single batches{known}."
    if average == "fastai" and (unit == "step" or per_epoch is not None):
        batches = 1.0 if unit == "step" or per_epoch is None else float(per_epoch)
        seen = (steps - min(float(steps[0]), 1.0) + 1) * batches
        age = fastai_age(seen) / batches
        return age, (
            "The training values are fastai's running average, on the whole "
            f"{float(age[-1]):.2g} {unit}{'' if age[-1] == 1 else 's'} old."
        )
    lacking = " (fastai's own average needs steps_per_epoch)" if average == "fastai" else known
    half = float(np.median(np.diff(steps))) / 2
    epoch = 1.0 if unit == "epoch" else per_epoch
    if epoch is not None:
        half = epoch / 2 if settings.train_average == "epoch mean" else min(half, epoch / 2)
    return np.full(len(steps), half), (
        f"The training values are taken as means over the {2 * half:.3g} {unit}{'' if 2 * half == 1 else 's'} before, "
        f"half of that old{lacking}."
    )
