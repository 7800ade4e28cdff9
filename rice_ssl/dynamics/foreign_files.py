"""Files that are no log, known by how they begin, and what to do with each."""

from __future__ import annotations

from rice_ssl.errors import InputError

_UNPACK = "unpack it, and give the log that is in it"
_EXPORT = "export the log as CSV"
_KINDS = (
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", "give a log"),
    (b"\x1f\x8b", "a gzip archive", _UNPACK),
    (b"BZh", "a bzip2 archive", _UNPACK),
    (b"\xfd7zXZ\x00", "an xz archive", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a rar archive", _UNPACK),
    (b"PAR1", "a Parquet table", _EXPORT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _EXPORT),
    (b"SQLite format 3\x00", "an SQLite database", _EXPORT),
    (b":W&B", "Weights & Biases' own record", "export the run's history as CSV or JSON lines"),
    (b"\x93NUMPY", "a NumPy array", _EXPORT),
    (b"\x89PNG\r\n\x1a\n", "a picture", "give the numbers that it shows, as CSV"),
    (b"\xff\xd8\xff", "a picture", "give the numbers that it shows, as CSV"),
    (b"%PDF-", "a PDF", "give the numbers that it shows, as CSV"),
)


def refuse_foreign(content: bytes, source: str) -> None:
    """Refuse what begins as a file of another kind does.

    Args:
        content: the file's bytes, or its first ones.
        source: its name, for messages.

    Raises:
        InputError: it is an archive, a picture or a table that is not read.
    """
    for start, kind, remedy in _KINDS:
        if content.startswith(start):
            raise InputError(f"{source} is {kind}, not a log: {remedy}.")
