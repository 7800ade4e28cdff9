"""All tests around one drop, in pieces that are kept, so that a long examination may be interrupted and taken up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tqdm import tqdm

from rice_ssl.errors import InputError
from rice_ssl.landscape.checks import (
    LanczosSettings,
    compare_continuations,
    compare_objectives,
    curvature_at,
    losses_between,
)
from rice_ssl.landscape.trajectory import Side, Trajectory
from rice_ssl.training.interrupt import stop_on_signal

Piece = tuple[str, Callable[[], Any]]
Save = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Places:
    """Kept checkpoints that are examined: just before the drop or its event, past it, and away from it."""

    before: int
    after: int
    controls: tuple[int, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"before": self.before, "after": self.after, "controls": list(self.controls)}


def choose_places(kept: Sequence[int], low: float, high: float, event: float | None, *, controls: int = 2) -> Places:
    """Choose checkpoints around a drop.

    Args:
        kept: steps before which checkpoints were kept, rising.
        low: low end of the drop's interval.
        high: high end; with an event the first checkpoint past it is enough, as its effect is looked for.
        event: step of the event under test; None for none.
        controls: checkpoints away from the drop that are wanted, half of them on either side.

    Raises:
        InputError: no checkpoint was kept on one side of the drop.
    """
    start = low if event is None else event
    earlier = [step for step in kept if step <= start]
    later = [step for step in kept if step > start and (event is not None or step >= high)]
    if not earlier or not later:
        where = "before" if not earlier else "after"
        raise InputError(
            f"No checkpoint was kept {where} the drop at steps {low:,g} to {high:,g} (kept: "
            f"{', '.join(f'{step:,}' for step in kept)}): train anew with a higher pretrain.keep_checkpoints."
        )
    before, after = earlier[-1], later[0]
    # The first checkpoint is of random weights, which are like no other place of a training.
    sides = ([step for step in earlier[:-1] if step > 0], later[1:])
    chosen = [step for side in sides for step in _spread(side, max(1, controls // 2))]
    return Places(before, after, tuple(chosen))


def examine(
    trajectory: Trajectory,
    places: Places,
    *,
    fall_seen: Mapping[str, float | None],
    lanczos: LanczosSettings,
    continue_steps: int,
    event: float | None,
    done: Mapping[str, Any] | None = None,
    save: Save | None = None,
    show: bool = True,
) -> dict[str, Any] | None:
    """Make all tests.

    Args:
        trajectory: the training.
        places: checkpoints to look at.
        fall_seen: fall of each split's loss in the log, in nats; None where unknown.
        lanczos: how curvature is measured.
        continue_steps: length of the continuations.
        event: step of the event; None for none.
        done: pieces made before, as ``save`` was given them.
        save: told of all pieces after each; none where they need not be kept.
        show: whether to show a progress bar.

    Returns:
        Keys objective, continuations, curvature and line; None where SIGINT or SIGTERM came; what was made by
        then is kept.
    """
    made = dict(done or {})
    pieces = list(_pieces(trajectory, places, fall_seen, lanczos, continue_steps, event))
    bar = tqdm(pieces, desc="tests", unit="test", disable=not show)
    with stop_on_signal() as stop, bar:
        for name, make in bar:
            bar.set_postfix_str(name)
            if name in made:
                continue
            try:
                made[name] = make()
            except KeyboardInterrupt:
                return None
            if save is not None:
                save(made)
            if stop.asked:
                return None

    def named(kind: str) -> list[Any]:
        return [made[name] for name, _ in pieces if name.startswith(kind) and made[name] is not None]

    return {
        "objective": named("objective"),
        "continuations": made["continuations"],
        "curvature": sorted(named("curvature"), key=lambda entry: int(entry["step"])),
        "line": made["line"],
    }


def _pieces(
    trajectory: Trajectory,
    places: Places,
    fall_seen: Mapping[str, float | None],
    lanczos: LanczosSettings,
    continue_steps: int,
    event: float | None,
) -> Iterator[Piece]:
    """Name and maker of each test, the quick ones first."""
    for split in ("val", "train"):
        yield (
            f"objective {split}",
            partial(compare_objectives, trajectory, places.before, split, fall_seen=fall_seen.get(split)),
        )
    yield "line", partial(losses_between, trajectory, places.before, places.after)
    yield "continuations", partial(compare_continuations, trajectory, places.before, continue_steps)
    roles = {places.before: "before", places.after: "after", **dict.fromkeys(places.controls, "control")}
    for step, role in roles.items():
        past = trajectory.changes_objective and event is not None and step > event
        side: Side = "with" if past else "without"
        to = places.after if role == "before" else next((kept for kept in trajectory.kept if kept > step), None)
        yield f"curvature {step}", partial(curvature_at, trajectory, step, role, side, lanczos, to=to)


def _spread(steps: Sequence[int], count: int) -> list[int]:
    """So many of the steps, evenly spread."""
    return [steps[(2 * k + 1) * len(steps) // (2 * count)] for k in range(min(count, len(steps)))]
