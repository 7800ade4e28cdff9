"""Which tags of TensorBoard make one log: those of one run, that all count steps or all count epochs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rice_ssl.dynamics.frame_log import refuse_unknown
from rice_ssl.dynamics.logs import Unit
from rice_ssl.dynamics.tensorboard_scalars import Scalars
from rice_ssl.dynamics.tensorboard_tags import Meaning, meaning_of, run_of
from rice_ssl.errors import InputError


@dataclass(frozen=True)
class Tag:
    """Scalars of one tag of one folder.

    Attributes:
        full: the tag after its folder, as a user names it.
        tag: as it was written.
        folder: of the event files, "." for the one that was named.
        scalars: in the order in which they were written.
    """

    full: str
    tag: str
    folder: str
    scalars: Scalars


@dataclass(frozen=True)
class Choice:
    """Tags that make one log.

    Attributes:
        tags: that were chosen.
        meanings: of each, by its full name.
        unit: what all of them count.
        notes: sentences on what was left out.
    """

    tags: tuple[Tag, ...]
    meanings: Mapping[str, Meaning]
    unit: Unit
    notes: tuple[str, ...]


def named_in_full(named: Mapping[str, str], tags: list[Tag], source: str) -> dict[str, str]:
    """Full name -> split of the tags that a user names; the folder may be left out where one folder has that tag.

    Raises:
        InputError: a tag is not there.
    """
    full = {}
    for name, split in named.items():
        same = [tag.full for tag in tags if tag.tag == name]
        full[same[0] if len(same) == 1 and name not in {tag.full for tag in tags} else name] = split
    refuse_unknown(full, [tag.full for tag in tags], source, "tag")
    return full


def choose_tags(tags: list[Tag], named: Mapping[str, str], source: str) -> Choice:
    """Choose the run, and the unit, of the tags that the user names; else the first run with a loss.

    Args:
        tags: of all folders.
        named: full name -> split, as the user gives them; may be empty.
        source: of the log, for messages.

    Raises:
        InputError: of the named tags one counts epochs and one steps.
    """
    meanings = {tag.full: meaning_of(tag.tag, tag.folder) for tag in tags}
    runs = {tag.full: run_of(tag.folder) for tag in tags}
    units = {meanings[name].unit for name in named}
    if len(units) > 1:
        raise InputError(f"Of the tags {shown(list(named))} of {source} one counts epochs, one steps: name two alike.")
    notes = []
    wanted = next((runs[name] for name in named), None) or _first_with_loss(meanings, runs)
    others = sorted({run for run in runs.values() if run != wanted})
    if others:
        notes.append(
            f"The folder holds {len(others) + 1} runs: {wanted!r} was read, and not {shown(others)}. "
            "Give the folder of another to read that."
        )
    here = [tag for tag in tags if runs[tag.full] == wanted or tag.full in named]
    unit = units.pop() if units else _unit_with_most_losses([meanings[tag.full] for tag in here])
    left_out = [tag.full for tag in here if meanings[tag.full].unit != unit]
    if left_out:
        other = "steps" if unit == "epoch" else "epochs"
        notes.append(f"Left out, as they count {other}: {shown(left_out)}. Name them to read them.")
    chosen = tuple(tag for tag in here if meanings[tag.full].unit == unit)
    return Choice(chosen, meanings, unit, tuple(notes))


def shown(names: Collection[str]) -> str:
    """The first names, for a message."""
    names = list(names)
    return ", ".join(repr(name[:60]) for name in names[:8]) + (", …" if len(names) > 8 else "")


def _first_with_loss(meant: dict[str, Meaning], runs: dict[str, str]) -> str:
    with_loss = sorted({runs[full] for full, meaning in meant.items() if meaning.metric == "loss"})
    return (with_loss or sorted(set(runs.values())))[0]


def _unit_with_most_losses(meanings: list[Meaning]) -> Unit:
    """Steps, unless more curves of the loss count epochs, or there is nothing else."""
    losses = {
        unit: len({meaning.split for meaning in meanings if meaning.unit == unit and meaning.metric == "loss"})
        for unit in ("step", "epoch")
    }
    only_epochs = all(meaning.unit == "epoch" for meaning in meanings)
    return "epoch" if only_epochs or losses["epoch"] > losses["step"] else "step"
