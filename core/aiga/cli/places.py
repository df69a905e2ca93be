"""Where the run that a person names lies, and how commands that concern it are written."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from aiga.errors import InputError

RUNS = Path("runs")
_LONGEST = 255  # bytes; file systems take no longer name


def find(name: str, runs: Path) -> Path:
    """The folder that ``name`` stands for: a run in ``runs``, or a path to a run's folder.

    A bare word is a run in ``runs`` where there is one, and a folder here where only that is there.
    """
    inside = runs / name
    if any(len(part.encode()) > _LONGEST for part in Path(name).parts) or "\0" in name:
        raise InputError(f"{name[:40]}...: no run can have such a name. Give the name of a run, or the path of its folder.")
    separators = {os.sep, os.altsep or os.sep}
    is_path = name in (os.curdir, os.pardir) or any(separator in name for separator in separators)
    if is_path or (not inside.exists() and Path(name).is_dir()):
        return Path(name)
    return inside


def command(verb: str, path: Path, *rest: str) -> str:
    """``aiga VERB NAME ...`` for the run at ``path``, as one would type it here."""
    if path.parent == RUNS:
        words = ["aiga", verb, path.name, *rest]
    elif path.parent == Path():
        words = ["aiga", verb, f"{os.curdir}{os.sep}{path.name}", *rest]
    else:
        words = ["aiga", verb, path.name, "--runs", str(path.parent), *rest]
    return shlex.join(words)
