"""``aiga journal``: the search stream as lines, byte for byte what the seed and the configuration determine."""

from __future__ import annotations

import sys
from pathlib import Path

from aiga.journal import Journal
from aiga.rundir import RunDirectory


def show(path: Path, since: int, times: bool) -> None:
    """Prints the rows past ``since``, a JSON object a line.

    Raises:
        InputError: if there is no such run, or a newer aiga made it.
        BrokenPipeError: if the reader left.
    """
    with Journal(RunDirectory.open(path).journal_path, readonly=True) as journal:
        for line in journal.lines(since, times):
            sys.stdout.write(line + "\n")
    sys.stdout.flush()
