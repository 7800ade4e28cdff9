"""Read and write a run directory: versioned, atomic, hashed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from rice_ssl.artifacts.arrow import arrow_table, pieces, read_vector_files
from rice_ssl.artifacts.files import atomic_path, locked, verified_sha256
from rice_ssl.artifacts.info import BusyError, NewerSchemaError, RunInfo
from rice_ssl.artifacts.query import query_files
from rice_ssl.artifacts.rows import rows_of_pairs
from rice_ssl.artifacts.schema import DOCUMENTS, SCHEMA_VERSION, TABLES, Table
from rice_ssl.artifacts.table_files import (
    ROWS_IN_PART,
    folder_of,
    is_of_table,
    new_folder,
    part_name,
    remove_folder,
    remove_former,
    standing_files,
)
from rice_ssl.errors import ArtifactError

RUN_FILE, EVENTS_FILE, CAMS_FILE = "run.json", "events.jsonl", "cams/cams.npy"
_LOCK_FILE = "cache/lock"
_ROW_GROUP = 32_768  # rows: so little is read to find those of one pair, and so much that columns compress


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
        return self.has_file(TABLES[name].file) if name in TABLES else self.has_document(name)

    def has_file(self, file: str) -> bool:
        """Whether a file of this run is there; that of a table also where its rows lie in parts."""
        return (self.root / file).is_file() or (file.endswith(".parquet") and bool(self._standing(file)))

    def has_document(self, name: str) -> bool:
        """Whether a JSON document is there; a table may bear the same name."""
        return (self.root / f"{name}.json").is_file()

    def files(self, name: str) -> list[Path]:
        """The Parquet files of a table, checked, in the order of its rows; for DuckDB and for reading part by part.

        Raises:
            ArtifactError: it is not there, or was changed after it was written.
        """
        table = TABLES[name]
        found = self._standing(table.file)
        if not found:
            raise ArtifactError(f"This run has no {table.file}. {self._remedy(table)}")
        known = {noted_as for noted_as in self._hashes() if is_of_table(noted_as, table.file)}
        if odd := sorted(known ^ set(found)) if known else []:
            told = "is not there" if odd[0] in known else "is not of what the run wrote"
            raise ArtifactError(f"{self.root / odd[0]} {told}: the table has other parts. {self._remedy(table)}")
        for noted_as, path in found.items():
            self._check(noted_as, path, table.made_by)
        return list(found.values())

    def read_table(self, name: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read a table, or some of its columns.

        Raises:
            ArtifactError: the file is missing, damaged, was changed after it was written, or lacks a column.
        """
        frame: pd.DataFrame = self.read_arrow(name, columns).to_pandas()
        return frame

    def read_arrow(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The same as an Arrow table, without an object for each row.

        Raises:
            ArtifactError: as :meth:`read_table`.
        """
        files = self._with_columns(name, columns)
        wanted = list(columns) if columns else None
        with self._readable(name):
            return pa.concat_tables([pq.read_table(path, columns=wanted, memory_map=True) for path in files])

    def column_names(self, name: str) -> list[str]:
        """Names of a table's columns, in order.

        Raises:
            ArtifactError: as :meth:`read_table`.
        """
        files = self.files(name)
        with self._readable(name):
            names: list[str] = pq.read_schema(files[0]).names
        return names

    def read_rows(self, name: str, pair_ids: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
        """Rows that are about some pairs; of a table sorted by pair_id, as ``thumbnails``, no more than those is read.

        Raises:
            ArtifactError: as :meth:`read_table`.
        """
        files = self._with_columns(name, ["pair_id", *columns])
        with self._readable(name):
            frame: pd.DataFrame = rows_of_pairs(files, pair_ids, columns).to_pandas()
        return frame

    def read_vectors(self, name: str, column: str) -> npt.NDArray[np.float32] | None:
        """Read a vector column as one array, shape (rows, D); None when every row is null.

        Raises:
            ArtifactError: as :meth:`read_table`; or the vectors differ in length.
        """
        files = self._with_columns(name, [column])
        with self._readable(name):
            try:
                return read_vector_files(files, column)
            except pa.ArrowInvalid:
                raise
            except ValueError:
                table = TABLES[name]
                raise ArtifactError(
                    f"Column {column!r} of {self.root / table.file} has vectors of different lengths. "
                    f"Make it anew with `{self._command(table.made_by)}`."
                ) from None

    def query(self, sql: str, tables: Sequence[str], parameters: Sequence[Any] = ()) -> pa.Table:
        """Ask DuckDB a question of tables, for what does not fit in memory; see :func:`query_files`.

        Raises:
            ArtifactError: a table is missing, damaged, was changed after it was written, or lacks a column.
        """
        files = {name: self._with_columns(name, None) for name in tables}
        try:
            return query_files(sql, files, parameters)
        except duckdb.Error as error:
            remedies = " ".join(self._remedy(TABLES[name]) for name in tables)
            told = str(error).splitlines()[0]
            raise ArtifactError(f"{self.root} cannot be asked of {', '.join(tables)} ({told}). {remedies}") from None

    def write_table(self, name: str, frame: pd.DataFrame | pa.Table) -> Path:
        """Write a table atomically and note its hash in ``run.json``; beyond 250,000 rows in parts.

        Returns:
            The file, or the folder of its parts.

        Raises:
            ArtifactError: a column of the schema is missing from ``frame``.
        """
        table = TABLES[name]
        if table.row_group is not None:
            frame = _by_pair(frame)
        if len(frame) > ROWS_IN_PART:
            return self.write_parts(name, pieces(frame, ROWS_IN_PART))
        content = arrow_table(table, frame)
        path = self.root / table.file
        with atomic_path(path) as temporary:
            _write_parquet(table, content, temporary)
        self._note(table.file, {table.file: path})
        remove_folder(folder_of(path))
        return path

    def write_parts(self, name: str, frames: Iterable[pd.DataFrame | pa.Table]) -> Path:
        """Write a table in parts, a frame each, none longer than memory allows; the table is replaced at the end.

        Rows of ``thumbnails`` are best given in the order of their pairs: so they are found fastest.

        Returns:
            The folder of its parts.

        Raises:
            ArtifactError: a column of the schema is missing from a frame.
            ValueError: there is no frame.
        """
        table = TABLES[name]
        path = self.root / table.file
        folder = folder_of(path)
        with new_folder(folder) as temporary:
            count = 0
            for frame in frames:
                _write_parquet(table, arrow_table(table, frame), temporary / part_name(count))
                count += 1
            if not count:
                raise ValueError(f"Table {name!r} cannot be written: there are no frames; give one, if an empty one.")
        parts = [folder / part_name(number) for number in range(count)]
        self._note(table.file, {part.relative_to(self.root).as_posix(): part for part in parts})
        path.unlink(missing_ok=True)
        remove_former(folder)
        return folder

    def _standing(self, file: str) -> dict[str, Path]:
        return standing_files(self.root, file, self._hashes)

    def _with_columns(self, name: str, columns: Sequence[str] | None) -> list[Path]:
        """Checked files of a table, each of which has the columns; those of the schema where none are named."""
        table, files = TABLES[name], self.files(name)
        with self._readable(name):
            for path in files:
                present = pq.read_schema(path).names
                lacking = [c for c in (columns or table.columns) if c not in present]
                if lacking:
                    raise ArtifactError(f"{path} lacks the column {lacking[0]!r}. {self._remedy(table)}")
        return files

    @contextlib.contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        """What Parquet says of a damaged file, as a sentence with its remedy."""
        table = TABLES[name]
        try:
            yield
        except (pa.ArrowInvalid, OSError) as error:
            raise ArtifactError(
                f"{self.root / table.file} cannot be read as Parquet ({str(error).splitlines()[0]}). "
                f"{self._remedy(table)}"
            ) from None

    def _remedy(self, table: Table) -> str:
        return f"Make it with `{self._command(table.made_by)}`."

    # -- hashes ---------------------------------------------------------------------------------------------------

    def note_hash(self, file: str) -> None:
        """Note the hash and size of a file of this run in ``run.json``; of a table also where its rows lie in parts."""
        self._note(file, self._places(file))

    def _places(self, file: str) -> Mapping[str, Path]:
        """Where a file lies, by the names under which hashes are noted; several of a table in parts."""
        single = {file: self.root / file}
        if single[file].is_file() or not file.endswith(".parquet"):
            return single
        return self._standing(file) or single

    def _note(self, file: str, written: Mapping[str, Path]) -> None:
        """Note files in place of what was noted of ``file``, a table's in one part or many."""
        if self.exists:
            entries = {
                name: {"sha256": verified_sha256(path, anew=True), "bytes": path.stat().st_size}
                for name, path in written.items()
            }
            kept = {name: entry for name, entry in self._hashes().items() if not is_of_table(name, file)}
            self.update_info(hashes={**kept, **entries})

    def _hashes(self) -> Mapping[str, Any]:
        hashes: Mapping[str, Any] = self.info()["hashes"] if self.exists else {}
        return hashes

    def hash_of(self, name: str) -> str:
        """SHA-256 of a table as it is; of one in parts, of their hashes, each on a line.

        Raises:
            ArtifactError: it is not there, or was changed after it was written.
        """
        found = [verified_sha256(path) for path in self.files(name)]
        return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()

    def check_hash(self, file: str, made_by: str) -> None:
        """Compare a file with the hash noted when it was written; a file without a note passes.

        A file is read for it once in a process, and again where its time or size is another one.

        Args:
            file: of this run; of a table also where its rows lie in parts.
            made_by: the command that makes it.

        Raises:
            ArtifactError: the file is not what the pipeline wrote.
        """
        for noted_as, path in self._places(file).items():
            self._check(noted_as, path, made_by)

    def _check(self, noted_as: str, path: Path, made_by: str) -> None:
        noted = self._hashes().get(noted_as)
        if noted and (path.stat().st_size != noted["bytes"] or verified_sha256(path) != noted["sha256"]):
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
        """Remove files that no longer hold, and their noted hashes; a file that is not there is passed over.

        Of a table whose rows lie in parts, ``files`` names the single file that it would be.
        """
        for file in files:
            path = self.root / file
            path.unlink(missing_ok=True)
            if file.endswith(".parquet"):
                remove_folder(folder_of(path))
        hashes = self._hashes()
        kept = {name: entry for name, entry in hashes.items() if not any(is_of_table(name, file) for file in files)}
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


def _by_pair(frame: pd.DataFrame | pa.Table) -> pd.DataFrame | pa.Table:
    """The rows in the order of their pairs, in which they are looked up."""
    if isinstance(frame, pa.Table):
        return frame.sort_by([("pair_id", "ascending"), ("sensor", "ascending")])
    if frame.get("pair_id") is None or frame["pair_id"].is_monotonic_increasing:
        return frame
    return frame.sort_values("pair_id", kind="stable")


def _write_parquet(table: Table, content: pa.Table, path: Path) -> None:
    repeated = [field.name for field in content.schema if not pa.types.is_list(field.type)]
    pq.write_table(
        content, path, compression="zstd", row_group_size=table.row_group or _ROW_GROUP, use_dictionary=repeated
    )
