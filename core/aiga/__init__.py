"""aiga: open-ended search as plugins of one small loop."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiga.components import Archive as Archive
    from aiga.components import Cost as Cost
    from aiga.components import Dense as Dense
    from aiga.components import Domain as Domain
    from aiga.components import Executor as Executor
    from aiga.components import Lab as Lab
    from aiga.components import Logger as Logger
    from aiga.components import Meter as Meter
    from aiga.components import Network as Network
    from aiga.components import Optimiser as Optimiser
    from aiga.components import Output as Output
    from aiga.components import Percept as Percept
    from aiga.components import Registry as Registry
    from aiga.components import Screen as Screen
    from aiga.components import Screened as Screened
    from aiga.components import Setup as Setup
    from aiga.components import Space as Space
    from aiga.components import Trainer as Trainer
    from aiga.data import Batch as Batch
    from aiga.data import Event as Event
    from aiga.data import Kind as Kind
    from aiga.data import Noise as Noise
    from aiga.data import Offers as Offers
    from aiga.data import Pairs as Pairs
    from aiga.data import Population as Population
    from aiga.data import Scores as Scores
    from aiga.data import Status as Status
    from aiga.data import Trajectory as Trajectory
    from aiga.data import Verdict as Verdict
    from aiga.engine import Progress as Progress
    from aiga.engine import Watcher as Watcher
    from aiga.errors import AigaError as AigaError
    from aiga.errors import InputError as InputError
    from aiga.errors import PluginError as PluginError
    from aiga.errors import StorageError as StorageError
    from aiga.experiment import open as open
    from aiga.experiment import resume as resume
    from aiga.experiment import run as run
    from aiga.hooks import Options as Options
    from aiga.hooks import Plan as Plan
    from aiga.hooks import Plugin as Plugin
    from aiga.hooks import Subject as Subject
    from aiga.hooks import wrapper as wrapper
    from aiga.niches import Niches as Niches
    from aiga.pillars import Standing as Standing
    from aiga.reports import Contestant as Contestant
    from aiga.reports import Report as Report
    from aiga.runs import Run as Run
    from aiga.runs import Stone as Stone
    from aiga.streams import Stream as Stream
    from aiga.training import train as train

# Every public name and where it lives; importing aiga loads none of them, so that `aiga --help` need not wait for torch.
_HOME = {
    "components": "Archive Cost Dense Domain Executor Lab Logger Meter Network Optimiser Output Percept Registry Screen "
    "Screened Setup Space Trainer",
    "data": "Batch Event Kind Noise Offers Pairs Population Scores Status Trajectory Verdict",
    "engine": "Progress Watcher",
    "errors": "AigaError InputError PluginError StorageError",
    "experiment": "open resume run",
    "hooks": "Options Plan Plugin Subject wrapper",
    "niches": "Niches",
    "pillars": "Standing",
    "reports": "Contestant Report",
    "runs": "Run Stone",
    "streams": "Stream",
    "training": "train",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"module 'aiga' has no attribute {name!r}")
    return getattr(importlib.import_module(f"aiga.{_MODULE[name]}"), name)


def _version() -> str:
    """Of the installed distribution."""
    from importlib.metadata import version

    return version("aiga")


def __dir__() -> list[str]:
    return [*__all__, *globals()]
