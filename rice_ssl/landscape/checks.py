"""Four tests of what made a loss drop, each on checkpoints of one training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rice_ssl.evaluation.bootstrap import Interval
from rice_ssl.landscape.curvature import Floats, Hessian, flat, unflat
from rice_ssl.landscape.intervals import batch_interval, series_interval
from rice_ssl.landscape.trajectory import Side, Trajectory


@dataclass(frozen=True)
class LanczosSettings:
    """How curvature is measured.

    Attributes:
        starts: random vectors that Lanczos starts from, on each batch.
        directions: lowest eigenvalues that are looked at.
        tolerance: relative accuracy of the eigenvalues.
        products: most Hessian-vector products for each start.
        seed: of the starts.
    """

    starts: int = 2
    directions: int = 4
    tolerance: float = 1e-3
    products: int = 300
    seed: int = 0


def compare_objectives(
    trajectory: Trajectory, step: int, split: str, *, fall_seen: float | None
) -> dict[str, Any] | None:
    """Loss of a frozen checkpoint on the same batches without and with the event.

    Args:
        trajectory: the training.
        step: of the checkpoint just before the event.
        split: ``train`` or ``val``.
        fall_seen: what the log says that this split's loss fell by, in nats, to be weighed against.

    Returns:
        Without, with, their difference with its interval over batches, and the share of the fall that needs no
        learning; None where the split has no batch.
    """
    trajectory.load(step)
    without, with_event = trajectory.losses(split, "without"), trajectory.losses(split, "with")
    if not without:
        return None
    difference = batch_interval(np.subtract(with_event, without).tolist())
    return {
        "split": split,
        "without": float(np.mean(without)),
        "with": float(np.mean(with_event)),
        "difference": difference.as_dict(),
        "batches": len(without),
        "fall_seen": fall_seen,
        "share": -difference.value / fall_seen if fall_seen is not None and fall_seen > 0 else None,
    }


def compare_continuations(trajectory: Trajectory, step: int, steps: int) -> dict[str, Any] | None:
    """Train on from one checkpoint with and without the event, on the same crops, and compare the second half.

    Args:
        trajectory: the training.
        step: of the checkpoint.
        steps: to train on.

    Returns:
        Both curves and the mean differences (with minus without) over the second half, with an interval; None where
        there is no going on without the event.
    """
    without = trajectory.continuation(step, steps, "without")
    if without is None:
        return None
    with_event = trajectory.continuation(step, steps, "with")
    if with_event is None:
        return None
    late = slice(len(without) // 2, None)
    found: dict[str, Any] = {"steps": [int(number) for number in without["step"]], "difference": {}}
    for side, table in (("with", with_event), ("without", without)):
        found[side] = {name: [float(value) for value in table[name]] for name in ("loss", "reference_loss")}
    for name in ("loss", "reference_loss"):
        gaps = (with_event[name].to_numpy() - without[name].to_numpy())[late]
        found["difference"][name] = series_interval(gaps.tolist()).as_dict()
    return found


def curvature_at(
    trajectory: Trajectory,
    step: int,
    role: str,
    side: Side,
    settings: LanczosSettings,
    *,
    to: int | None = None,
) -> dict[str, Any]:
    """Both ends of the Hessian's spectrum at a checkpoint, gradient norm, and where the training went from there.

    Eigenvalues of one batch's Hessian spread wider than those of all data, which makes the smallest look too small. So
    the curvature along a batch's lowest direction is also measured on the *other* batches (``held_out``): where that is
    negative beyond its interval, the curvature is no accident of a batch.

    Args:
        trajectory: the training.
        step: of the checkpoint.
        role: ``before``, ``after`` or ``control``.
        side: objective whose curvature is measured.
        settings: of Lanczos.
        to: a later checkpoint; the way there is the update that is compared with the lowest directions.

    Source:
        Own. Hessian as in Sagun et al. 2017 (arXiv 1706.04454), Ghorbani et al. 2019 (arXiv 1901.10159).
    """
    update = _update(trajectory, step, to)
    trajectory.load(step)
    trajectory.settle()
    point = [parameter.detach().clone() for parameter in trajectory.parameters()]
    hessians = [Hessian(loss, point) for loss in trajectory.frozen(side)]
    smallest, largest, lowest, shares, cosines = [], [], [], [], []
    spreads = [[0.0], [0.0]]
    directions: list[Floats] = []
    for hessian in hessians:
        found = [
            hessian.extremes(
                lowest=settings.directions,
                tolerance=settings.tolerance,
                most=settings.products,
                seed=settings.seed + start,
            )
            for start in range(settings.starts)
        ]
        ends = [(float(each.lowest[0]), each.largest) for each in found]
        smallest.append(min(low for low, _ in ends))  # a Ritz value lies above the eigenvalue, so the lowest is nearest
        largest.append(max(high for _, high in ends))
        for spread, end in zip(spreads, zip(*ends, strict=True), strict=True):
            spread.append(float(np.ptp(end)) / 2)
        best = min(found, key=lambda each: float(each.lowest[0]))
        lowest.append(best.lowest)
        directions.append(best.directions[0])
        if update is not None:
            downhill = best.directions[best.lowest < 0]
            shares.append(float(((downhill @ update) ** 2).sum()) if len(downhill) else 0.0)
            cosines.append(abs(float(best.directions[0] @ update)))
    few = min(len(values) for values in lowest)
    return {
        "step": step,
        "role": role,
        "objective": side,
        "smallest": batch_interval(smallest, spread=max(spreads[0])).as_dict(),
        "largest": batch_interval(largest, spread=max(spreads[1])).as_dict(),
        "held_out": batch_interval(_held_out(hessians, directions)).as_dict() if len(hessians) > 1 else None,
        "gradient_norm": gradient_norm([hessian.gradient for hessian in hessians]).as_dict(),
        "loss": float(np.mean([hessian.loss for hessian in hessians])),
        "lowest": np.mean([values[:few] for values in lowest], axis=0).tolist(),
        "alignment": None
        if update is None
        else {
            "to": to,
            "cosine": float(np.mean(cosines)),
            "share": float(np.mean(shares)),
            "chance": settings.directions / len(update),
            "directions": settings.directions,
        },
        "products": sum(hessian.products for hessian in hessians),
    }


def losses_between(trajectory: Trajectory, before: int, after: int, *, points: int = 11) -> dict[str, Any]:
    """Loss along the straight line between two checkpoints, under both objectives, on the same batches.

    Statistics of normalisation are estimated anew at every point, and codes are those of the point. What else there is,
    such as a queue, is that of the first checkpoint.

    Args:
        trajectory: the training.
        before: first checkpoint, at 0.
        after: second one, at 1.
        points: on the line, >= 2.

    Source:
        Goodfellow, Vinyals and Saxe 2015 (arXiv 1412.6544).
    """
    trajectory.load(after)
    end = flat(trajectory.parameters())
    trajectory.load(before)
    start = flat(trajectory.parameters())
    fractions = np.linspace(0, 1, points)
    found: dict[str, list[float]] = {"without": [], "with": []}
    for fraction in fractions:
        _place(trajectory.parameters(), start + fraction * (end - start))
        trajectory.settle()
        for side, values in found.items():
            if side == "with" and not trajectory.changes_objective:
                values.append(found["without"][-1])
                continue
            frozen = trajectory.frozen("with" if side == "with" else "without")
            values.append(float(np.mean([float(loss(trajectory.parameters()).detach()) for loss in frozen])))
    return {"before": before, "after": after, "fraction": fractions.tolist(), **found}


def gradient_norm(gradients: Sequence[Floats]) -> Interval:
    """Norm of the gradient that batches have in common.

    The mean of products of *different* batches' gradients is the squared norm of the expected gradient, without the
    noise of a batch that a mean of norms would count in. Below 0 it counts as 0.

    Args:
        gradients: one of each batch, each of shape (n,); with one batch, its norm.
    """
    if len(gradients) == 1:
        return batch_interval([float(np.linalg.norm(gradients[0]))])
    total = np.sum(gradients, axis=0)
    squares = [float(own @ (total - own)) / (len(gradients) - 1) for own in gradients]
    mean = batch_interval(squares)
    return Interval(*(float(np.sqrt(max(0.0, square))) for square in (mean.value, mean.low, mean.high)))


def _held_out(hessians: Sequence[Hessian], directions: Sequence[Floats]) -> list[float]:
    """Curvature along each batch's lowest direction, as the other batches have it: their mean."""
    return [
        float(np.mean([vector @ (other @ vector) for other in _others(hessians, number)]))
        for number, vector in enumerate(directions)
    ]


def _others(hessians: Sequence[Hessian], number: int) -> Iterator[Hessian]:
    return (hessian for k, hessian in enumerate(hessians) if k != number)


def _update(trajectory: Trajectory, step: int, to: int | None) -> npt.NDArray[np.float64] | None:
    """Direction from one checkpoint to another, of length 1; None where there is none."""
    if to is None:
        return None
    trajectory.load(to)
    there = flat(trajectory.parameters())
    trajectory.load(step)
    way = there - flat(trajectory.parameters())
    length = float(np.linalg.norm(way))
    return way / length if length else None


def _place(parameters: Sequence[Tensor], vector: Floats) -> None:
    """Put a vector into the parameters."""
    for parameter, value in zip(parameters, unflat(vector, parameters), strict=True):
        parameter.data.copy_(value)
