"""Where tables are printed: the terminal, or a pipe in which no line is folded at 80 columns."""

from __future__ import annotations

import os
import sys

from rich.console import Console

WIDE = 200


def console() -> Console:
    """Standard output, as wide as the terminal; ``WIDE`` columns where it is none."""
    return Console(width=None if _terminal() else WIDE)


def _terminal() -> bool:
    """Whether standard output is a terminal; it is None where it was closed."""
    return sys.stdout is not None and sys.stdout.isatty()


def interactive() -> bool:
    """Whether standard output is a terminal that can draw anew in place."""
    return _terminal() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
