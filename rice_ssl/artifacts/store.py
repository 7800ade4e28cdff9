"""Read and write a run directory: versioned, atomic, hashed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from rice_ssl.artifacts.files import atomic_path, locked, sha256_file
from rice_ssl.artifacts.info import BusyError, NewerSchemaError, RunInfo
from rice_ssl.artifacts.schema import DOCUMENTS, SCHEMA_VERSION, TABLES, Table
from rice_ssl.errors import ArtifactError

RUN_FILE, EVENTS_FILE, CAMS_FILE = "run.json", "events.jsonl", "cams/cams.npy"
_LOCK_FILE = "cache/lock"


class RunStore:
    """One run directory.

    Args:
        root: the directory; it need not exist yet (see :meth:`create`).
    """

    def __init__(self, root: Path) -> None:
        """Name the directory; nothing is read yet."""
        self.root = Path(root)

    @property
    def exists(self) -> bool:
        """Whether there is a ``run.json``."""
        return (self.root / RUN_FILE).is_file()

    def create(self, info: dict[str, Any]) -> None:
        """Start a run directory with what ``run.json`` shall hold besides version, stages and hashes."""
        self._write_json(RUN_FILE, {"schema_version": SCHEMA_VERSION, "stages": {}, "hashes": {}, **info})

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing to this run meanwhile.

        Raises:
            BusyError: another process is writing to it.
        """
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(self.root / _LOCK_FILE))
            except BlockingIOError:
                raise BusyError(
                    f"Another process is at work on {self.root}: wait for it, or name another run directory."
                ) from None
            yield

    def clear_leftovers(self) -> None:
        """Remove what a killed training had written to temporary names; only for who alone writes to this run."""
        names = (RUN_FILE, EVENTS_FILE, TABLES["metrics"].file)
        found = [path for name in names for path in self.root.glob(f".{name}.*.part")]
        for path in [*found, *(self.root / "weights").glob(".*.part")]:
            path.unlink(missing_ok=True)

    def info(self) -> RunInfo:
        """Contents of ``run.json``.

        Raises:
            ArtifactError: there is none, it is not JSON, or its schema version is another one.
        """
        path = self.root / RUN_FILE
        if not self.root.is_dir():
            raise ArtifactError(f"There is no run directory at {self.root}. Make one with `rice-ssl run CONFIG`.")
        if not path.is_file():
            raise ArtifactError(f"{self.root} holds no run.json. Make a run with `rice-ssl run CONFIG`.")
        info = RunInfo(self._read_json(path, "rice-ssl run CONFIG"))
        found = info.get("schema_version")
        told = f"{path} has schema version {found!r}, this version reads {SCHEMA_VERSION}."
        if isinstance(found, int) and found > SCHEMA_VERSION:
            raise NewerSchemaError(f"{told} Update rice_ssl.")
        if found != SCHEMA_VERSION:
            raise ArtifactError(f"{told} Make the run anew with `rice-ssl run CONFIG`.")
        for field in ("stages", "hashes"):
            if not isinstance(info.setdefault(field, {}), dict):
                raise ArtifactError(f"{path} holds no table {field!r}. Make the run anew with `rice-ssl run CONFIG`.")
        return info

    def update_info(self, **changes: Any) -> None:
        """Replace top-level fields of ``run.json``."""
        self._write_json(RUN_FILE, {**self.info(), **changes})

    def finish_stage(self, stage: str, fingerprint: str, **details: Any) -> None:
        """Note in ``run.json`` that a stage is done, and of which inputs (``fingerprint``)."""
        stages = self.info()["stages"]
        self.update_info(stages={**stages, stage: {"fingerprint": fingerprint, **details}})

    # -- tables ---------------------------------------------------------------------------------------------------

    def has(self, name: str) -> bool:
        """Whether a table, or a JSON document, is there."""
        return (self.root / TABLES[name].file).is_file() if name in TABLES else self.has_document(name)

    def has_document(self, name: str) -> bool:
        """Whether a JSON document is there; a table may bear the same name."""
        return (self.root / f"{name}.json").is_file()

    def read_table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read a table, or some of its columns.

        Raises:
            ArtifactError: the file is missing, damaged, was changed after it was written, or lacks a column.
        """
        arrow = self._read_arrow(TABLES[name], columns)
        frame: pd.DataFrame = arrow.to_pandas()
        return frame

    def read_vectors(self, name: str, column: str) -> npt.NDArray[np.float32] | None:
        """Read a vector column as one array, shape (rows, D); None when every row is null.

        Raises:
            ArtifactError: as :meth:`read_table`; or the vectors differ in length.
        """
        table = TABLES[name]
        data = self._read_arrow(table, [column]).column(column).combine_chunks()
        if len(data) == 0 or data.null_count == len(data):
            return None
        flat = data.flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        if data.null_count or flat.size % len(data):
            raise ArtifactError(
                f"Column {column!r} of {self.root / table.file} has vectors of different lengths. "
                f"Make it anew with `{self._command(table.made_by)}`."
            )
        vectors: npt.NDArray[np.float32] = flat.reshape(len(data), -1)
        return vectors

    def write_table(self, name: str, frame: pd.DataFrame) -> Path:
        """Write a table atomically and note its hash in ``run.json``.

        Raises:
            ArtifactError: a column of the schema is missing from ``frame``.
        """
        table = TABLES[name]
        lacking = [column for column in table.columns if column not in frame.columns]
        if lacking:
            raise ArtifactError(f"Table {name!r} cannot be written: it lacks {', '.join(lacking)}.")
        arrays: dict[str, Any] = {}
        for column in frame.columns:
            kind = table.columns.get(str(column))
            values = frame[column]
            if kind is not None and pa.types.is_list(kind):
                arrays[str(column)] = pa.array([None if v is None else np.asarray(v) for v in values], type=kind)
            else:
                arrays[str(column)] = pa.array(values, type=kind, from_pandas=True)
        path = self.root / table.file
        with atomic_path(path) as temporary:
            pq.write_table(pa.table(arrays), temporary, compression="zstd")
        self.note_hash(table.file)
        return path

    def _read_arrow(self, table: Table, columns: Sequence[str] | None) -> pa.Table:
        path = self.root / table.file
        remedy = f"Make it with `{self._command(table.made_by)}`."
        if not path.is_file():
            raise ArtifactError(f"This run has no {table.file}. {remedy}")
        self.check_hash(table.file, table.made_by)
        try:
            present = pq.read_schema(path).names
            lacking = [c for c in (columns or table.columns) if c not in present]
            if lacking:
                raise ArtifactError(f"{path} lacks the column {lacking[0]!r}. {remedy}")
            return pq.read_table(path, columns=list(columns) if columns else None, memory_map=True)
        except (pa.ArrowInvalid, OSError) as error:
            raise ArtifactError(f"{path} cannot be read as Parquet ({str(error).splitlines()[0]}). {remedy}") from None

    # -- hashes ---------------------------------------------------------------------------------------------------

    def note_hash(self, file: str) -> None:
        """Note the hash and size of a file of this run in ``run.json``."""
        if self.exists:
            path = self.root / file
            entry = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            self.update_info(hashes={**self.info()["hashes"], file: entry})

    def check_hash(self, file: str, made_by: str) -> None:
        """Compare a file with the hash noted when it was written; a file without a note passes.

        Raises:
            ArtifactError: the file is not what the pipeline wrote.
        """
        if not self.exists:
            return
        noted = self.info()["hashes"].get(file)
        path = self.root / file
        if noted and (path.stat().st_size != noted["bytes"] or sha256_file(path) != noted["sha256"]):
            raise ArtifactError(
                f"{path} was changed after the run wrote it (its SHA-256 does not match run.json). "
                f"Make it anew with `{self._command(made_by)}`."
            )

    # -- CAMs, events, documents, weights -------------------------------------------------------------------------

    def write_cams(self, index: pd.DataFrame, cams: npt.NDArray[np.float16]) -> None:
        """Write class activation maps.

        Args:
            index: columns pair_id, sensor, row; row counts from 0 into ``cams``.
            cams: shape (N, classes, h, w), >= 0, not normalised, so that maps can be compared with each other.
        """
        self.write_array(CAMS_FILE, cams)
        self.write_table("cams", index)

    def read_cams(self) -> tuple[pd.DataFrame, npt.NDArray[np.float16]]:
        """Index table and the maps, memory-mapped, shape (N, classes, h, w).

        Raises:
            ArtifactError: they are missing, damaged, or do not fit each other.
        """
        index = self.read_table("cams")
        cams = self.read_array(CAMS_FILE, TABLES["cams"].made_by)
        if cams.ndim != 4 or (len(index) and int(index["row"].max()) >= len(cams)):
            raise ArtifactError(
                f"{self.root / CAMS_FILE} of shape {cams.shape} does not fit its index of {len(index)} rows. "
                f"Make them with `rice-ssl embed {self.root}`."
            )
        return index, cams

    def write_array(self, file: str, values: npt.NDArray[np.generic]) -> None:
        """Write an array as ``.npy``, ``file`` being its path inside the run directory."""
        with atomic_path(self.root / file) as temporary, temporary.open("wb") as stream:
            np.save(stream, values, allow_pickle=False)
        self.note_hash(file)

    def read_array(self, file: str, made_by: str) -> npt.NDArray[Any]:
        """An array that :meth:`write_array` wrote, memory-mapped.

        Raises:
            ArtifactError: it is missing, damaged, or was changed after it was written.
        """
        path, remedy = self.root / file, f"Make it with `{self._command(made_by)}`."
        if not path.is_file():
            raise ArtifactError(f"This run has no {file}. {remedy}")
        self.check_hash(file, made_by)
        try:
            found: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError):
            raise ArtifactError(f"{path} cannot be read. {remedy}") from None
        return found

    def write_events(self, events: Sequence[dict[str, Any]]) -> None:
        """Replace the list of events atomically."""
        with atomic_path(self.root / EVENTS_FILE) as temporary:
            temporary.write_text("".join(json.dumps(e, allow_nan=False) + "\n" for e in events), encoding="utf-8")

    def events(self) -> list[dict[str, Any]]:
        """Schedule events in the order in which they happened; lines that are none, or cut short, are left out."""
        path = self.root / EVENTS_FILE
        if not path.is_file():
            return []
        found = []
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("step"), int):
                    found.append(event)
        return found

    def write_document(self, name: str, content: dict[str, Any]) -> Path:
        """Write ``report.json`` or ``dynamics.json``."""
        self._write_json(f"{name}.json", content)
        self.note_hash(f"{name}.json")
        return self.root / f"{name}.json"

    def read_document(self, name: str) -> dict[str, Any]:
        """Read ``report.json`` or ``dynamics.json``.

        Raises:
            ArtifactError: it is missing, is not JSON, or was changed after it was written.
        """
        path, command = self.root / f"{name}.json", self._command(DOCUMENTS[name])
        if not path.is_file():
            raise ArtifactError(f"This run has no {path.name}. Make it with `{command}`.")
        content = self._read_json(path, command)
        self.check_hash(path.name, DOCUMENTS[name])
        return content

    def _command(self, made_by: str) -> str:
        """A command of the schema with this run directory put in."""
        return made_by.format(run=self.root)

    def weights_path(self, name: str) -> Path:
        """Where the weights called ``name`` (``swav``, ``classifier``) lie, whether or not they are there."""
        return self.root / "weights" / f"{name}.safetensors"

    def source_of_weights(self) -> RunStore:
        """The run whose weights this one uses, there or not: the one that ``run.json`` notes, else this one."""
        noted = self.info().get("weights_run")
        return RunStore(Path(noted)) if isinstance(noted, str) else self

    def checked_weights(self, name: str, made_by: str) -> Path:
        """The same, checked against the noted hash.

        Raises:
            ArtifactError: they are missing, or not what the pipeline wrote.
        """
        path = self.weights_path(name)
        if not path.is_file():
            raise ArtifactError(f"There are no weights at {path}. Make them with `{self._command(made_by)}`.")
        self.check_hash(path.relative_to(self.root).as_posix(), made_by)
        return path

    def read_weight(self, name: str, key: str, made_by: str) -> npt.NDArray[np.floating]:
        """One tensor of the weights called ``name``.

        Raises:
            ArtifactError: they are missing, damaged, not what the pipeline wrote, or without that tensor.
        """
        path = self.checked_weights(name, made_by)
        try:
            with safe_open(str(path), framework="numpy") as opened:
                found: npt.NDArray[np.floating] = opened.get_tensor(key)
        except (SafetensorError, OSError) as error:
            raise ArtifactError(
                f"{path} gives no {key!r} ({error}). Make it anew with `{self._command(made_by)}`."
            ) from None
        return found

    def remove(self, *files: str) -> None:
        """Remove files that no longer hold, and their noted hashes; a file that is not there is passed over."""
        for file in files:
            (self.root / file).unlink(missing_ok=True)
        hashes = self.info()["hashes"] if self.exists else {}
        kept = {file: entry for file, entry in hashes.items() if file not in files}
        if kept != hashes:
            self.update_info(hashes=kept)

    # -- JSON -----------------------------------------------------------------------------------------------------

    def _write_json(self, file: str, content: dict[str, Any]) -> None:
        with atomic_path(self.root / file) as temporary:
            temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")

    @staticmethod
    def _read_json(path: Path, command: str) -> dict[str, Any]:
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            raise ArtifactError(f"{path} cannot be read as JSON ({error}). Make it anew with `{command}`.") from None
        if not isinstance(content, dict):
            raise ArtifactError(f"{path} does not hold a JSON object. Make it anew with `{command}`.")
        return content
