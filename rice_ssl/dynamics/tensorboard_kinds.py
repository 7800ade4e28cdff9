"""Kinds of records of TensorBoard: those that differ in time, step and value alone, and where these are in them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_TIME = slice(0, 9)
_STEP_FIELD = 0x10

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Kind:
    """Records that differ in time, step and value alone.

    Attributes:
        example: bytes of one.
        fixed: which bytes all have in common, shape (L,).
        step_bytes: number of bytes of the step, 0 where it is left out as it is 0.
        values: tag, first byte and number type of each value.
    """

    example: Bytes
    fixed: npt.NDArray[np.bool_]
    step_bytes: int
    values: tuple[tuple[str, int, str], ...]

    def among(self, rows: Bytes) -> npt.NDArray[np.bool_]:
        """Which rows are of this kind."""
        same = (rows[:, self.fixed] == self.example[self.fixed]).all(axis=1)
        if self.step_bytes:
            step = rows[:, 10 : 10 + self.step_bytes]
            same &= (step[:, :-1] >= 0x80).all(axis=1) & (step[:, -1] < 0x80)
        return np.asarray(same, np.bool_)

    def steps_of(self, rows: Bytes) -> Floats:
        """Steps of rows of this kind: integers of seven bits a byte, the lowest first."""
        steps = np.zeros(len(rows), np.uint64)
        for number in range(self.step_bytes):
            steps |= (rows[:, 10 + number].astype(np.uint64) & np.uint64(0x7F)) << np.uint64(7 * number)
        return steps.view(np.int64).astype(np.float64)


def scalar_of(value: Any) -> float | None:
    """The number of a summary's value; None when it is no single number."""
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    if kind != "tensor" or any(size.size != 1 for size in value.tensor.tensor_shape.dim):
        return None
    if value.metadata.plugin_data.plugin_name not in ("", "scalars"):
        return None
    from tensorboard.util import tensor_util

    try:
        array = tensor_util.make_ndarray(value.tensor)
    except (TypeError, ValueError):
        return None
    if array.size != 1 or array.dtype.kind not in "fiu":
        return None
    return float(array.reshape(()))


def kind_of(record: Bytes, event: Any) -> Kind | None:
    """What records like this one have in common; None when that cannot be told for certain."""
    if len(record) < 12 or record[0] != 0x09:
        return None
    fixed = np.ones(len(record), np.bool_)
    fixed[_TIME] = False
    step_bytes = 0
    if record[9] == _STEP_FIELD:
        step_bytes = int(np.argmax(record[10:20] < 0x80)) + 1
        fixed[10 : 10 + step_bytes] = False
    values: list[tuple[str, int, str]] = []
    for number, value in enumerate(event.summary.value):
        place = _place_of(record, event, number)
        if place is None:
            return None
        start, form = place
        fixed[start : start + np.dtype(form).itemsize] = False
        values.append((value.tag, start, form))
    return Kind(record, fixed, step_bytes, tuple(values))


def _place_of(record: Bytes, event: Any, number: int) -> tuple[int, str] | None:
    """First byte and type of a value in its record: where other bytes give another value, and change nothing else."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2

    value = event.summary.value[number]
    scalar = scalar_of(value)
    text = record.tobytes()
    for form, code in (("<f4", "<f"), ("<f8", "<d")):
        try:
            sought = struct.pack(code, scalar)
        except OverflowError:
            continue
        other = struct.pack(code, 1.5 if scalar != 1.5 else 2.5)
        start = text.find(sought, 9)
        while start >= 0:
            try:
                changed = event_pb2.Event.FromString(text[:start] + other + text[start + len(other) :])
            except DecodeError:
                changed = None
            if changed is not None and _differs_only_in(event, changed, number, struct.unpack(code, other)[0]):
                return start, form
            start = text.find(sought, start + 1)
    return None


def _differs_only_in(event: Any, changed: Any, number: int, expected: float) -> bool:
    """Whether an event is another in nothing but one value, which is as expected."""
    if len(changed.summary.value) != len(event.summary.value) or scalar_of(changed.summary.value[number]) != expected:
        return False
    changed.summary.value[number].CopyFrom(event.summary.value[number])
    return bool(changed.SerializeToString(deterministic=True) == event.SerializeToString(deterministic=True))
