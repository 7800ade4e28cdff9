"""The run directory: the only reader and writer of what a run leaves on disk. Imports no torch."""

from rice_ssl.artifacts.ablation import ABLATION_FILE, read_ablation, write_ablation
from rice_ssl.artifacts.arrow import vector_array
from rice_ssl.artifacts.comparison import (
    COMPARISON_FILE,
    COMPARISON_SCHEMA_VERSION,
    read_comparison,
    write_comparison,
)
from rice_ssl.artifacts.files import atomic_path, file_hash, locked, sha256_file
from rice_ssl.artifacts.info import BusyError, NewerSchemaError, RunInfo
from rice_ssl.artifacts.schema import SCHEMA_VERSION, TABLES, Table
from rice_ssl.artifacts.store import RunStore

__all__ = [
    "ABLATION_FILE",
    "COMPARISON_FILE",
    "COMPARISON_SCHEMA_VERSION",
    "SCHEMA_VERSION",
    "TABLES",
    "BusyError",
    "NewerSchemaError",
    "RunInfo",
    "RunStore",
    "Table",
    "atomic_path",
    "file_hash",
    "locked",
    "read_ablation",
    "read_comparison",
    "sha256_file",
    "vector_array",
    "write_ablation",
    "write_comparison",
]
