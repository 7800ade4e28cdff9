"""Read a training log, whatever program wrote it; its kind is told by what it holds, not by its name."""

from __future__ import annotations

from pathlib import Path

from rice_ssl.dynamics.csv_frame import numbers_of, read_frame, utf8
from rice_ssl.dynamics.csv_log import parse_csv_log
from rice_ssl.dynamics.foreign_files import refuse_foreign
from rice_ssl.dynamics.json_lines import read_json_lines
from rice_ssl.dynamics.json_log import is_json_lines, looks_like_json, parse_json_log
from rice_ssl.dynamics.log_size import HEAD_BYTES, MAX_BYTES, read_bytes, refuse_too_large
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.dynamics.tensorboard_folder import MARK, read_event_folder
from rice_ssl.dynamics.tensorboard_log import parse_event_log
from rice_ssl.dynamics.tensorboard_records import is_event_file
from rice_ssl.errors import InputError

LARGE = 2**25
"""Bytes from which on a text's head is read first, as reading all of what is no log would take long."""


def read_log(
    path: Path,
    *,
    step_column: str | None = None,
    loss_columns: dict[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> TrainingLog:
    """Read a log from disk; see :func:`parse_log`.

    Args:
        path: of a file, or of a folder with TensorBoard event files within it.
        step_column: name of the step or epoch column, when it is not recognised by name.
        loss_columns: name of a column, key or tag -> split (``train`` or ``val``) of the loss.
        max_bytes: largest log that is read, all files of a folder together.

    Raises:
        InputError: the file is missing, may not be read or is too large, a folder holds no log, or as
            :func:`parse_log`.
    """
    if path.is_dir():
        return parse_event_log(
            read_event_folder(path, max_bytes), source=str(path), step_column=step_column, loss_columns=loss_columns
        )
    head = read_bytes(path, max_bytes, limit=HEAD_BYTES)
    _refuse_at_once(head, path.name, path.stat().st_size)
    return _parse(read_bytes(path, max_bytes), path.name, step_column, loss_columns)


def parse_log(
    content: bytes,
    source: str = "The log",
    *,
    step_column: str | None = None,
    loss_columns: dict[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> TrainingLog:
    """Read a log from its bytes.

    Read are CSV (of fastai, Keras, Lightning, W&B's history and charts, or any with a step or epoch column), JSON (an
    object a line, as W&B's history, or a list of objects), and TensorBoard's event files.

    Args:
        content: the file's bytes.
        source: its name, for messages.
        step_column: name of the step or epoch column, when it is not recognised by name.
        loss_columns: name of a column, key or tag -> split (``train`` or ``val``) of the loss.
        max_bytes: largest log that is read.

    Raises:
        InputError: too large, empty, no log that is known, or nothing usable in it; one sentence with the remedy.
    """
    refuse_too_large(source, len(content), max_bytes)
    _refuse_at_once(content[:HEAD_BYTES], source, len(content))
    return _parse(content, source, step_column, loss_columns)


def _parse(content: bytes, source: str, step_column: str | None, loss_columns: dict[str, str] | None) -> TrainingLog:
    refuse_foreign(content, source)
    if is_event_file(content) or _was_event_file(content, source):
        files = [(".", source, content)]
        return parse_event_log(files, source=source, step_column=step_column, loss_columns=loss_columns)
    text = utf8(content, source)
    del content
    if looks_like_json(text):
        return parse_json_log(text, source=source, step_column=step_column, loss_columns=loss_columns)
    return parse_csv_log(text, source=source, step_column=step_column, loss_columns=loss_columns)


def _was_event_file(content: bytes, source: str) -> bool:
    """Whether a file that does not begin as an event file was one, before it was damaged."""
    return bool(content) and (MARK in source or b"brain.Event:" in content[:64])


def _refuse_at_once(head: bytes, source: str, size: int) -> None:
    """Refuse a large text that is no log by its first lines.

    Of a log at least two columns have numbers there: the steps, and one curve.

    Args:
        head: the first bytes.
        source: name of the file, for messages.
        size: of the file, in bytes.

    Raises:
        InputError: no table, or too few columns of numbers.
    """
    if size < LARGE or is_event_file(head) or b"\0" in head:
        return
    refuse_foreign(head, source)
    text = utf8(head[: head.rfind(b"\n") + 1] or head, source)
    if looks_like_json(text):
        if not is_json_lines(text):
            return
        frame, _ = read_json_lines(text, source)
    else:
        frame, _ = read_frame(text, source)
    if sum(int(numbers_of(frame[column])[0].count()) > 1 for column in frame.columns) < 2:
        raise InputError(
            f"{source} is text without numbers in its first {len(text) / 2**20:.0f} MB, so it is no log: give a CSV "
            "with a step or epoch column and a loss."
        )
