"""Read a training log from CSV: fastai, Keras, Lightning, W&B, or any file with a step or epoch column."""

from __future__ import annotations

from rice_ssl.dynamics.csv_frame import read_frame
from rice_ssl.dynamics.frame_log import log_of_frame
from rice_ssl.dynamics.log_size import MAX_BYTES, refuse_too_large
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.dynamics.wandb_chart import one_run_of_chart
from rice_ssl.errors import InputError


def named_columns(train: str | None, val: str | None) -> dict[str, str]:
    """Column -> split, as the readers take it, from the names that a user gives; blank ones are left out.

    Raises:
        InputError: both are the same column.
    """
    if train and train == val:
        raise InputError(f"Column {train!r} is named for training and for validation: name one for each.")
    return {name: split for name, split in ((train, "train"), (val, "val")) if name}


def parse_csv_log(
    content: bytes,
    *,
    source: str = "The log",
    step_column: str | None = None,
    loss_columns: dict[str, str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> TrainingLog:
    """Read a CSV log: separated by comma, semicolon or tab; UTF-8 or UTF-16; long or wide, or a W&B chart's export.

    Args:
        content: the file's bytes.
        source: its name, for messages.
        step_column: name of the step or epoch column, when it is not recognised by name.
        loss_columns: column name -> split (``train`` or ``val``) of the loss, when not recognised by name.
        max_bytes: largest size that is read.

    Raises:
        InputError: too large, empty, binary, or as :func:`rice_ssl.dynamics.frame_log.log_of_frame`.
    """
    refuse_too_large(source, len(content), max_bytes)
    frame, notes = read_frame(content, source)
    named = {*(loss_columns or {}), *([step_column] if step_column else [])}
    frame, more = one_run_of_chart(frame, named)
    return log_of_frame(frame, source=source, step_column=step_column, loss_columns=loss_columns, notes=(*notes, *more))
