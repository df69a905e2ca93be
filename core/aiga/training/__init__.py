"""Training with Lightning: what ``aiga train`` does, from Python, and a module to build trainers on.

Importing this loads neither torch nor Lightning.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiga.training.module import AgentsModule as AgentsModule
    from aiga.training.module import draws as draws
    from aiga.training.runs import TrainingRun as TrainingRun
    from aiga.training.runs import open as open
    from aiga.training.session import report as report
    from aiga.training.session import resume as resume
    from aiga.training.session import train as train

_MODULE = {
    "AgentsModule": "module",
    "draws": "module",
    "TrainingRun": "runs",
    "open": "runs",
    "report": "session",
    "resume": "session",
    "train": "session",
}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'aiga.training' has no attribute {name!r}")
    return getattr(importlib.import_module(f"aiga.training.{_MODULE[name]}"), name)
