"""Scalars of TensorBoard event files: tag, step and value of each, in the order in which they were written.

Records are decoded by the tensorboard package. As a training writes the same few records over and over, only one of
each kind is: others of its length that differ from it in nothing but time, step and value are read by their bytes.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from rice_ssl.dynamics.tensorboard_kinds import Bytes, Floats, Kind, kind_of, scalar_of
from rice_ssl.dynamics.tensorboard_records import FOOT, find_records, masked_crc

BLOCK = 2**15
"""Records that are looked at together."""
MAX_KINDS = 64
"""Kinds of one length that are kept; further ones are decoded one by one."""
MAX_BLOCK_BYTES = 2**26
MAX_CHECKED_BYTES = 512
"""Longer records, such as histograms and images, are decoded without a look at their sum, which would take long."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scalars:
    """Rows of one tag.

    Attributes:
        order: number of each row's record in the file, shape (N,), rising.
        steps: shape (N,).
        values: shape (N,).
    """

    order: Ints
    steps: Floats
    values: Floats


@dataclass
class EventFile:
    """What an event file holds.

    Attributes:
        tags: of scalars.
        starts: number of a record that says that a session began, and the step at which it did.
        first_time: seconds since 1970 of the first record, 0 when there is none.
        records: number of whole records.
        damaged: records that were left out, as their sum is wrong.
        whole: whether the file ends where a record does.
    """

    tags: dict[str, Scalars] = field(default_factory=dict)
    starts: list[tuple[int, int]] = field(default_factory=list)
    first_time: float = 0.0
    records: int = 0
    damaged: int = 0
    whole: bool = True


class _Rows:
    """Rows of each tag as they are found."""

    def __init__(self) -> None:
        self.parts: dict[str, list[tuple[Ints, Floats, Floats]]] = defaultdict(list)
        self.single: dict[str, list[tuple[int, float, float]]] = defaultdict(list)

    def scalars(self) -> dict[str, Scalars]:
        """All rows of each tag, in the order of the file."""
        found = {}
        for tag in [*self.parts, *(tag for tag in self.single if tag not in self.parts)]:
            parts = list(self.parts.get(tag, ()))
            if self.single.get(tag):
                order, steps, values = zip(*self.single[tag], strict=True)
                parts.append((np.array(order, np.int64), np.array(steps, np.float64), np.array(values, np.float64)))
            columns = [np.concatenate([part[number] for part in parts]) for number in range(3)]
            by_order = np.argsort(columns[0], kind="stable")
            found[tag] = Scalars(*(column[by_order] for column in columns))
        return found


def read_scalars(content: bytes) -> EventFile:
    """Read the scalars of an event file, as far as it is whole.

    Args:
        content: the file's bytes.
    """
    records = find_records(content)
    found = EventFile(records=len(records.starts), whole=records.whole)
    rows = _Rows()
    letters = np.frombuffer(content, np.uint8)
    by_length = np.argsort(records.lengths, kind="stable")
    changes = np.flatnonzero(np.diff(records.lengths[by_length])) + 1
    for numbers in np.split(by_length, changes) if len(by_length) else ():
        length = int(records.lengths[numbers[0]])
        windows = np.lib.stride_tricks.sliding_window_view(letters, length + FOOT)
        kinds: list[Kind] = []
        block = max(1, min(BLOCK, MAX_BLOCK_BYTES // (length + FOOT)))
        for first in range(0, len(numbers), block):
            here = numbers[first : first + block]
            data = windows[records.starts[here]]
            if length <= MAX_CHECKED_BYTES:
                right = masked_crc(data[:, :-FOOT]) == np.ascontiguousarray(data[:, -FOOT:]).view("<u4")[:, 0]
                found.damaged += int((~right).sum())
                data, here = data[right], here[right]
            _read_block(data[:, :-FOOT], here, kinds, rows, found)
    found.tags = rows.scalars()
    found.starts.sort()
    return found


def _read_block(data: Bytes, numbers: Ints, kinds: list[Kind], rows: _Rows, found: EventFile) -> None:
    """Read records of one length: those of a known kind together, of the others one to learn its kind."""
    for kind in kinds:
        data, numbers = _take(kind, data, numbers, rows)
    while len(data):
        learn = len(data) > 1 and len(kinds) < MAX_KINDS
        learnt = _read_one(data[0], int(numbers[0]), rows, found, learn=learn)
        data, numbers = data[1:], numbers[1:]
        if learnt is not None:
            kinds.append(learnt)
            data, numbers = _take(learnt, data, numbers, rows)


def _take(kind: Kind, data: Bytes, numbers: Ints, rows: _Rows) -> tuple[Bytes, Ints]:
    """Read the rows that are of a kind, and give back the others."""
    same = kind.among(data)
    if not same.any():
        return data, numbers
    taken = data[same]
    steps = kind.steps_of(taken)
    for tag, place, form in kind.values:
        size = np.dtype(form).itemsize
        values = np.ascontiguousarray(taken[:, place : place + size]).view(form)[:, 0].astype(np.float64)
        rows.parts[tag].append((numbers[same], steps, values))
    return data[~same], numbers[~same]


def _read_one(record: Bytes, number: int, rows: _Rows, found: EventFile, *, learn: bool) -> Kind | None:
    """Read one record, and learn its kind if it is of scalars alone."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2

    try:
        event = event_pb2.Event.FromString(record.tobytes())
    except DecodeError:
        found.damaged += 1
        return None
    if number == 0:
        found.first_time = float(event.wall_time)
    if event.HasField("session_log") and event.session_log.status == event_pb2.SessionLog.START:
        found.starts.append((number, int(event.step)))
    values = [(value.tag, scalar_of(value)) for value in event.summary.value]
    for tag, scalar in values:
        if scalar is not None:
            rows.single[tag].append((number, float(event.step), scalar))
    if not learn or not values or any(scalar is None for _, scalar in values):
        return None
    return kind_of(record, event)
