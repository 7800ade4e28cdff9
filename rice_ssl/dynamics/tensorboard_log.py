"""Read a training log from TensorBoard event files: one, or a folder of them as Keras and PyTorch write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from rice_ssl.dynamics.csv_steps import EPOCH_NAMES, STEP_NAMES
from rice_ssl.dynamics.frame_log import free_name
from rice_ssl.dynamics.logs import RawCurve, TrainingLog, tidy_curves
from rice_ssl.dynamics.metric_names import normal_name
from rice_ssl.dynamics.tensorboard_choice import Choice, Tag, choose_tags, named_in_full, shown
from rice_ssl.dynamics.tensorboard_scalars import EventFile, Scalars, read_scalars
from rice_ssl.errors import InputError

COUNTERS = {*STEP_NAMES, *EPOCH_NAMES}


def parse_event_log(
    files: Iterable[tuple[str, str, bytes]],
    *,
    source: str,
    step_column: str | None = None,
    loss_columns: Mapping[str, str] | None = None,
) -> TrainingLog:
    """Read the scalars of event files.

    Files of one folder are taken in the order of their first records' times, as after a resume. Where one says that
    its session began at a step, as PyTorch's ``purge_step`` does, earlier values from that step on are left out.

    Args:
        files: of each its folder ("." for the one that was named), its name and its bytes.
        source: what to call the log in messages.
        step_column: must be None or ``step``, as event files count their own steps.
        loss_columns: tag -> split (``train`` or ``val``) of the loss, when not recognised by name; in a folder with
            the folder before it, such as ``validation/epoch_loss``.

    Raises:
        InputError: nothing whole or no scalar in the files, or a named tag is not there.
    """
    if step_column is not None and normal_name(step_column) not in STEP_NAMES:
        raise InputError(
            f"{source} is of TensorBoard, which counts steps itself: leave out the step column {step_column!r}."
        )
    notes: list[str] = []
    by_folder: dict[str, list[tuple[str, EventFile]]] = {}
    for folder, name, content in files:
        found = read_scalars(content)
        notes += _file_notes(name, found)
        by_folder.setdefault(folder, []).append((name, found))
    tags: list[Tag] = []
    resumes: list[float] = []
    for folder, parts in by_folder.items():
        merged = _merged([part for _, part in sorted(parts, key=lambda part: (part[1].first_time, part[0]))])
        tags += _tags_of(merged, folder, notes, resumes)
    if not tags:
        raise InputError(_no_scalars(source, [found for parts in by_folder.values() for _, found in parts]))
    named = named_in_full(loss_columns or {}, tags, source)
    choice = choose_tags(tags, named, source)
    notes += choice.notes
    curves = _curves(choice, named, notes)
    if not curves:
        raise InputError(
            f"{source} holds no tag with two finite numbers, and a curve needs two: its tags are "
            f"{shown([tag.full for tag in tags])}."
        )
    return tidy_curves(curves, source=source, unit=choice.unit, notes=tuple(notes), resumes=tuple(resumes))


def _file_notes(name: str, found: EventFile) -> list[str]:
    notes = []
    if not found.whole and found.records:
        whole = f"{found.records:,} whole record{'' if found.records == 1 else 's'}"
        notes.append(f"{name} is cut off or damaged after {whole}: what follows was left out.")
    if found.damaged:
        notes.append(f"{found.damaged:,} damaged record{'' if found.damaged == 1 else 's'} of {name} left out.")
    return notes


def _no_scalars(source: str, files: list[EventFile]) -> str:
    if any(not found.whole or found.damaged for found in files):
        return f"{source} is cut off or damaged before its first scalar, so nothing of it can be read: copy it again."
    return f"{source} holds no scalars: give the event file to which the loss is logged."


def _merged(files: list[EventFile]) -> EventFile:
    """Files of one folder as one, each after the other."""
    if len(files) == 1:
        return files[0]
    parts: dict[str, list[Scalars]] = {}
    whole = EventFile()
    for found in files:
        for tag, rows in found.tags.items():
            parts.setdefault(tag, []).append(Scalars(rows.order + whole.records, rows.steps, rows.values))
        whole.starts += [(number + whole.records, step) for number, step in found.starts]
        whole.records += found.records
    whole.tags = {
        tag: Scalars(
            np.concatenate([rows.order for rows in many]),
            np.concatenate([rows.steps for rows in many]),
            np.concatenate([rows.values for rows in many]),
        )
        for tag, many in parts.items()
    }
    return whole


def _tags_of(found: EventFile, folder: str, notes: list[str], resumes: list[float]) -> list[Tag]:
    """Tags of a folder, without what a later session replaced."""
    replaced: dict[int, int] = {}
    tags = []
    for tag, rows in found.tags.items():
        stale = np.zeros(len(rows.steps), np.bool_)
        for number, step in found.starts:
            old = (rows.order < number) & (rows.steps >= step) & ~stale
            replaced[step] = replaced.get(step, 0) + int(old.sum())
            if ((rows.order < number) & (rows.steps < step)).any() or old.any():
                resumes.append(float(step))
            stale |= old
        kept = rows if not stale.any() else Scalars(rows.order[~stale], rows.steps[~stale], rows.values[~stale])
        tags.append(Tag(tag if folder == "." else f"{folder}/{tag}", tag, folder, kept))
    for step, count in replaced.items():
        if count:
            values = f"{count:,} value{'' if count == 1 else 's'}"
            notes.append(f"{values} left out: the training was taken up again at step {step:,}.")
    return tags


def _curves(choice: Choice, named: Mapping[str, str], notes: list[str]) -> list[RawCurve]:
    """Curves of the chosen tags, the named ones first; those with fewer than two finite numbers are left out."""
    curves: list[RawCurve] = []
    taken: set[tuple[str, str]] = set()
    for tag in sorted(choice.tags, key=lambda tag: (tag.full not in named, tag.full)):
        meaning = choice.meanings[tag.full]
        metric, split = ("loss", named[tag.full]) if tag.full in named else (meaning.metric, meaning.split)
        if tag.full not in named and normal_name(tag.tag) in COUNTERS:
            continue
        finite = np.isfinite(tag.scalars.values)
        count, lost = int(finite.sum()), int((~finite).sum())
        if count < 2:
            if "loss" in metric.split("_"):
                many = f"{count} usable number{'' if count == 1 else 's'}"
                notes.append(f"Tag {tag.full!r} left out: it holds {many}, and a curve needs two.")
            continue
        if lost:
            values = f"{lost:,} value{'' if lost == 1 else 's'}"
            notes.append(f"{values} of tag {tag.full!r} left out: not a finite number (NaN or Inf).")
        name = free_name(metric, split, normal_name(tag.full), taken)
        curves.append(RawCurve(name, split, tag.scalars.steps[finite], tag.scalars.values[finite]))
    return curves
