"""The run directory: the only reader and writer of what a run leaves on disk. Imports no torch."""

from rice_ssl.artifacts.files import atomic_path, sha256_file
from rice_ssl.artifacts.info import NewerSchemaError, RunInfo
from rice_ssl.artifacts.schema import SCHEMA_VERSION, TABLES, Table
from rice_ssl.artifacts.store import RunStore

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "NewerSchemaError",
    "RunInfo",
    "RunStore",
    "Table",
    "atomic_path",
    "sha256_file",
]
