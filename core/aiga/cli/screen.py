"""Where tables are printed: the terminal, or a pipe in which no line is folded at 80 columns."""

from __future__ import annotations

import os
import sys

from rich.console import Console

WIDE = 200


def console() -> Console:
    """Standard output, as wide as the terminal; ``WIDE`` columns where it is none."""
    return Console(width=None if sys.stdout.isatty() else WIDE)


def interactive() -> bool:
    """Whether standard output is a terminal that can draw anew in place."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
