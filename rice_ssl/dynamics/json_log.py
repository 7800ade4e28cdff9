"""Read a training log from JSON: an object a line (W&B's history), a list of objects, or a list for each metric."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from rice_ssl.dynamics.csv_steps import EPOCH_NAMES, STEP_NAMES
from rice_ssl.dynamics.frame_log import log_of_frame
from rice_ssl.dynamics.json_lines import read_json_lines, table_of_records
from rice_ssl.dynamics.log_size import refuse_too_large
from rice_ssl.dynamics.logs import TrainingLog
from rice_ssl.dynamics.metric_names import normal_name
from rice_ssl.errors import InputError

MAX_DOCUMENT_BYTES = 128 * 2**20
"""Largest file that is one JSON value: unlike lines it has to be held whole, in some ten times its size."""


def looks_like_json(text: bytes) -> bool:
    """Whether text begins as an object does, or a list of objects or lists."""
    head = b"".join(text[:4096].split())[:2]
    return head[:1] == b"{" or head in (b"[{", b"[[")


def parse_json_log(
    text: bytes,
    *,
    source: str,
    step_column: str | None = None,
    loss_columns: dict[str, str] | None = None,
) -> TrainingLog:
    """Read a log in JSON.

    Keys of objects within objects are joined by a slash: ``{"train": {"loss": 2}}`` has the key ``train/loss``. Of one
    object the list of objects in it is read (``log_history`` of a trainer's state), or its lists of numbers, one for
    each metric (a Keras history).

    Args:
        text: the file's bytes, UTF-8.
        source: its name, for messages.
        step_column: key of the step or epoch, when it is not recognised by name.
        loss_columns: key -> split (``train`` or ``val``) of the loss, when not recognised by name.

    Raises:
        InputError: no JSON, no rows in it, or as :func:`rice_ssl.dynamics.frame_log.log_of_frame`.
    """
    document = None if is_json_lines(text) else _document(text, source)
    frame, notes = read_json_lines(text, source) if document is None else _document_frame(document, source)
    return log_of_frame(frame, source=source, step_column=step_column, loss_columns=loss_columns, notes=notes)


def is_json_lines(text: bytes) -> bool:
    """Whether text in JSON has an object a line: the first is one, or a later one begins as one."""
    first, _, rest = text[: 2**20].lstrip().partition(b"\n")
    try:
        return bool(rest.strip()) and isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return first.startswith(b"{") and (b"\n{" in rest or len(first) >= 2**16)


def _document(text: bytes, source: str) -> Any:
    """One JSON value, or None when the text is none."""
    if len(text) > MAX_DOCUMENT_BYTES:
        refuse_too_large(f"{source}, one JSON value and no object a line,", len(text), MAX_DOCUMENT_BYTES)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _document_frame(document: Any, source: str) -> tuple[pd.DataFrame, list[str]]:
    records = _records(document)
    if records:
        if len(records) < 2:
            raise InputError(f"{source} holds 1 row: a curve needs at least two.")
        return table_of_records(records, source), []
    columns = {
        str(key): values
        for key, values in (document.items() if isinstance(document, dict) else ())
        if isinstance(values, list) and len(values) >= 2 and not any(isinstance(v, list | dict) for v in values)
    }
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise InputError(
            f"{source} is JSON, but no log: give an object a line, a list of objects, or an object with a list of "
            "numbers of the same length for each metric."
        )
    count = lengths.pop()
    frame = table_of_records([{key: columns[key][row] for key in columns} for row in range(count)], source)
    if any(normal_name(key) in {*STEP_NAMES, *EPOCH_NAMES} for key in columns):
        return frame, []
    return frame.assign(epoch=np.arange(count)), ["Rows were counted as epochs, from 0: no list holds steps."]


def _records(document: Any) -> list[dict[str, Any]]:
    """The list of objects, or the longest that is a value of the object."""
    lists = document.values() if isinstance(document, dict) else [document]
    found = [[row for row in rows if isinstance(row, dict)] for rows in lists if isinstance(rows, list)]
    return max(found, key=len, default=[])
