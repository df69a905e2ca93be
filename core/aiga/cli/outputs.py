"""The file that a person names with ``--out``: whether it can be written, known before any work is done for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

from aiga.durable import storage, write_atomic
from aiga.errors import InputError


def check_out(out: Path, kinds: Mapping[str, str]) -> str:
    """The suffix of ``out``, in lower case.

    Args:
        out: as given.
        kinds: what may be written, by suffix, such as ``{".png": "a picture"}``.

    Raises:
        InputError: for another suffix, a folder that is not there or lets nothing be written, or a folder in place of a file.
    """
    suffix = out.suffix.lower()
    if suffix not in kinds:
        found = f'found "{out.suffix}"' if out.suffix else "found no suffix"
        *others, last = (f"{ending} for {what}" for ending, what in kinds.items())
        choice = f"{', '.join(others)} or {last}" if others else last
        raise InputError(f"--out {out}: {found}. Write a file that ends in {choice}.")
    if not out.absolute().parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}. Make it first, or name another.")
    if out.is_dir():
        raise InputError(f"--out {out}: a folder. Name a file in it.")
    try:
        # Permissions alone do not tell: a superuser has them everywhere.
        with TemporaryFile(dir=out.absolute().parent):
            pass
    except OSError as error:
        reason = f"nothing can be written to {out.absolute().parent} ({error.strerror or error})"
        raise InputError(f"--out {out}: {reason}. Name a file in another folder.") from error
    return suffix


def write_out(out: Path, content: bytes) -> None:
    """Puts what was made into the file, whole or not at all.

    Raises:
        StorageError: if it cannot be written.
    """
    with storage(out, "writing the picture"):
        write_atomic(out, content)
