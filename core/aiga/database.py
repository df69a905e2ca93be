"""Opening SQLite databases: a writer with a write-ahead log, readers that need not write, and what to do about errors."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from aiga.errors import StorageError


def writer(path: Path) -> sqlite3.Connection:
    """A connection that may write, with a write-ahead log, transactions by hand; the file is made where it is missing.

    Raises:
        sqlite3.Error: if it cannot be opened.
    """
    db = sqlite3.connect(path, isolation_level=None, timeout=30.0)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        # A checkpoint must never be on the disk before the rows it stands on, whatever happens to the power.
        db.execute("PRAGMA synchronous = FULL")
    except BaseException:
        db.close()
        raise
    return db


def reader(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, on a full disk and on media that cannot be written too.

    Raises:
        sqlite3.Error: if it cannot be opened.
    """
    if not path.is_file():
        raise sqlite3.OperationalError("there is no such file")
    where = f"file:{quote(str(path.absolute()))}?mode=ro"
    # Where the log's shared memory cannot be made (read-only media, a full disk) nobody writes either: its index is kept in
    # this process instead. With no log at all the file is complete by itself; `immutable` alone would leave a log unread.
    log = path.with_name(path.name + "-wal")
    fallback = "&vfs=unix-none" if log.exists() and log.stat().st_size else "&immutable=1"
    try:
        return _probed(where)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_READONLY,
        ):
            raise
        return _probed(where + fallback, "PRAGMA locking_mode = EXCLUSIVE")


def _probed(uri: str, pragma: str = "") -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=30.0)
    try:
        db.execute(pragma)
        db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def guarded(path: Path, doing: str) -> Iterator[None]:
    """Turns what SQLite complains about in its body into a message for a person.

    Raises:
        StorageError: naming ``path``, what failed and the remedy.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {doing} failed: {error}. {remedy(error, path)}.") from error


def remedy(error: sqlite3.Error, path: Path) -> str:
    """What a person can do about ``error`` in the database at ``path``."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR"):
        return "The disk is full or failing; nothing of this was kept. Free some space there, then try again"
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB") or name.startswith("SQLITE_CORRUPT"):
        return "The file is damaged. Restore it from a copy of the run"
    if name == "SQLITE_BUSY":
        return "Another process is writing to it. Stop that one first"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
        return f"Give yourself permission to write in {path.parent}, or copy the run to where you may"
    return "Nothing of this was kept. Mend this, then try again"
