"""The file that a person names with ``--out``: whether it can be written, known before any work is done for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aiga.errors import InputError


def check_out(out: Path, kinds: Mapping[str, str]) -> str:
    """The suffix of ``out``, in lower case.

    Args:
        out: as given.
        kinds: what may be written, by suffix, such as ``{".png": "a picture"}``.

    Raises:
        InputError: for another suffix, a folder that is not there, or a folder in place of a file.
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
    return suffix
