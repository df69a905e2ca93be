"""A training as it lies on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiga import checkpoint
from aiga import config as configs
from aiga.checkpoint import Checkpoint
from aiga.config import TrainConfig
from aiga.durable import storage
from aiga.errors import InputError
from aiga.journal import Journal
from aiga.rundir import RunDirectory
from aiga.training import agents, judging

if TYPE_CHECKING:
    import pandas as pd


class TrainingRun:
    """The directory of a training, opened for reading; another process may be writing it.

    Raises:
        InputError: if it is that of a run of the loop.
    """

    def __init__(self, folder: RunDirectory) -> None:
        if not folder.training:
            raise InputError(f"{folder.path}: a run, not a training: see `aiga status`, or aiga.open from Python.")
        self.folder = folder

    def __repr__(self) -> str:
        return f"TrainingRun({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """Of the folder."""
        return self.folder.path

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.name

    @cached_property
    def config(self) -> TrainConfig:
        """What the training was started with."""
        return configs.read(TrainConfig, self.folder.config_path)

    @property
    def agents(self) -> list[Path]:
        """Files of the trained agents, for ``[population] initial_agent``: those of the end, then the best ones."""
        return agents.found(self.path)

    @property
    def report(self) -> dict[str, Any] | None:
        """``report/report.json``: title, rows by network and column, notes, and what was judged; None where there is none."""
        file = self.path / judging.FOLDER / judging.TABLE
        with storage(file, "reading the report"):
            return json.loads(file.read_text()) if file.is_file() else None

    @property
    def pictures(self) -> list[Path]:
        """Of its report: curves of what was logged, then the domain's; and the trainer's own."""
        return judging.found(self.path)

    @property
    def files(self) -> list[Path]:
        """What the trainer made beside its agents; see :class:`aiga.Trainer`."""
        return sorted(file for file in (self.path / judging.FILES).glob("*") if file.is_file())

    def operations(self, type: str | None = None) -> pd.DataFrame:
        """What happened: starts, checkpoints with the metrics that were logged last, stops; ``iteration`` is the step."""
        with self.reading() as journal:
            return journal.operations(type)

    def reading(self) -> Journal:
        """The journal, read-only; close it, or use it in a ``with``."""
        return Journal(self.folder.journal_path, readonly=True)


def open(path: Path | str) -> TrainingRun:
    """A training as it lies on disk, going on or not.

    Raises:
        InputError: if it is no directory of a training, or one of a newer aiga.
    """
    return TrainingRun(RunDirectory.open(Path(path)))


def brief(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics for a person, by name: without Lightning's ``NAME_step`` and ``NAME_epoch`` where ``NAME`` is there too."""
    twice = ("_step", "_epoch")
    return {
        name: metrics[name]
        for name in sorted(metrics)
        if not any(name.endswith(end) and name.removesuffix(end) in metrics for end in twice)
    }


def latest(run: TrainingRun) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint to go on from, and complaints about newer ones; None where none was ever saved: it begins anew.

    Raises:
        InputError: if checkpoints were saved, and none of them verifies.
    """
    found, complaints = checkpoint.newest(run.folder.checkpoints)
    if found is None:
        saved = run.operations("checkpoint")
        if len(saved) and not complaints:
            complaints = [f"{run.folder.checkpoints}: empty, though step {int(saved['iteration'].iloc[-1]):,} was saved"]
        if complaints:
            what = f"{run.path}: no checkpoint verifies, so there is nothing to resume from. Restore it from a copy"
            raise InputError(*complaints, what)
    return found, [text.replace("from iteration", "from step") for text in complaints]
