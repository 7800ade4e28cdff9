"""Files written whole or not at all, hashed, and locked against other processes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # no such locks on Windows: there, work on a run from one process
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` to write to; rename it on success, remove it on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_hash(path: str | None) -> str | None:
    """The same of a file that need not be there; None where none is named, or it is not."""
    return sha256_file(Path(path)) if path is not None and Path(path).is_file() else None


_VERIFIED: dict[str, tuple[tuple[int, ...], str]] = {}


def verified_sha256(path: Path, *, anew: bool = False) -> str:
    """SHA-256 of a file's bytes, remembered in this process as long as the file's times, size and identity stay.

    Args:
        path: of the file.
        anew: whether to read it in any case, as of a file that was just written.
    """
    state, name = path.stat(), os.path.abspath(path)
    now = (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)
    known = _VERIFIED.get(name)
    if anew or known is None or known[0] != now:
        known = (now, sha256_file(path))
        _VERIFIED[name] = known
    return known[1]


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a lock file; the system releases it when the process ends, however it ends.

    Args:
        path: of the lock file.
        wait: whether to wait for another process that holds it.

    Raises:
        BlockingIOError: another process holds it, and ``wait`` is False.
    """
    if fcntl is None:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
