"""How aiga's posters look: colours, sizes of type, and how a figure becomes a file."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aiga.durable import storage, write_atomic

INK, SLATE, HAZE, MIST, RULE = "#1f2933", "#5f6b78", "#87929e", "#adb7c1", "#e6eaee"  # dark to light
SOLVED, MOVED = "#12806a", "#d9742b"  # told apart by every kind of colour vision
DPI = 150


def style() -> AbstractContextManager[None]:
    """Type and lines for everything drawn within it, whatever the user's own matplotlib settings are."""
    import matplotlib

    settings: Any = dict(matplotlib.rcParamsDefault)
    settings |= {
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "text.color": INK,
        "axes.edgecolor": RULE,
        "axes.labelcolor": SLATE,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": MIST,
        "xtick.labelcolor": SLATE,
        "ytick.color": MIST,
        "ytick.labelcolor": SLATE,
        "lines.solid_capstyle": "butt",
    }
    # The default of `backend` is a question, not an answer, and asking it would load a window system.
    settings.pop("backend", None)
    return matplotlib.rc_context(settings)


def save(figure: Any, path: Path) -> Path:
    """Writes ``figure`` as a PNG, whole or not at all.

    Raises:
        StorageError: if it cannot be written.
    """
    content = png(figure)
    with storage(path, "writing the picture"):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content)
    return path


def png(figure: Any) -> bytes:
    """``figure`` as a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, facecolor="white")
    return content.getvalue()


def count(number: int, noun: str) -> str:
    """A number with its noun: "1 niche", "2,400 niches"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
