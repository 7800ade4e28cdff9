"""The run directory: the only reader and writer of what a run leaves on disk. Imports no torch."""

from rice_ssl.artifacts.schema import SCHEMA_VERSION, TABLES, Table
from rice_ssl.artifacts.store import RunStore, atomic_path, sha256_file

__all__ = ["SCHEMA_VERSION", "TABLES", "RunStore", "Table", "atomic_path", "sha256_file"]
