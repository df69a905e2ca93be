"""Files that are either whole or not there: written aside, forced to the disk, then renamed into place."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from aiga.errors import StorageError

_REMEDIES = {
    errno.ENOSPC: "Free some space there, then try again",
    errno.EDQUOT: "Free some of your quota there, then try again",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), then try again",
    errno.EROFS: "Copy the run to a place that can be written, then go on there",
    errno.EACCES: "Give yourself permission to write there, then try again",
    errno.EIO: "Check the disk; a copy of the run on another one can be resumed",
}


@contextlib.contextmanager
def storage(path: Path, doing: str) -> Iterator[None]:
    """Turns what the operating system complains about in its body into a message for a person.

    Args:
        path: the file or folder it is about.
        doing: what was being done, such as ``"writing the checkpoint"``.

    Raises:
        StorageError: naming ``path``, what failed and the remedy.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "What was saved before is unharmed; mend this, then try again")
        raise StorageError(f"{path}: {doing} failed: {error.strerror or error}. {remedy}.") from error


def sync_folder(folder: Path) -> None:
    """Forces a folder's entries to the disk, so that a rename outlives a power cut.

    Raises:
        OSError: if the disk fails.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and FUSE file systems know no fsync of a folder; there is nothing better to ask of them.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


def write_synced(path: Path, content: bytes) -> None:
    """Writes a file and forces it to the disk; the folder is left to the caller.

    Raises:
        OSError: if it cannot be written.
    """
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_atomic(path: Path, content: bytes) -> None:
    """Puts a file in place, whole and on the disk, or leaves what was there; no debris where it fails.

    Raises:
        OSError: if it cannot be written.
    """
    aside = path.with_name(f".{path.name}.partial")
    try:
        write_synced(aside, content)
        aside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
